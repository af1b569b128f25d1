"""Probes: one line of a function of the machine, where the kernel has a trace point, that says what it has just done.

Each keeps the ghost words of :mod:`emu.observe.ghost` and, where one is due, asks a checker. Like the kernel's trace
points they change nothing that the machine reads. What a probe returns is for a later probe of the same function.
"""

from __future__ import annotations

from emu.kvm_host import EXITING_GUEST_MODE, IN_GUEST_MODE, OUTSIDE_GUEST_MODE, TASK_INTERRUPTIBLE
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, Vcpu, config, smp_processor_id, this_pcpu
from emu.observe.accounting import (
    ACCEPTED,
    C8,
    DELIVERIES,
    DEVICE_IRQS,
    IPIS_ELIDED,
    IPIS_SENT,
    IPIS_TAKEN,
    IRQ_BEFORE_SLEEP,
    KICK_BEFORE_ENTRY,
    KICK_ENDS_STAY,
    KICK_LOSES,
    KICKS,
    NOTIFICATIONS_IN_GUEST,
    NOTIFICATIONS_SPURIOUS,
    NOTIFIED_AFTER_SYNC,
    NOTIFIED_IN_GUEST,
    NOTIFIED_IN_ROOT,
    ON_ALREADY_SET,
    PIR_ALREADY_SET,
    POST_SEES_EXITING,
    POST_SEES_IN,
    POST_SEES_OUTSIDE,
    POSTS,
    REQUESTS,
    SELF_AND_REMOTE_SYNC,
    SELF_IPIS_SENT,
    SELF_POSTS,
    SELF_POSTS_ON_IN_GUEST,
    SELF_SEES_EXITING,
    SELF_SEES_IN,
    SELF_SEES_OUTSIDE,
    STRAY_INTERRUPTS,
    SYNC_FINDS_ON,
    SYNC_FINDS_ON_ONLY,
    SYNCS,
    VM_ENTRIES,
    VM_EXITS,
    WAKE_BEFORE_SLEEP,
    WAKE_FINDS_WAITER,
    WAKES,
)
from emu.observe.checkers import check_sleep, check_vm_entry, sighting
from emu.observe.ghost import (
    TOLD_NOBODY,
    TOLD_OTHER,
    TOLD_SELF,
    begin_effects,
    count,
    end_effects,
    note_merged,
    note_refused,
    note_told,
    put_mail,
    window,
)
from emu.vectors import POSTED_INTR_VECTOR, RESCHEDULE_VECTOR, SLOT_TIMER, SLOTS, slot_of, vector_of
from emu.waist import BIT, apic_pending, ipis_in_flight, local_read, local_write, mark, peek

# --- a post: the sender --------------------------------------------------------------------------------------------


def probe_effects_begin() -> None:
    """A delivery, wake or kick begins: this pCPU's effects on others are not complete from here on. Nests."""
    begin_effects()


def probe_effects_end() -> None:
    """Its last effect is done."""
    end_effects()


def probe_post_begin(vcpu: Vcpu, vector: int) -> None:
    """A sender is about to post a vector: its effects begin, and its mailbox says what the interrupt is about."""
    begin_effects()
    put_mail(vcpu, slot_of(vector))
    count(POSTS)


def probe_post_end(vcpu: Vcpu, vector: int, accepted: int) -> None:
    """The post is done; ``accepted`` is 0 if the APIC refused the interrupt."""
    if accepted == 0:
        note_refused(vcpu, slot_of(vector))
    end_effects()


def probe_pir_was_set() -> None:
    """A sender leaves its interrupt to the one that set the PIR bit before."""
    window(PIR_ALREADY_SET)


def probe_before_on(vcpu: Vcpu) -> int:
    """A sender is about to set ON; return the generation of ON, for :func:`probe_trigger_begin`."""
    return peek(vcpu.pi_desc.software[0])


def probe_trigger_begin(vcpu: Vcpu, generation: int) -> int:
    """A sender has set ON and asks the rule under test to notify; return what :func:`probe_trigger_end` needs.

    ``generation`` is that of ON before it was set. If it is the same now, it is the one that was set; if not, C7 lets
    this post pass. Until the rule has notified somebody the post counts as not notified, which no checker sees: this
    pCPU is inside.
    """
    word = this_pcpu().told
    before = local_read(word) * 2
    local_write(word, TOLD_NOBODY)
    mark(vcpu.untold[smp_processor_id()], generation + 1 if peek(vcpu.pi_desc.software[0]) == generation else 0)
    if vcpu.at == local_read(this_pcpu().irq.running_vcpu):
        return before + note_self_post(vcpu)
    mode = peek(vcpu.mode)
    if mode == IN_GUEST_MODE:
        window(POST_SEES_IN)
    elif mode == OUTSIDE_GUEST_MODE:
        window(POST_SEES_OUTSIDE)
    else:
        window(POST_SEES_EXITING)
    return before


def note_self_post(vcpu: Vcpu) -> int:
    """Count a post to the vCPU that runs here; return 1 if it is IN_GUEST_MODE, which is what C8 asks of the mode."""
    count(SELF_POSTS)
    mode = peek(vcpu.mode)
    if mode == IN_GUEST_MODE:
        window(SELF_SEES_IN)
        return 1
    window(SELF_SEES_OUTSIDE if mode == OUTSIDE_GUEST_MODE else SELF_SEES_EXITING)
    return 0


def probe_trigger_end(vcpu: Vcpu, before: int) -> None:
    """The rule is done: for C7 note whether it notified anybody, for C8 what it did about the vCPU that runs here."""
    cpu = this_pcpu()
    told = local_read(cpu.told)
    local_write(cpu.told, before >> 1)
    if told != TOLD_NOBODY:
        mark(vcpu.untold[smp_processor_id()], 0)
    if before & 1 != 0:
        judge_self_post(vcpu, told)


def judge_self_post(vcpu: Vcpu, told: int) -> None:
    """C8: a post to the vCPU that runs here, found IN_GUEST_MODE, sends itself the IPIs that its policy promises.

    A kicker may turn IN_GUEST_MODE into EXITING while the rule works: what it read then is not known, and such a post
    counts neither as elided nor as one that saw IN_GUEST_MODE.
    """
    policy = local_read(config().policy)
    if told != TOLD_NOBODY:
        count(SELF_POSTS_ON_IN_GUEST)
        if told == TOLD_SELF and policy == ELIDE_SELF_2022:
            sighting(vcpu, C8, -1)
    elif peek(vcpu.mode) == IN_GUEST_MODE:
        count(SELF_POSTS_ON_IN_GUEST)
        count(IPIS_ELIDED)
        if policy == ALWAYS_2021:
            sighting(vcpu, C8, -1)


def probe_accepted(vcpu: Vcpu, vector: int, on_was_set: int) -> None:
    """This pCPU has turned a PIR bit on. Counted behind the window between PIR and the notification."""
    word = this_pcpu().accepted[local_read(vcpu.id) * SLOTS + slot_of(vector)]
    mark(word, peek(word) + 1)
    count(ACCEPTED)
    if on_was_set != 0:
        window(ON_ALREADY_SET)


def probe_ipi_sent(cpu: int, vector: int) -> None:
    """An IPI is about to leave; it may be the notification of a rule at work."""
    count(IPIS_SENT)
    if vector == POSTED_INTR_VECTOR and cpu == smp_processor_id():
        count(SELF_IPIS_SENT)
        note_told(TOLD_SELF)
    else:
        note_told(TOLD_OTHER)


# --- wake-ups, kicks and requests ----------------------------------------------------------------------------------


def probe_waiter_found() -> None:
    """A waker found a task in the wait record."""
    window(WAKE_FINDS_WAITER)


def probe_waking(state: int) -> None:
    """A waker made a task runnable that was in a state: TASK_INTERRUPTIBLE was still on its way to sleep."""
    if state == TASK_INTERRUPTIBLE:
        window(WAKE_BEFORE_SLEEP)


def probe_woken() -> None:
    """A vCPU that blocked was woken; that may be what a rule at work did."""
    count(WAKES)
    note_told(TOLD_OTHER)


def probe_kick() -> None:
    """A kick found nobody to wake."""
    count(KICKS)


def probe_kick_found(mode: int) -> None:
    """A kicker found a mode: EXITING_GUEST_MODE if another kicker came first."""
    if mode == EXITING_GUEST_MODE:
        window(KICK_LOSES)


def probe_request_taken() -> None:
    """A vCPU has taken a request."""
    count(REQUESTS)


# --- the vCPU's own look at its PIR --------------------------------------------------------------------------------


def probe_sync() -> None:
    """A sync begins."""
    count(SYNCS)


def probe_before_on_cleared(vcpu: Vcpu) -> None:
    """ON is about to be cleared, which ends a generation of it: C7 asks which post a set ON belongs to."""
    word = vcpu.pi_desc.software[0]
    mark(word, peek(word) + 1)


def probe_pir_read(word0: int, word1: int, word2: int, word3: int) -> None:
    """A sync that found ON has read the PIR."""
    window(SYNC_FINDS_ON)
    if word0 | word1 | word2 == 0:
        if word3 == 0:
            window(SYNC_FINDS_ON_ONLY)
    elif word3 & BIT(vector_of(SLOT_TIMER) & 63) != 0:
        window(SELF_AND_REMOTE_SYNC)


def probe_merge(vcpu: Vcpu, i: int, bits: int) -> None:
    """Bits of a PIR word are set in the vIRR already: two posts become one delivery (C5)."""
    if bits != 0:
        note_merged(vcpu, i, bits)


# --- the processor -------------------------------------------------------------------------------------------------


def probe_vm_entry(vcpu: Vcpu) -> None:
    """VM-entry: count what came behind the last sync, and check C3 and C7."""
    count(VM_ENTRIES)
    if peek(vcpu.mode) == EXITING_GUEST_MODE:
        window(KICK_BEFORE_ENTRY)
    if apic_pending() != 0 or ipis_in_flight() != 0:
        window(NOTIFIED_AFTER_SYNC)
    check_vm_entry(vcpu)


def probe_vm_exit() -> None:
    """A VM-exit; its reason is in the VMCS."""
    count(VM_EXITS)


def probe_delivered() -> None:
    """A virtual interrupt is delivered to the guest."""
    count(DELIVERIES)


def probe_processing() -> None:
    """The processor begins, or ends, with an external interrupt in non-root mode: the mark is odd in between."""
    word = this_pcpu().irq.processing
    mark(word, peek(word) + 1)


def probe_interrupt_acked() -> None:
    """The local APIC has given a vector up."""
    count(IPIS_TAKEN)


def probe_notified_in_guest(bits: int) -> None:
    """Posted-interrupt processing is done; ``bits`` is 0 if it found no PIR bit."""
    window(NOTIFIED_IN_GUEST)
    count(NOTIFICATIONS_IN_GUEST)
    if bits == 0:
        count(NOTIFICATIONS_SPURIOUS)


# --- interrupts in root mode, and blocking --------------------------------------------------------------------------


def probe_notified_in_root() -> None:
    """A notification has missed non-root mode."""
    window(NOTIFIED_IN_ROOT)
    count(NOTIFICATIONS_SPURIOUS)


def probe_stray_interrupt() -> None:
    """A vector was taken that has no handler."""
    count(STRAY_INTERRUPTS)


def probe_device_irq() -> None:
    """A device's interrupt is taken, at times between a vCPU's last look at its PIR and its sleep."""
    count(DEVICE_IRQS)
    if local_read(this_pcpu().between_check_and_sleep) != 0:
        window(IRQ_BEFORE_SLEEP)


def probe_stay_ended(vector: int) -> None:
    """An external interrupt has ended a stay in non-root mode."""
    if vector == RESCHEDULE_VECTOR:
        window(KICK_ENDS_STAY)


def probe_events_checked() -> None:
    """A vCPU that is about to block has looked at its PIR; what is posted from here on has to wake it."""
    local_write(this_pcpu().between_check_and_sleep, 1)


def probe_block_decided() -> None:
    """It sleeps, or it does not block."""
    local_write(this_pcpu().between_check_and_sleep, 0)


def probe_asleep(vcpu: Vcpu) -> int:
    """C2 and C7 about a vCPU that sleeps; return 1 if its sleep is judged to be sound."""
    return check_sleep(vcpu)
