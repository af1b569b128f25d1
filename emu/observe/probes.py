"""Probes: what the machine's functions say of themselves, one line each, where the kernel would have a trace point."""

from __future__ import annotations

from emu.cpu import kvm_get_running_vcpu
from emu.kvm_host import IN_GUEST_MODE, OUTSIDE_GUEST_MODE
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, Vcpu, config, smp_processor_id, this_pcpu
from emu.observe.accounting import (
    ACCEPTED,
    C8,
    IPIS_ELIDED,
    ON_ALREADY_SET,
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
from emu.observe.ghost import TOLD_NOBODY, TOLD_SELF, begin_effects, count, end_effects, note_refused, put_mail, window
from emu.vectors import SLOTS, slot_of
from emu.waist import local_read, local_write, mark, peek


def probe_post_begin(vcpu: Vcpu, vector: int) -> None:
    """A sender is about to post a vector: it has something to say, and its effects begin."""
    begin_effects()
    put_mail(vcpu, slot_of(vector))
    count(POSTS)


def probe_post_end(vcpu: Vcpu, vector: int, accepted: int) -> None:
    """The post is done; ``accepted``: 0 if the APIC refused the interrupt."""
    if accepted == 0:
        note_refused(vcpu, slot_of(vector))
    end_effects()


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


def note_accepted(vcpu: Vcpu, vector: int, on_was_set: int) -> None:
    """Count a PIR bit that this pCPU turned on, after the window between PIR and the notification."""
    word = this_pcpu().accepted[local_read(vcpu.id) * SLOTS + slot_of(vector)]
    mark(word, peek(word) + 1)
    count(ACCEPTED)
    if on_was_set != 0:
        window(ON_ALREADY_SET)
