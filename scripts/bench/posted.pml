/* Posted-interrupt delivery as emu/ has it, for SPIN: the peer that `scripts/bench/run spin` measures against.
 *
 * One vCPU with its timer and a guest that exits, halts and arms its timer; senders on other pCPUs; a device interrupt on
 * the vCPU's own pCPU; a kick. The vCPU's plain stores to what others read wait in a FIFO store buffer (x86-TSO); IPIs are
 * a bag, arrival a step of its own. A step is one shared operation and the private work behind it, as in the explorer.
 * Loads and fences that cannot matter (a fence behind a locked operation) are left out.
 *
 * It holds the checks that the explorer holds: C1 to C5 and C7 to C10. What an instrument writes belongs to the step of
 * the operation before it, as there; what one looks at is an option that is open only if the check fires.
 *
 * Written to be small: bit fields, no channel, no subroutine's return address, a store buffer of three bits an entry.
 *
 * POLICY    0 kick-2016, 1 skip-running-2020, 2 always-2021, 3 elide-self-2022
 * DEPTH     entries of the store buffer, 1 to 5
 * FIRST     the first sender posts nothing, 0x34, 0x34 and 0xf6, 0x34 twice: 0 to 3
 * SECOND    the second sender posts 0x35: 0 or 1
 * DEVICE, KICKS, TIMERS   how many device interrupts, kicks, timers armed: 0 or 1, 0 or 1, 0 to 3
 * SLOW_HANDLERS   1: the guest's handlers put their EOI off for as long as they like
 * ONLY   the number of the one check that is held; 0: all
 * NO_ENTRY_BARRIER NO_WAIT_BARRIER NO_ENTRY_SYNC NO_FASTPATH_SYNC EARLY_RETURN RVI_NOT_WRITTEN SELF_IPI_NOT_ELIDED
 * PIR_SET_PLAINLY PIR_HARVESTED_PLAINLY   mutations of emu/mutations/; the last of the guest's word 0 alone, and in
 *           both the store goes straight to memory
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
#ifndef ONLY
#define ONLY 0
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
unsigned device : 2 = 2 * DEVICE; /* to be sent, in flight, arrived: 2 to 0 */

/* --- instruments --------------------------------------------------------------------------------------------------- */

unsigned inside : 2; /* senders between their first effect and their last */
unsigned acting : 3 = (FIRST != 0) + SECOND + DEVICE + KICKS; /* who has not said that it starts nothing more */
unsigned untold : 3; /* who turned ON on in its present generation and has told nobody, yet or at all */
unsigned unread : 5; /* vectors with a mailbox that the guest has not read to the end: each has one sender */
unsigned owed : 10; /* two bits a vector: accepted - delivered - merged */

#define ALICE 1
#define BOB 2
#define MYSELF 4
#define UNTOLD(who) untold = untold | who
#define TOLD(who) untold = untold & (7 - who)
#define RENEW untold = 0

/* The square of a vector's bit is one in its two bits of the books. They wrap: one's delivery may come before its
 * sender's entry. */
#define SPREAD(set) ((set & 1) + 2 * (set & 2) + 4 * (set & 4) + 8 * (set & 8) + 16 * (set & 16))
#define ACCEPTED(vector) owed = (owed + vector * vector) & 1023
#define CLOSED(set) owed = (owed - SPREAD(set)) & 1023

/* The first effect comes in one step with what makes the checks look away, and with the mail; `last`: 1 if the sender
 * starts nothing after its last effect, which says so in the same step, else 0. */
#define BEGIN_EFFECTS(vector) inside++; unread = unread | vector
#define END_EFFECTS(last) inside--; acting = acting - last

/* What a sleep is judged by, and the housekeeping tick that wakes a guest whose sleep was sound. */
#define QUIET (inside == 0 && pending == 0 && notifications == 0 && reschedules == 0 && device != 1)
#define BROKEN (on != 0 && untold != 0)
#define TICK (QUIET && state == ASLEEP && (pir | virr) == 0 && !BROKEN)

#if !ONLY || ONLY == 1
#define C1(when) :: when -> assert(1 == 0)
#else
#define C1(when)
#endif
#if !ONLY || ONLY == 2
#define C2(when) :: when -> assert(2 == 0)
#else
#define C2(when)
#endif
#if !ONLY || ONLY == 3
#define C3(when) :: when -> assert(3 == 0)
#else
#define C3(when)
#endif
#if !ONLY || ONLY == 4
#define C4(when) :: when -> assert(4 == 0)
#else
#define C4(when)
#endif
#if !ONLY || ONLY == 5
#define C5(when) :: when -> assert(5 == 0)
#else
#define C5(when)
#endif
#if !ONLY || ONLY == 7
#define C7(when) :: when -> assert(7 == 0)
#else
#define C7(when)
#endif
#if POLICY == 3 && (!ONLY || ONLY == 8) /* always-2021 has no way to elide here */
#define C8_SENT_TO_SELF assert(8 == 0)
#else
#define C8_SENT_TO_SELF skip
#endif
#if !ONLY || ONLY == 9
#define C9(when) :: when -> assert(9 == 0)
#else
#define C9(when)
#endif
#if !ONLY || ONLY == 10
#define C10(when) :: when -> assert(10 == 0)
#else
#define C10(when)
#endif

/* --- what others do ----------------------------------------------------------------------------------------------- */

/* `vector`, `who`, `last`: of the post that comes to its end here; 0 the first two for a mere kick. */
#define END_TOLD(vector, who, last) TOLD(who); ACCEPTED(vector); END_EFFECTS(last)
#define END_UNTOLD(vector, who, last) ACCEPTED(vector); END_EFFECTS(last)

inline send_reschedule(vector, who, last)
{
    d_step { reschedules++; END_TOLD(vector, who, last) }
}

inline kick_mode(vector, who, last) /* kvm_vcpu_exiting_guest_mode: one kicker wins and owes the IPI */
{
    if
    :: d_step { mode == IN_GUEST -> mode = EXITING };
        send_reschedule(vector, who, last)
    :: d_step { mode != IN_GUEST -> END_UNTOLD(vector, who, last) }
    fi
}

inline kvm_vcpu_wake_up(vector, who, last)
{
    if
    :: d_step { task == 0 -> END_UNTOLD(vector, who, last) }
    :: task != 0;
        if
        :: d_step { state == ASLEEP -> state = RUNNING };
            send_reschedule(vector, who, last)
        :: d_step { state == INTERRUPTIBLE -> state = RUNNING; END_TOLD(vector, who, last) }
        :: d_step { state == RUNNING -> END_UNTOLD(vector, who, last) }
        fi
    fi
}

inline kvm_vcpu_kick(vector, who, last)
{
    if
    :: task == 0;
        kick_mode(vector, who, last)
    :: task != 0;
        if
        :: d_step { state == ASLEEP -> state = RUNNING };
            send_reschedule(vector, who, last)
        :: d_step { state == INTERRUPTIBLE -> state = RUNNING; END_TOLD(vector, who, last) }
        :: state == RUNNING;
            kick_mode(vector, who, last)
        fi
    fi
}

#ifdef PIR_SET_PLAINLY
#define WORD_OF(vector) (vector <= WORD0 -> WORD0 : WORD3)
#define SET_PIR(vector, who, last) \
    d_step { BEGIN_EFFECTS(vector); word = pir & WORD_OF(vector) }; \
    if \
    :: d_step { (word & vector) != 0 -> pir = (pir & (31 - WORD_OF(vector))) | word; END_EFFECTS(last) } \
    :: d_step { (word & vector) == 0 -> pir = (pir & (31 - WORD_OF(vector))) | word | vector };
#else
#define SET_PIR(vector, who, last) \
    if \
    :: d_step { (pir & vector) != 0 -> BEGIN_EFFECTS(vector); END_EFFECTS(last) } \
    :: d_step { (pir & vector) == 0 -> BEGIN_EFFECTS(vector); pir = pir | vector };
#endif

inline post(vector, who, last)
{
    SET_PIR(vector, who, last)
        if
        :: d_step { on != 0 -> ACCEPTED(vector); END_EFFECTS(last) }
        :: d_step { on == 0 -> on = 1; UNTOLD(who) };
            if
            :: mode == IN_GUEST;
                d_step { notifications++; END_TOLD(vector, who, last) }
            :: mode != IN_GUEST;
#if POLICY <= 1
                kvm_vcpu_kick(vector, who, last)
#else
                kvm_vcpu_wake_up(vector, who, last)
#endif
            fi
        fi
    fi
}

/* --- the vCPU's pCPU ----------------------------------------------------------------------------------------------- */

/* Post to the own vCPU. `free`: what must hold for the next operation; `irqs`: what may come before it instead. Nobody
 * reads the mailbox before the PIR bit is set: the guest does not run. */
#define OWN_END_TOLD(vector, who) TOLD(who); ACCEPTED(vector)
#define OWN_END_UNTOLD(vector, who) ACCEPTED(vector)

#if POLICY == 0 || POLICY == 2 || defined(SELF_IPI_NOT_ELIDED)
#define OWN_IN_GUEST(vector, who) \
    :: d_step { mode == IN_GUEST -> skip }; \
        d_step { DRAINED -> C8_SENT_TO_SELF; notifications++; OWN_END_TOLD(vector, who) }; \
        break
#else
#define OWN_IN_GUEST(vector, who) :: d_step { mode == IN_GUEST -> OWN_END_UNTOLD(vector, who) }; break
#endif

#define OWN_WAKE(vector, who, free, irqs) \
    do \
    :: d_step { free && task == 0 -> OWN_END_UNTOLD(vector, who) }; break \
    :: free && task != 0; \
        do \
        :: d_step { free && state != RUNNING -> state = RUNNING; OWN_END_TOLD(vector, who) }; break \
        :: d_step { free && state == RUNNING -> OWN_END_UNTOLD(vector, who) }; break \
        irqs \
        od; \
        break \
    irqs \
    od

#define OWN_TRIGGER(vector, who, free, irqs) \
    do \
    OWN_IN_GUEST(vector, who) \
    :: free && mode != IN_GUEST; \
        OWN_WAKE(vector, who, free, irqs); \
        break \
    irqs \
    od

#if POLICY == 1
#define OWN_RUNNING(vector, who, free, irqs) d_step { OWN_END_UNTOLD(vector, who) }
#else
#define OWN_RUNNING(vector, who, free, irqs) OWN_TRIGGER(vector, who, free, irqs)
#endif

#define OWN_POST(vector, who, free, irqs, trigger) \
    do \
    :: d_step { free && DRAINED && (pir & vector) != 0 -> unread = unread | vector }; break \
    :: d_step { \
            free && DRAINED && (pir & vector) == 0 -> \
            pir = pir | vector; \
            unread = unread | vector \
        }; \
        do \
        :: d_step { free && on != 0 -> ACCEPTED(vector) }; break \
        :: d_step { free && on == 0 -> on = 1; UNTOLD(who) }; \
            trigger(vector, who, free, irqs); \
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
#define DEVICE_IRQ(who, trigger) \
    :: d_step { pending == DEV -> pending = 0 }; \
        OWN_POST(V61, who, true, NO_IRQS, trigger)
#else
#define DEVICE_IRQ(who, trigger)
#endif
#define IRQS OTHER_IRQS DEVICE_IRQ(MYSELF, OWN_RUNNING)

#define STORE(store) \
    do \
    :: d_step { CALM && ROOM -> PUSH(store) }; break \
    IRQS \
    od

#define HIGHEST(set) \
    (set >= VF6 -> VF6 : (set >= VE8 -> VE8 : (set >= V61 -> V61 : (set >= V35 -> V35 : set))))
#ifdef RVI_NOT_WRITTEN
#define SET_RVI skip
#else
#define SET_RVI rvi = HIGHEST(virr)
#endif
#ifdef EARLY_RETURN
#define NOTHING_POSTED(free, none, some) :: d_step { free && words == 0 && (pir & WORD3) == 0 -> rvi = 0 }; goto none
#else
#define NOTHING_POSTED(free, none, some) \
    :: d_step { free && words == 0 && (pir & WORD3) == 0 && virr == 0 -> SET_RVI }; goto none \
    :: d_step { free && words == 0 && (pir & WORD3) == 0 && virr != 0 -> SET_RVI }; goto some
#endif

#define RAISE(word) rvi = (HIGHEST((pir & word)) > rvi -> HIGHEST((pir & word)) : rvi)
#define MERGE(word) CLOSED((virr & pir & word)); virr = virr | (pir & word)
#define TAKE(word) MERGE(word); pir = pir & (31 - word)
#define HARVEST(word, bit) TAKE(word); words = words & (7 - bit)
#ifdef PIR_HARVESTED_PLAINLY
#define HARVEST_WORD0(free, some) \
    :: d_step { free && (words & 1) != 0 && !merged -> MERGE(WORD0); merged = 1 } \
    :: d_step { free && merged && words != 1 -> pir = pir & (31 - WORD0); words = words & 6; merged = 0 } \
    :: d_step { free && merged && words == 1 -> pir = pir & (31 - WORD0); words = 0; merged = 0; SET_RVI }; goto some
#else
#define HARVEST_WORD0(free, some) \
    :: d_step { free && (words & 1) != 0 && words != 1 -> HARVEST(WORD0, 1) } \
    :: d_step { free && words == 1 -> HARVEST(WORD0, 1); SET_RVI }; goto some
#endif

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
    :: d_step { free && on == 0 && virr == 0 -> SET_RVI }; goto none \
    :: d_step { free && on == 0 && virr != 0 -> SET_RVI }; goto some \
    :: d_step { free && on != 0 -> RENEW }; break \
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
    NOTHING_POSTED(free, none, some) \
    :: d_step { free && (words != 0 || (pir & WORD3) != 0) -> words = words | ((pir & WORD3) != 0 -> 4 : 0) }; break \
    irqs \
    od; \
    do \
    HARVEST_WORD0(free, some) \
    :: d_step { free && words == 6 -> HARVEST(WORD1, 2) } \
    :: d_step { free && words == 2 -> HARVEST(WORD1, 2); SET_RVI }; goto some \
    :: d_step { free && words == 4 -> HARVEST(WORD3, 4); SET_RVI }; goto some \
    irqs \
    od

/* Virtual-interrupt delivery: the vector that RVI names, if its class is above that of all in service. The handler
 * reads its mailboxes at once. */
#define HANDLE(vector) \
    virr = virr & (31 - vector); \
    visr = visr | vector; \
    rvi = HIGHEST(virr); \
    unread = unread & (31 - vector); \
    CLOSED(vector)
#define DELIVER \
    if \
    :: rvi == VF6 && visr < VF6 -> HANDLE(VF6) \
    :: rvi == VE8 && visr < VE8 -> HANDLE(VE8) \
    :: rvi == V61 && visr < V61 -> HANDLE(V61) \
    :: rvi == V35 && visr == 0 -> HANDLE(V35) \
    :: rvi == V34 && visr == 0 -> HANDLE(V34) \
    :: else \
    fi

/* When the guest's program goes on, which a look comes before. */
#define LOOK (CALM && (visr == 0 || SLOW_HANDLERS))

#define EOI \
    visr = (visr >= VF6 -> visr - VF6 : (visr >= VE8 -> visr - VE8 : (visr >= V61 -> visr - V61 : 0)))

/* kvm_vcpu_exit_request behind a sync, then non-root mode or `leave`. The newest store to the mode is IN_GUEST. */
#define CHECK_REQUESTS(leave) \
    if \
    :: MODE_WAITS || mode != EXITING \
    :: !MODE_WAITS && mode == EXITING -> goto leave \
    fi; \
    if \
    C3(requests == 0 && rvi != HIGHEST(virr)) \
    C7(requests == 0 && QUIET && BROKEN) \
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

/* The run is over, and all are silent. */
#define THE_END (over && acting == 0 && LOOK && visr == 0 && QUIET && DRAINED)

active proctype vcpu()
{
    unsigned words : 3;
    unsigned timer : 2;
    unsigned arms : 2 = TIMERS;
    unsigned virr : 5;
    unsigned visr : 5;
    unsigned rvi : 5;
    unsigned over : 1; /* the run is: the guest waits for the others' last effects, and ends */
#ifdef PIR_HARVESTED_PLAINLY
    unsigned merged : 1;
#endif
    unsigned spare : 8; /* SPIN masks what it takes for padding, and forgets that gcc lets no field straddle words */

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
    C1(LOOK && QUIET && (pir != 0 || rvi != HIGHEST(virr)))
    C4(LOOK && inside == 0 && pir != 0 && on == 0)
    C5(LOOK && inside == 0 && owed != ((SPREAD(pir) + SPREAD(virr)) & 1023))
    C5(LOOK && inside == 0 && (unread & (31 - (pir | virr))) != 0)
    C9(LOOK && QUIET && (requests & TLB_FLUSH) != 0)
    C10(THE_END && unread != 0)
    :: d_step { pending >= RESCHED -> pending = pending & (DEV | NOTIFY) }; goto leave
    :: d_step { (pending & (RESCHED | NOTIFY)) == NOTIFY -> pending = pending & DEV; RENEW }; goto notified
#if DEVICE
    :: d_step { pending == DEV -> pending = 0 }; goto leave_for_device
#endif
    :: LOOK && !over -> goto leave /* CPUID */
    :: LOOK && !over && visr == 0 -> goto leave_to_halt
    :: d_step { LOOK && !over && acting == 0 -> over = 1 }; goto non_root
    :: THE_END -> goto ended
    :: d_step { CALM && visr != 0 -> EOI; DELIVER }; goto non_root
#if TIMERS
    :: d_step { CALM && timer == HV -> timer = DISARMED }; goto self_post
    :: d_step { LOOK && !over && timer == DISARMED && arms > 0 -> arms--; timer = HV }; goto re_enter
    :: d_step { LOOK && !over && timer == DISARMED && arms > 0 -> arms-- }; goto self_post /* one that has passed */
#endif
    fi;

notified: /* posted-interrupt processing */
    if
    :: d_step { DRAINED -> on = 0 }
    fi;
    d_step { RAISE(WORD3); TAKE(WORD3) };
#if DEVICE
    d_step { RAISE(WORD1); TAKE(WORD1) };
#endif
#ifdef PIR_HARVESTED_PLAINLY
    d_step { RAISE(WORD0); MERGE(WORD0) };
    d_step { pir = pir & (31 - WORD0); DELIVER };
#else
    d_step { RAISE(WORD0); TAKE(WORD0); DELIVER };
#endif
    goto non_root;

#if TIMERS
self_post: /* the exit fastpath */
    OWN_POST(VE8, MYSELF, true, NO_IRQS, OWN_RUNNING);
    goto re_enter;
#endif

#if DEVICE
leave_for_device:
    if
    :: d_step { ROOM -> PUSH(MODE_OUTSIDE) }
    fi;
    OWN_POST(V61, MYSELF, true, NO_IRQS, OWN_RUNNING);
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
    OWN_POST(VE8, MYSELF, CALM, IRQS, OWN_RUNNING);
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
    OWN_POST(VE8, MYSELF, CALM, IRQS, OWN_RUNNING);

block: /* vcpu_block */
    SYNC(CALM, IRQS, publish, tail);
publish: /* kvm_lapic_switch_to_sw_timer and prepare_to_rcuwait */
    do
    :: d_step { CALM && ROOM && timer != HV -> PUSH(TASK_WAITS) }; break
#if TIMERS
    :: d_step { CALM && ROOM && timer == HV -> timer = SW; PUSH(TASK_WAITS) }; break
    :: d_step { timer == HV -> timer = DISARMED };
        OWN_POST(VE8, MYSELF, CALM, IRQS, OWN_RUNNING)
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
    C2(QUIET && state == ASLEEP && (pir | virr) != 0)
    C7(QUIET && state == ASLEEP && BROKEN)
    :: pending != 0;
        do
        :: CALM -> goto look
        OTHER_IRQS
        DEVICE_IRQ(MYSELF, OWN_TRIGGER)
        od
    :: d_step { timer == SW || TICK -> timer = EXPIRED; requests = requests | UNBLOCK };
        state = RUNNING;
        goto look
    :: d_step { TICK && !over && acting == 0 -> over = 1 }; goto look
    fi;

finish: /* finish_rcuwait, kvm_lapic_switch_to_hv_timer */
    STORE(TASK_NONE);
    STORE(STATE_RUNNING);
#if TIMERS
    if
    :: timer != SW
    :: d_step { timer == SW -> timer = HV }
    :: d_step { timer == SW -> timer = DISARMED };
        OWN_POST(VE8, MYSELF, CALM, IRQS, OWN_RUNNING)
    fi;
#endif
    SYNC(CALM, IRQS, tail_halted, tail);

ended:
    if
    :: d_step { ROOM -> PUSH(MODE_OUTSIDE) }
    fi
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
    :: d_step { device == 2 -> device = 1; acting-- }
    :: d_step { device == 1 -> device = 0; pending = pending | DEV }
#endif
    od
}

#if FIRST
active proctype first()
{
#ifdef PIR_SET_PLAINLY
    unsigned word : 5;
#endif

#if FIRST == 1
    post(V34, ALICE, 1)
#elif FIRST == 2
    post(V34, ALICE, 0);
    post(VF6, ALICE, 1)
#elif FIRST == 3
    post(V34, ALICE, 0);
    post(V34, ALICE, 1)
#endif
}
#endif

#if SECOND
active proctype second()
{
#ifdef PIR_SET_PLAINLY
    unsigned word : 5;
#endif

    post(V35, BOB, 1)
}
#endif

#if KICKS
active proctype kicker()
{
    d_step { requests = requests | TLB_FLUSH; inside++ };
    kvm_vcpu_kick(0, 0, 1)
}
#endif
