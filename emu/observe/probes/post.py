"""Probes of a post: the sender, the rule under test, and the IPI that it sends."""

from __future__ import annotations

from emu.kvm_host import IN_GUEST_MODE, OUTSIDE_GUEST_MODE
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, Vcpu, config, smp_processor_id, this_pcpu
from emu.observe.accounting import (
    ACCEPTED,
    C8,
    IPIS_ELIDED,
    IPIS_SENT,
    ON_ALREADY_SET,
    PIR_ALREADY_SET,
    POST_SEES_EXITING,
    POST_SEES_IN,
    POST_SEES_OUTSIDE,
    POSTS,
    SELF_IPIS_SENT,
    SELF_POSTS,
    SELF_POSTS_ON_IN_GUEST,
    SELF_SEES_EXITING,
    SELF_SEES_IN,
    SELF_SEES_OUTSIDE,
)
from emu.observe.ghost import (
    TOLD_NOBODY,
    TOLD_OTHER,
    TOLD_SELF,
    begin_effects,
    count,
    end_effects,
    note_refused,
    note_told,
    put_mail,
    window,
)
from emu.observe.sightings import sighting
from emu.vectors import POSTED_INTR_VECTOR, SLOTS, slot_of
from emu.waist import local_read, local_write, mark, peek


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
