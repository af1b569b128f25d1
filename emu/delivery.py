"""From an interrupt for the guest to a bit in the PIR and a vCPU that will look: the sending side (fact 2.1)."""

from __future__ import annotations

from emu.accounting import (
    ACCEPTED,
    IPIS_ELIDED,
    IPIS_SENT,
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
    WAKES,
)
from emu.cpu import kvm_get_running_vcpu
from emu.instruments import begin_effects, count, counted, end_effects, window
from emu.kvm_main import IN_GUEST_MODE, KVM_REQ_EVENT, OUTSIDE_GUEST_MODE, kvm_make_request, kvm_vcpu_kick
from emu.machine import MAX_PCPUS, Vcpu, config, smp_processor_id, this_pcpu
from emu.policies import ORIG_2013, kick_2016, kvm_vcpu_trigger_posted_interrupt
from emu.posted_intr import pi_test_and_set_on, pi_test_and_set_pir
from emu.vectors import POSTED_INTR_VECTOR, SLOTS, slot_of, vector_of
from emu.waist import local_read, mark, peek


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
        told = begin_trigger(vcpu)
        kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR)
        end_trigger(vcpu, told, generation)
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
    vmx_deliver_posted_interrupt(vcpu, vector)


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


def post(vcpu: Vcpu, slot: int) -> None:
    """Do what a sender outside KVM's run loop does: something to say, then the doorbell."""
    begin_effects()
    put_mail(vcpu, slot)
    count(POSTS)
    kvm_apic_set_irq(vcpu, vector_of(slot))
    end_effects()


def note_accepted(vcpu: Vcpu, vector: int, on_was_set: int) -> None:
    """Count a PIR bit that this pCPU turned on, after the window between PIR and the notification."""
    word = this_pcpu().accepted[local_read(vcpu.id) * SLOTS + slot_of(vector)]
    mark(word, peek(word) + 1)
    count(ACCEPTED)
    if on_was_set != 0:
        window(ON_ALREADY_SET)


def begin_trigger(vcpu: Vcpu) -> int:
    """Remember, before the rule under test acts, how many were told and what mode the vCPU is in."""
    return (counted(IPIS_SENT) + counted(WAKES)) * 4 + peek(vcpu.mode)


def end_trigger(vcpu: Vcpu, before: int, generation: int) -> None:
    """Count what the rule did: for C8 about the own vCPU, for C7 whether anybody was told.

    A kicker may turn IN_GUEST_MODE into EXITING under the rule's eyes: what it read then is not known, and such a
    post counts neither as elided nor as one that saw IN_GUEST_MODE.
    """
    mode = before & 3
    untold = (before >> 2) == counted(IPIS_SENT) + counted(WAKES)
    if untold:
        mark(vcpu.untold[smp_processor_id()], generation + 1)
    if vcpu == kvm_get_running_vcpu():
        count(SELF_POSTS)
        if mode == IN_GUEST_MODE:
            window(SELF_SEES_IN)
            if not untold:
                count(SELF_POSTS_ON_IN_GUEST)
            elif peek(vcpu.mode) == IN_GUEST_MODE:
                count(SELF_POSTS_ON_IN_GUEST)
                count(IPIS_ELIDED)
        elif mode == OUTSIDE_GUEST_MODE:
            window(SELF_SEES_OUTSIDE)
        else:
            window(SELF_SEES_EXITING)
    elif mode == IN_GUEST_MODE:
        window(POST_SEES_IN)
    elif mode == OUTSIDE_GUEST_MODE:
        window(POST_SEES_OUTSIDE)
    else:
        window(POST_SEES_EXITING)
