"""From an interrupt for the guest to a bit in the PIR and a vCPU that will look: the sending side (fact 2.1)."""

from __future__ import annotations

from emu.cpu import kvm_get_running_vcpu
from emu.kvm_main import IN_GUEST_MODE, KVM_REQ_EVENT, OUTSIDE_GUEST_MODE, kvm_make_request, kvm_vcpu_kick
from emu.machine import MAX_PCPUS, Vcpu, config, smp_processor_id, this_pcpu
from emu.observe.accounting import (
    ACCEPTED,
    C8,
    IPIS_ELIDED,
    ON_ALREADY_SET,
    PIR_ALREADY_SET,
    POST_SEES_EXITING,
    POST_SEES_IN,
    POST_SEES_OUTSIDE,
    POSTS,
    SELF_POSTS,
    SELF_POSTS_ON_IN_GUEST,
    SELF_SEES_EXITING,
    SELF_SEES_IN,
    SELF_SEES_OUTSIDE,
)
from emu.observe.checkers import sighting
from emu.observe.ghost import TOLD_NOBODY, TOLD_SELF, begin_effects, count, end_effects, window
from emu.observe.tracepoints import trace_kvm_apicv_accept_irq
from emu.policies import ALWAYS_2021, ELIDE_SELF_2022, ORIG_2013, kick_2016, kvm_vcpu_trigger_posted_interrupt
from emu.posted_intr import pi_test_and_set_on, pi_test_and_set_pir
from emu.vectors import POSTED_INTR_VECTOR, SLOTS, slot_of, vector_of
from emu.waist import local_read, local_write, mark, peek


def vmx_deliver_posted_interrupt(vcpu: Vcpu, vector: int) -> int:
    """Post a vector; -1 if APICv is off on the vCPU. Who finds PIR or ON already set leaves it to the one before."""
    if local_read(vcpu.apicv_active) == 0:
        return -1
    if pi_test_and_set_pir(vector, vcpu.pi_desc) != 0:
        window(PIR_ALREADY_SET)
        return 0
    generation = peek(vcpu.pi_desc.software[0])
    on_was_set = pi_test_and_set_on(vcpu.pi_desc)
    if local_read(config().policy) == ORIG_2013:
        vmx_trigger_2013(vcpu, on_was_set)
    elif on_was_set == 0:
        before = begin_trigger(vcpu, generation)
        kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR)
        end_trigger(vcpu, before)
    note_accepted(vcpu, vector, on_was_set)
    return 0


def vmx_trigger_2013(vcpu: Vcpu, on_was_set: int) -> None:
    """a20ed54d6e47 (v3.10): always make KVM_REQ_EVENT; kick also when ON was set, for nobody else may have told."""
    kvm_make_request(KVM_REQ_EVENT, vcpu)
    if on_was_set == 0:
        kick_2016(vcpu, POSTED_INTR_VECTOR)
    else:
        kvm_vcpu_kick(vcpu)


def vmx_deliver_interrupt(vcpu: Vcpu, vector: int) -> None:
    """Deliver through the descriptor (``kvm_x86_deliver_interrupt``); APICv is never off in this machine."""
    if vmx_deliver_posted_interrupt(vcpu, vector) == 0:
        trace_kvm_apicv_accept_irq(vcpu, vector)


def __apic_accept_irq(vcpu: Vcpu, vector: int) -> int:
    """Accept a fixed, edge-triggered interrupt at the vCPU's APIC; 0 if the APIC is disabled."""
    if local_read(vcpu.apic.enabled) == 0:
        return 0
    vmx_deliver_interrupt(vcpu, vector)
    return 1


def kvm_apic_set_irq(vcpu: Vcpu, vector: int) -> int:
    """Accept an interrupt from outside the APIC: irqfd, IOAPIC, MSI, another vCPU's ICR."""
    return __apic_accept_irq(vcpu, vector)


def put_mail(vcpu: Vcpu, slot: int) -> None:
    """Write the next number into this sender's mailbox: what the interrupt is about. Comes before the post."""
    box = vcpu.mail[slot * MAX_PCPUS + smp_processor_id()]
    mark(box, peek(box) + 1)


def note_refused(vcpu: Vcpu, slot: int) -> None:
    """Note that the APIC refused the interrupt: who comes past reads the mail, but nobody has to (see lost_slot)."""
    box = slot * MAX_PCPUS + smp_processor_id()
    newest = peek(vcpu.mail[box])
    if peek(vcpu.refused[box]) != newest - 1:
        mark(vcpu.accepted_before[box], newest - 1)
    mark(vcpu.refused[box], newest)


def post(vcpu: Vcpu, slot: int) -> None:
    """Do what a sender outside KVM's run loop does: something to say, then the doorbell."""
    begin_effects()
    put_mail(vcpu, slot)
    count(POSTS)
    if kvm_apic_set_irq(vcpu, vector_of(slot)) == 0:
        note_refused(vcpu, slot)
    end_effects()


def note_accepted(vcpu: Vcpu, vector: int, on_was_set: int) -> None:
    """Count a PIR bit that this pCPU turned on, after the window between PIR and the notification."""
    word = this_pcpu().accepted[local_read(vcpu.id) * SLOTS + slot_of(vector)]
    mark(word, peek(word) + 1)
    count(ACCEPTED)
    if on_was_set != 0:
        window(ON_ALREADY_SET)


def begin_trigger(vcpu: Vcpu, generation: int) -> int:
    """Note what the rule under test finds, and that nobody has been told; give what :func:`end_trigger` wants.

    ``generation``: that of ON before it was turned on. If it is the same now, it is the one turned on; if not, C7 lets
    this post pass. Until the rule has told somebody its ON counts as untold, which nobody sees: this pCPU is inside.
    """
    word = this_pcpu().told
    before = local_read(word) * 2
    local_write(word, TOLD_NOBODY)
    mark(vcpu.untold[smp_processor_id()], generation + 1 if peek(vcpu.pi_desc.software[0]) == generation else 0)
    if vcpu == kvm_get_running_vcpu():
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
    """Count a post to the own vCPU; 1 if that is IN_GUEST_MODE, which is all that C8 asks of the mode."""
    count(SELF_POSTS)
    mode = peek(vcpu.mode)
    if mode == IN_GUEST_MODE:
        window(SELF_SEES_IN)
        return 1
    window(SELF_SEES_OUTSIDE if mode == OUTSIDE_GUEST_MODE else SELF_SEES_EXITING)
    return 0


def end_trigger(vcpu: Vcpu, before: int) -> None:
    """Judge what the rule did: for C7 whether anybody was told, for C8 what it did about the own vCPU."""
    cpu = this_pcpu()
    told = local_read(cpu.told)
    local_write(cpu.told, before >> 1)
    if told != TOLD_NOBODY:
        mark(vcpu.untold[smp_processor_id()], 0)
    if before & 1 != 0:
        judge_self_post(vcpu, told)


def judge_self_post(vcpu: Vcpu, told: int) -> None:
    """Hold a post to the own vCPU, found IN_GUEST_MODE, to what its policy promises about IPIs to self (C8).

    A kicker may turn IN_GUEST_MODE into EXITING under the rule's eyes: what it read then is not known, and such a
    post counts neither as elided nor as one that saw IN_GUEST_MODE.
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
