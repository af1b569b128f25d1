/* Posted-interrupt delivery as emu/ has it, for SPIN: the peer that `scripts/bench/run spin` measures against.
 *
 * One vCPU with its timer and a guest that exits, halts and arms its timer; senders on other pCPUs; a device interrupt on
 * the vCPU's own pCPU; a kick. The vCPU's plain stores to what others read wait in a FIFO store buffer (x86-TSO); IPIs are
 * a bag, arrival a step of its own. A step is one shared operation and the private work behind it, as in the explorer.
 * Loads and fences that cannot matter (a fence behind a locked operation) are left out; so is the end of a run, and of the
 * checks all but C1, C2, C4 and C9: the books of C5 and C7 would be states of their own.
 *
 * Written to be small: bit fields, no channel, no subroutine's return address, a store buffer of three bits an entry.
 *
 * POLICY    0 kick-2016, 1 skip-running-2020, 2 always-2021, 3 elide-self-2022
 * DEPTH     entries of the store buffer, 1 to 5
 * FIRST     the first sender posts nothing, 0x34, 0x34 and 0xf6, 0x34 twice: 0 to 3
 * SECOND    the second sender posts 0x35: 0 or 1
 * DEVICE, KICKS, TIMERS   how many device interrupts, kicks, timers armed: 0 or 1, 0 or 1, 0 to 3
 * SLOW_HANDLERS   1: the guest's handlers put their EOI off for as long as they like
 * NO_ENTRY_BARRIER NO_WAIT_BARRIER NO_ENTRY_SYNC NO_FASTPATH_SYNC   mutations of emu/mutations.py
 */

#ifndef POLICY
#define POLICY 3
#endif
#ifndef DEPTH
#define DEPTH 4
#endif
#ifndef FIRST
#define FIRST 3
#endif
#ifndef SECOND
#define SECOND 1
#endif
#ifndef DEVICE
#define DEVICE 1
#endif
#ifndef KICKS
#define KICKS 1
#endif
#ifndef TIMERS
#define TIMERS 1
#endif
#ifndef SLOW_HANDLERS
#define SLOW_HANDLERS 0
#endif

/* Guest vectors, the higher bit the higher priority: 0x34 0x35 | 0x61 | 0xe8 | 0xf6 are four classes in three words. */
#define V34 1
#define V35 2
#define V61 4
#define VE8 8
#define VF6 16
#define WORD0 3
#define WORD1 4
#define WORD3 24

/* Physical vectors, pending or not. */
#define DEV 1
#define NOTIFY 2
#define RESCHED 4

#define TLB_FLUSH 1
#define UNBLOCK 2

#define OUTSIDE 0
#define IN_GUEST 1
#define EXITING 2

#define RUNNING 0
#define INTERRUPTIBLE 1
#define ASLEEP 2

/* Stores that wait: three bits each, the oldest lowest. A store to the mode has the top bit clear. */
#define MODE_OUTSIDE 1
#define MODE_IN 2
#define TASK_NONE 4
#define TASK_WAITS 5
#define STATE_RUNNING 6
#define STATE_INTERRUPTIBLE 7
#define DRAINED (buffer == 0)
#define ROOM (buffer < (1 << (3 * DEPTH - 3)))
#define PUSH(store) \
    buffer = buffer | (store << (buffer < 1 -> 0 : (buffer < 8 -> 3 : (buffer < 64 -> 6 : (buffer < 512 -> 9 : 12)))))
#define MODE_AT(i) (((buffer >> (3 * i)) & 7) == MODE_OUTSIDE || ((buffer >> (3 * i)) & 7) == MODE_IN)
#define MODE_WAITS (MODE_AT(0) || MODE_AT(1) || MODE_AT(2) || MODE_AT(3) || MODE_AT(4))

unsigned mode : 2;
unsigned requests : 2;
unsigned pir : 5;
unsigned on : 1;
unsigned task : 1;
unsigned state : 2;
unsigned buffer : 15;
unsigned pending : 3;
unsigned notifications : 3; /* in flight */
unsigned reschedules : 3;
unsigned device : 1 = DEVICE;
unsigned inside : 2; /* senders between their first effect and their last */

/* What a sleep is judged by, and the housekeeping tick that wakes a guest whose sleep was sound. */
#define QUIET (inside == 0 && pending == 0 && notifications == 0 && reschedules == 0 && device == 0)
#define TICK (QUIET && state == ASLEEP && (pir | virr) == 0)

/* --- what others do ----------------------------------------------------------------------------------------------- */

inline send_reschedule()
{
    d_step { reschedules++; inside-- }
}

inline kick_mode() /* kvm_vcpu_exiting_guest_mode: one kicker wins and owes the IPI */
{
    if
    :: d_step { mode == IN_GUEST -> mode = EXITING };
        send_reschedule()
    :: d_step { mode != IN_GUEST -> inside-- }
    fi
}

inline kvm_vcpu_wake_up()
{
    if
    :: d_step { task == 0 -> inside-- }
    :: task != 0;
        if
        :: d_step { state == ASLEEP -> state = RUNNING };
            send_reschedule()
        :: d_step { state != ASLEEP -> state = RUNNING; inside-- }
        fi
    fi
}

inline kvm_vcpu_kick()
{
    if
    :: task == 0;
        kick_mode()
    :: task != 0;
        if
        :: d_step { state == ASLEEP -> state = RUNNING };
            send_reschedule()
        :: d_step { state == INTERRUPTIBLE -> state = RUNNING; inside-- }
        :: state == RUNNING;
            kick_mode()
        fi
    fi
}

inline post(vector)
{
    if
    :: (pir & vector) != 0
    :: d_step { (pir & vector) == 0 -> pir = pir | vector; inside++ };
        if
        :: d_step { on != 0 -> inside-- }
        :: d_step { on == 0 -> on = 1 };
            if
            :: mode == IN_GUEST;
                d_step { notifications++; inside-- }
            :: mode != IN_GUEST;
#if POLICY <= 1
                kvm_vcpu_kick()
#else
                kvm_vcpu_wake_up()
#endif
            fi
        fi
    fi
}

/* --- the vCPU's pCPU ----------------------------------------------------------------------------------------------- */

/* Post to the own vCPU. `free`: what must hold for the next operation; `irqs`: what may come before it instead. */
#if POLICY == 0 || POLICY == 2
#define OWN_IN_GUEST :: d_step { mode == IN_GUEST -> skip }; d_step { DRAINED -> notifications++ }; break
#else
#define OWN_IN_GUEST :: mode == IN_GUEST -> break
#endif

#define OWN_WAKE(free, irqs) \
    do \
    :: free && task == 0 -> break \
    :: free && task != 0; \
        do \
        :: d_step { free -> state = RUNNING }; break \
        irqs \
        od; \
        break \
    irqs \
    od

#define OWN_TRIGGER(free, irqs) \
    do \
    OWN_IN_GUEST \
    :: free && mode != IN_GUEST; \
        OWN_WAKE(free, irqs); \
        break \
    irqs \
    od

#if POLICY == 1
#define OWN_RUNNING(free, irqs) skip
#else
#define OWN_RUNNING(free, irqs) OWN_TRIGGER(free, irqs)
#endif

#define OWN_POST(vector, free, irqs, trigger) \
    do \
    :: free && DRAINED && (pir & vector) != 0 -> break \
    :: d_step { free && DRAINED && (pir & vector) == 0 -> pir = pir | vector }; \
        do \
        :: free && on != 0 -> break \
        :: d_step { free && on == 0 -> on = 1 }; \
            trigger(free, irqs); \
            break \
        irqs \
        od; \
        break \
    irqs \
    od

/* Interrupts on: before a shared operation all that is pending is taken, the highest first. */
#define CALM (pending == 0)
#define NO_IRQS
#define OTHER_IRQS \
    :: d_step { pending >= RESCHED -> pending = pending & (DEV | NOTIFY) } \
    :: d_step { (pending & (RESCHED | NOTIFY)) == NOTIFY -> pending = pending & DEV }
#if DEVICE
#define DEVICE_IRQ(trigger) \
    :: d_step { pending == DEV -> pending = 0 }; \
        OWN_POST(V61, true, NO_IRQS, trigger)
#else
#define DEVICE_IRQ(trigger)
#endif
#define IRQS OTHER_IRQS DEVICE_IRQ(OWN_RUNNING)

#define STORE(store) \
    do \
    :: d_step { CALM && ROOM -> PUSH(store) }; break \
    IRQS \
    od

#define HARVEST(word, bit) virr = virr | (pir & word); pir = pir & (31 - word); words = words & (7 - bit)

#if DEVICE
#define LOAD_WORD1(free, irqs) \
    do \
    :: d_step { free -> words = words | ((pir & WORD1) != 0 -> 2 : 0) }; break \
    irqs \
    od;
#else
#define LOAD_WORD1(free, irqs) /* a word that nobody writes */
#endif

/* vmx_sync_pir_to_irr: goes to `none` or `some` as the vIRR is empty or not. Words that were loaded as zero stay. */
#define SYNC(free, irqs, none, some) \
    do \
    :: free && on == 0 && virr == 0 -> goto none \
    :: free && on == 0 && virr != 0 -> goto some \
    :: free && on != 0 -> break \
    irqs \
    od; \
    do \
    :: d_step { free && DRAINED -> on = 0 }; break \
    irqs \
    od; \
    do \
    :: d_step { free -> words = ((pir & WORD0) != 0 -> 1 : 0) }; break \
    irqs \
    od; \
    LOAD_WORD1(free, irqs) \
    do \
    :: free && words == 0 && (pir & WORD3) == 0 && virr == 0 -> goto none \
    :: free && words == 0 && (pir & WORD3) == 0 && virr != 0 -> goto some \
    :: d_step { free && (words != 0 || (pir & WORD3) != 0) -> words = words | ((pir & WORD3) != 0 -> 4 : 0) }; break \
    irqs \
    od; \
    do \
    :: d_step { free && (words & 1) != 0 && words != 1 -> HARVEST(WORD0, 1) } \
    :: d_step { free && words == 1 -> HARVEST(WORD0, 1) }; goto some \
    :: d_step { free && words == 6 -> HARVEST(WORD1, 2) } \
    :: d_step { free && words == 2 -> HARVEST(WORD1, 2) }; goto some \
    :: d_step { free && words == 4 -> HARVEST(WORD3, 4) }; goto some \
    irqs \
    od

/* Virtual-interrupt delivery: the highest vector, if its class is above that of all in service. */
#define DELIVER \
    if \
    :: virr >= VF6 && visr < VF6 -> virr = virr - VF6; visr = visr + VF6 \
    :: virr >= VE8 && virr < VF6 && visr < VE8 -> virr = virr - VE8; visr = visr + VE8 \
    :: virr >= V61 && virr < VE8 && visr < V61 -> virr = virr - V61; visr = visr + V61 \
    :: virr >= V35 && virr < V61 && visr == 0 -> virr = virr - V35; visr = visr + V35 \
    :: virr == V34 && visr == 0 -> virr = 0; visr = V34 \
    :: else \
    fi

/* When the guest's program goes on. */
#define IDLE_OR_SLOW (CALM && (visr == 0 || SLOW_HANDLERS))

#define EOI \
    visr = (visr >= VF6 -> visr - VF6 : (visr >= VE8 -> visr - VE8 : (visr >= V61 -> visr - V61 : 0)))

/* kvm_vcpu_exit_request behind a sync, then non-root mode or `leave`. The newest store to the mode is IN_GUEST. */
#define CHECK_REQUESTS(leave) \
    if \
    :: MODE_WAITS || mode != EXITING \
    :: !MODE_WAITS && mode == EXITING -> goto leave \
    fi; \
    if \
    :: d_step { requests == 0 -> DELIVER }; goto non_root \
    :: requests != 0 -> goto leave \
    fi

/* What vcpu_run does behind an entry or a block. */
#define TAIL(next, inject) \
    do \
    :: CALM && (requests & UNBLOCK) == 0 && timer != EXPIRED -> goto next \
    :: CALM && (requests & UNBLOCK) == 0 && timer == EXPIRED -> goto inject \
    :: CALM && (requests & UNBLOCK) != 0; \
        do \
        :: d_step { CALM && DRAINED && timer != EXPIRED -> requests = requests & TLB_FLUSH }; goto next \
        :: d_step { CALM && DRAINED && timer == EXPIRED -> requests = requests & TLB_FLUSH }; goto inject \
        IRQS \
        od \
    IRQS \
    od

/* The timer: backed by the preemption timer, by a host timer while blocked, or expired and left to the slow loop. */
#define DISARMED 0
#define HV 1
#define SW 2
#define EXPIRED 3

active proctype vcpu()
{
    unsigned virr : 5;
    unsigned visr : 5;
    unsigned words : 3;
    unsigned timer : 2;
    unsigned arms : 2 = TIMERS;

again: /* vcpu_enter_guest: kvm_process_requests */
    do
    :: CALM && requests == 0 -> goto enter
    :: CALM && requests != 0 -> break
    IRQS
    od;
    do
    :: CALM && (requests & TLB_FLUSH) == 0 -> break
    :: CALM && (requests & TLB_FLUSH) != 0;
        do
        :: d_step { CALM && DRAINED -> requests = requests & UNBLOCK }; break
        IRQS
        od;
        break
    IRQS
    od;
    do
    :: CALM && (requests & UNBLOCK) == 0 -> break
    :: CALM && (requests & UNBLOCK) != 0;
        do
        :: d_step { CALM && DRAINED -> requests = requests & TLB_FLUSH }; break
        IRQS
        od;
        break
    IRQS
    od;

enter: /* interrupts go off with the store */
    STORE(MODE_IN);
#ifndef NO_ENTRY_BARRIER
    DRAINED;
#endif
#ifndef NO_ENTRY_SYNC
    SYNC(true, NO_IRQS, entry_check, entry_check);
#endif
entry_check:
    CHECK_REQUESTS(leave);

re_enter:
#ifndef NO_FASTPATH_SYNC
    SYNC(true, NO_IRQS, re_entry_check, re_entry_check);
#endif
re_entry_check:
    CHECK_REQUESTS(leave);

non_root: /* what is recognised has been delivered; what is pending comes before the guest's next step */
    if
    :: QUIET && pir != 0 -> assert(false) /* C1 */
    :: QUIET && (requests & TLB_FLUSH) != 0 -> assert(false) /* C9 */
    :: inside == 0 && pir != 0 && on == 0 -> assert(false) /* C4 */
    :: d_step { pending >= RESCHED -> pending = pending & (DEV | NOTIFY) }; goto leave
    :: d_step { (pending & (RESCHED | NOTIFY)) == NOTIFY -> pending = pending & DEV }; goto notified
#if DEVICE
    :: d_step { pending == DEV -> pending = 0 }; goto leave_for_device
#endif
    :: IDLE_OR_SLOW -> goto leave /* CPUID */
    :: CALM && visr == 0 -> goto leave_to_halt
    :: d_step { CALM && visr != 0 -> EOI; DELIVER }; goto non_root
#if TIMERS
    :: d_step { CALM && timer == HV -> timer = DISARMED }; goto self_post
    :: d_step { IDLE_OR_SLOW && timer == DISARMED && arms > 0 -> arms--; timer = HV }; goto re_enter
    :: d_step { IDLE_OR_SLOW && timer == DISARMED && arms > 0 -> arms-- }; goto self_post /* a deadline that has passed */
#endif
    fi;

notified: /* posted-interrupt processing */
    if
    :: d_step { DRAINED -> on = 0 }
    fi;
    d_step { virr = virr | (pir & WORD3); pir = pir & (31 - WORD3) };
#if DEVICE
    d_step { virr = virr | (pir & WORD1); pir = pir & (31 - WORD1) };
#endif
    d_step { virr = virr | (pir & WORD0); pir = pir & (31 - WORD0); DELIVER };
    goto non_root;

#if TIMERS
self_post: /* the exit fastpath */
    OWN_POST(VE8, true, NO_IRQS, OWN_RUNNING);
    goto re_enter;
#endif

#if DEVICE
leave_for_device:
    if
    :: d_step { ROOM -> PUSH(MODE_OUTSIDE) }
    fi;
    OWN_POST(V61, true, NO_IRQS, OWN_RUNNING);
    goto tail;
#endif

leave:
    if
    :: d_step { ROOM -> PUSH(MODE_OUTSIDE) }
    fi;

tail: /* and on */
    TAIL(again, inject);
inject:
    timer = DISARMED;
    OWN_POST(VE8, CALM, IRQS, OWN_RUNNING);
    goto again;

leave_to_halt: /* kvm_emulate_halt */
    if
    :: d_step { ROOM -> PUSH(MODE_OUTSIDE) }
    fi;
    SYNC(CALM, IRQS, tail_halted, tail);

tail_halted:
    TAIL(block, inject_halted);
inject_halted:
    timer = DISARMED;
    OWN_POST(VE8, CALM, IRQS, OWN_RUNNING);

block: /* vcpu_block */
    SYNC(CALM, IRQS, publish, tail);
publish: /* kvm_lapic_switch_to_sw_timer and prepare_to_rcuwait */
    do
    :: d_step { CALM && ROOM && timer != HV -> PUSH(TASK_WAITS) }; break
#if TIMERS
    :: d_step { CALM && ROOM && timer == HV -> timer = SW; PUSH(TASK_WAITS) }; break
    :: d_step { timer == HV -> timer = DISARMED };
        OWN_POST(VE8, CALM, IRQS, OWN_RUNNING)
#endif
    IRQS
    od;

set_state:
    STORE(STATE_INTERRUPTIBLE);
#ifndef NO_WAIT_BARRIER
    do
    :: CALM && DRAINED -> break
    IRQS
    od;
#endif
    SYNC(CALM, IRQS, check_unblock, finish);
check_unblock:
    do
    :: timer == EXPIRED -> goto finish
    :: CALM && timer != EXPIRED && (requests & UNBLOCK) == 0 -> goto schedule
    :: CALM && timer != EXPIRED && (requests & UNBLOCK) != 0;
        do
        :: d_step { CALM && DRAINED -> requests = requests & TLB_FLUSH }; goto finish
        IRQS
        od
    IRQS
    od;
schedule: /* interrupts go off with the exchange */
    do
    :: d_step { CALM && DRAINED && state == INTERRUPTIBLE -> state = ASLEEP }; goto look
    :: CALM && DRAINED && state != INTERRUPTIBLE -> goto set_state
    IRQS
    od;

look: /* do_idle */
    if
    :: state != ASLEEP -> goto set_state
    :: state == ASLEEP
    fi;
end_idle: /* nobody is current on this pCPU: the device's post goes through the rule for others, but for the IPI */
    if
    :: QUIET && state == ASLEEP && (pir | virr) != 0 -> assert(false) /* C2 */
    :: pending != 0;
        do
        :: CALM -> goto look
        OTHER_IRQS
        DEVICE_IRQ(OWN_TRIGGER)
        od
    :: d_step { timer == SW || TICK -> timer = EXPIRED; requests = requests | UNBLOCK };
        state = RUNNING;
        goto look
    fi;

finish: /* finish_rcuwait, kvm_lapic_switch_to_hv_timer */
    STORE(TASK_NONE);
    STORE(STATE_RUNNING);
#if TIMERS
    if
    :: timer != SW
    :: d_step { timer == SW -> timer = HV }
    :: d_step { timer == SW -> timer = DISARMED };
        OWN_POST(VE8, CALM, IRQS, OWN_RUNNING)
    fi;
#endif
    SYNC(CALM, IRQS, tail_halted, tail)
}

active proctype hardware()
{
end_:
    do
    :: d_step {
            buffer != 0;
            if
            :: (buffer & 7) == MODE_OUTSIDE -> mode = OUTSIDE
            :: (buffer & 7) == MODE_IN -> mode = IN_GUEST
            :: (buffer & 7) == TASK_NONE -> task = 0
            :: (buffer & 7) == TASK_WAITS -> task = 1
            :: (buffer & 7) == STATE_RUNNING -> state = RUNNING
            :: (buffer & 7) == STATE_INTERRUPTIBLE -> state = INTERRUPTIBLE
            fi;
            buffer = buffer >> 3
        }
    :: d_step { notifications != 0 -> notifications--; pending = pending | NOTIFY }
    :: d_step { reschedules != 0 -> reschedules--; pending = pending | RESCHED }
#if DEVICE
    :: d_step { device != 0 -> device = 0; pending = pending | DEV }
#endif
    od
}

#if FIRST
active proctype first()
{
    post(V34);
#if FIRST == 2
    post(VF6)
#elif FIRST == 3
    post(V34)
#endif
}
#endif

#if SECOND
active proctype second()
{
    post(V35)
}
#endif

#if KICKS
active proctype kicker()
{
    d_step { requests = requests | TLB_FLUSH; inside++ };
    kvm_vcpu_kick()
}
#endif
