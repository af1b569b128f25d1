"""Instruments that attach to operations, calls and functions, by the table :mod:`emu.observe.attach`.

They know of the machine what an operation shows: a word's address, what it held and what it holds. The rest is what
this pCPU is at. Of a post they keep it in ``Pcpu.told``: below, as elsewhere, whom a trigger has notified so far, above
that the vector and what else has been seen of it; a post in an interrupt handler puts back what the one around it had.
Of a sync it is in ``Vcpu.syncing``: the vCPU's task may be preempted meanwhile, and another sync.

Loaded only together with a user's code: without it the machine's own probes do all this.
"""

from __future__ import annotations

from typing import Final

from emu.kvm_host import EXITING_GUEST_MODE, TASK_ASLEEP, TASK_RUNNING
from emu.machine import Vcpu, Wait, config, machine, smp_processor_id, this_pcpu
from emu.memory import LINE_BYTES, WORD_BYTES, Word
from emu.observe.accounting import (
    ON_ALREADY_SET,
    PIR_ALREADY_SET,
    SELF_AND_REMOTE_SYNC,
    SYNC_FINDS_ON,
    SYNC_FINDS_ON_ONLY,
    TIMER_ASLEEP,
    TIMER_AT_ONCE,
    TIMER_AT_SWITCH,
)
from emu.observe.ghost import TOLD_NOBODY, TOLD_OTHER, TOLD_SELF, WHOM, window
from emu.observe.probes.post import (
    probe_accepted,
    probe_ipi_sent,
    probe_post_begin,
    probe_post_end,
    probe_trigger_begin,
    probe_trigger_end,
)
from emu.observe.probes.root import probe_block_decided, probe_events_checked
from emu.observe.probes.sync import probe_before_on_cleared, probe_merge, probe_sync
from emu.observe.probes.timer import probe_deadline
from emu.observe.probes.wake import (
    probe_kick,
    probe_kick_found,
    probe_request_taken,
    probe_waiter_found,
    probe_waking,
    probe_woken,
)
from emu.observe.tracepoints import trace_ipi_send_cpu, trace_kvm_apicv_accept_irq, trace_sched_waking
from emu.posted_intr import POSTED_INTR_ON
from emu.vectors import POSTED_INTR_VECTOR, SLOT_TIMER, vector_of
from emu.waist import BIT, local_read, local_write, peek

SAW_IN_GUEST: Final = 4
"""In ``Pcpu.told``: the post turned ON on, is one to the vCPU that runs here, and found it IN_GUEST_MODE (C8)."""
POSTING: Final = 8
REFUSED: Final = 16
"""The APIC did not accept the post."""
VECTOR_SHIFT: Final = 8
"""Above it stands the vector of the post."""

SYNCING: Final = 1
"""The bits of ``Vcpu.syncing``: a sync is under way ..."""
CLEARED_ON: Final = 2
TOOK: Final = 4
"""... has taken PIR bits ..."""
TOOK_TIMER: Final = 8
TOOK_OTHERS: Final = 16
"""... the timer's, and such as stand in other words than the timer's."""

VCPU_BYTES: Final = Vcpu.nbytes
PIR_BYTES: Final = 4 * WORD_BYTES
CONTROL_AT: Final = PIR_BYTES
MODE_AT: Final = Vcpu.fields["mode"].offset
REQUESTS_AT: Final = Vcpu.fields["requests"].offset
TASK_AT: Final = Vcpu.fields["wait"].offset + Wait.fields["task"].offset
STATE_AT: Final = Vcpu.fields["wait"].offset + Wait.fields["state"].offset
"""Places of words in a vCPU, which begins with its descriptor."""


def observed_vcpu(word: Word) -> Vcpu:
    """Return the vCPU of a word of its descriptor, which is one line."""
    return Vcpu(word & -LINE_BYTES)


# --- posts -------------------------------------------------------------------------------------------------------


def observed_post_begin(vcpu: Vcpu, vector: int) -> int:
    """A post begins; return what :func:`observed_post_end` puts back."""
    probe_post_begin(vcpu, vector)
    word = this_pcpu().told
    outer = local_read(word)
    local_write(word, POSTING | (vector & 0xFF) << VECTOR_SHIFT)
    return outer


def observed_accepted(accepted: int) -> None:
    """The APIC has accepted what is being posted, or not (0)."""
    word = this_pcpu().told
    if accepted == 0:
        local_write(word, local_read(word) | REFUSED)


def observed_post_end(vcpu: Vcpu, vector: int, accepted: int, outer: int) -> None:
    """The post is done; ``accepted`` is 0 if the APIC refused it."""
    word = this_pcpu().told
    told = local_read(word)
    if told & WHOM != 0:
        observed_trigger_end(vcpu, told)
    local_write(word, outer)
    probe_post_end(vcpu, vector, 0 if told & REFUSED != 0 else accepted)


def observed_delivered(vcpu: Vcpu, vector: int, result: int) -> None:
    """A vector has gone through the descriptor, if the result is 0."""
    if result == 0:
        trace_kvm_apicv_accept_irq(vcpu, vector)


def observed_trigger_begin(vcpu: Vcpu, generation: int) -> None:
    """This pCPU has turned ON on: from here to the end of the post somebody has to be notified."""
    word = this_pcpu().told
    told = local_read(word)
    if told & POSTING == 0:
        return
    if told & WHOM != 0:
        observed_trigger_end(vcpu, told)
    saw = probe_trigger_begin(vcpu, generation) & 1
    local_write(word, told & ~(WHOM | SAW_IN_GUEST) | TOLD_NOBODY | saw * SAW_IN_GUEST)


def observed_trigger_end(vcpu: Vcpu, told: int) -> None:
    """Judge what was done about the ON that this post has turned on."""
    local_write(this_pcpu().told, told & WHOM)
    probe_trigger_end(vcpu, 1 if told & SAW_IN_GUEST != 0 else 0)


def observed_notification(whom: int) -> None:
    """Note a notification: an IPI is about to leave, or a task was woken."""
    word = this_pcpu().told
    told = local_read(word)
    if told & WHOM == TOLD_NOBODY:
        local_write(word, told - TOLD_NOBODY + whom)


def observed_ipi(cpu: int, vector: int) -> None:
    """An IPI is about to leave."""
    probe_ipi_sent(cpu, vector)
    trace_ipi_send_cpu(cpu, vector)
    if vector == POSTED_INTR_VECTOR and cpu == smp_processor_id():
        observed_notification(TOLD_SELF)
    else:
        observed_notification(TOLD_OTHER)


# --- the descriptor ----------------------------------------------------------------------------------------------


def observed_before_control(word: Word, keeps: int) -> int:
    """The control word is about to be changed; return the generation of ON."""
    vcpu = observed_vcpu(word)
    if keeps & BIT(POSTED_INTR_ON) == 0 and peek(word) & BIT(POSTED_INTR_ON) != 0:
        probe_before_on_cleared(vcpu)
        observed_in_sync(vcpu, CLEARED_ON)
    return peek(vcpu.pi_desc.software[0])


def observed_control(word: Word, old: int, new: int, generation: int) -> None:
    """The control word was changed; ``generation`` is that of ON before."""
    if new & BIT(POSTED_INTR_ON) == 0:
        return
    if old & BIT(POSTED_INTR_ON) == 0:
        observed_trigger_begin(observed_vcpu(word), generation)
    elif local_read(this_pcpu().told) & POSTING != 0:
        window(ON_ALREADY_SET)


def observed_pir(word: Word, old: int, new: int) -> None:
    """A PIR word was changed: a post turned its bit on, or found it on, or bits were taken.

    Only the vector of the post is accepted by it: other bits that turn up were made up, which C5 sees.
    """
    vcpu = observed_vcpu(word)
    i = (word & LINE_BYTES - 1) >> 3
    told = local_read(this_pcpu().told)
    vector = told >> VECTOR_SHIFT
    if told & POSTING != 0 and vector >> 6 == i and new & BIT(vector & 63) != 0:
        if old & BIT(vector & 63) != 0:
            window(PIR_ALREADY_SET)
        else:
            probe_accepted(vcpu, vector, 0)
    taken = old & ~new
    if taken != 0 and vcpu.at == local_read(this_pcpu().irq.running_vcpu):
        observed_taken(vcpu, i, taken)


def observed_taken(vcpu: Vcpu, i: int, bits: int) -> None:
    """The vCPU's own thread has taken PIR bits; with those that are set in the vIRR two posts become one (C5)."""
    probe_merge(vcpu, i, local_read(vcpu.apic.virr[i]) & bits)
    if i != vector_of(SLOT_TIMER) >> 6:
        observed_in_sync(vcpu, TOOK | TOOK_OTHERS)
    elif bits & BIT(vector_of(SLOT_TIMER) & 63) != 0:
        observed_in_sync(vcpu, TOOK | TOOK_TIMER)
    else:
        observed_in_sync(vcpu, TOOK)


# --- syncs -------------------------------------------------------------------------------------------------------


def observed_in_sync(vcpu: Vcpu, what: int) -> None:
    """Note something about the vCPU's own sync, if that is under way."""
    if vcpu.at != local_read(this_pcpu().irq.running_vcpu):
        return
    seen = local_read(vcpu.syncing)
    if seen != 0:
        local_write(vcpu.syncing, seen | what)


def observed_sync_begin(vcpu: Vcpu) -> None:
    """A sync begins."""
    probe_sync()
    local_write(vcpu.syncing, SYNCING)


def observed_sync_end(vcpu: Vcpu) -> None:
    """A sync is done."""
    word = vcpu.syncing
    seen = local_read(word)
    local_write(word, 0)
    if seen & CLEARED_ON != 0:
        window(SYNC_FINDS_ON)
        if seen & TOOK == 0:
            window(SYNC_FINDS_ON_ONLY)
        elif seen & TOOK_TIMER != 0 and seen & TOOK_OTHERS != 0:
            window(SELF_AND_REMOTE_SYNC)


# --- kicks, requests, sleep --------------------------------------------------------------------------------------


def observed_mode(word: Word, old: int, new: int) -> None:
    """A kicker has tried to turn the mode."""
    probe_kick_found(old)


def observed_kick(woken: int) -> None:
    """A kick has tried to wake the vCPU."""
    if woken == 0:
        probe_kick()


def observed_requests(word: Word, old: int, new: int) -> None:
    """Requests were changed."""
    if old & ~new != 0:
        probe_request_taken()


def observed_events_checked(events: int) -> None:
    """A vCPU that is about to block has looked at its PIR."""
    if events == 0 and local_read(this_pcpu().between_check_and_sleep) == 0:
        probe_events_checked()


def observed_before_state(word: Word, keeps: int) -> None:
    """The state of a task is about to be changed."""
    if keeps == TASK_ASLEEP:
        probe_block_decided()


def observed_state(word: Word, old: int, new: int) -> None:
    """The state of a task was changed, by one who knows what it was."""
    if new == TASK_RUNNING and old != TASK_RUNNING:
        trace_sched_waking(Vcpu(word - STATE_AT), old)
        probe_waking(old)
        probe_woken()
        observed_notification(TOLD_OTHER)


def observed_before_task(word: Word, keeps: int) -> None:
    """The wait record is about to be written."""
    if keeps == 0:
        probe_block_decided()


def observed_task_read(word: Word, task: int) -> None:
    """A waker has looked at the wait record."""
    if task != 0:
        probe_waiter_found()


# --- timers ------------------------------------------------------------------------------------------------------


def observed_deadline(deadline: int, passed: int) -> None:
    """A clock was asked about the deadline of the vCPU of this pCPU: by what it is doing, the window of the place."""
    if smp_processor_id() >= local_read(config().vcpus):
        return
    vcpu = machine().vcpus[smp_processor_id()]
    where = TIMER_AT_ONCE
    if local_read(vcpu.apic.hv_timer_in_use) == 0 and local_read(config().posted_timers) == 0:
        where = TIMER_ASLEEP if peek(vcpu.wait.state) == TASK_ASLEEP else TIMER_AT_SWITCH
    probe_deadline(vcpu, deadline, passed, where)


# --- words that are told apart by their addresses ----------------------------------------------------------------


def observed_look(word: Word) -> int:
    """Return what a word holds before it is written without being read."""
    return peek(word)


def observed_place(word: Word) -> int:
    """Return where in its vCPU a word lies; -1 if it lies in none."""
    offset = word - machine().vcpus[0].at
    if offset < 0 or word >= machine().pcpus[0].at:
        return -1
    return offset % VCPU_BYTES


def observed_before_any(word: Word, keeps: int) -> int:
    """A word is about to be changed; return what :func:`observed_any_changed` needs."""
    place = observed_place(word)
    if place == CONTROL_AT:
        return observed_before_control(word, keeps)
    if place == STATE_AT:
        observed_before_state(word, keeps)
    elif place == TASK_AT:
        observed_before_task(word, keeps)
    return 0


def observed_any_stored(word: Word, old: int, new: int, generation: int) -> None:
    """A word was written."""
    place = observed_place(word)
    if place == CONTROL_AT:
        observed_control(word, old, new, generation)
    elif 0 <= place < PIR_BYTES:
        observed_pir(word, old, new)


def observed_any_changed(word: Word, old: int, new: int, generation: int) -> None:
    """A word was changed by a locked operation."""
    place = observed_place(word)
    if place == STATE_AT:
        observed_state(word, old, new)
    elif place == REQUESTS_AT:
        observed_requests(word, old, new)
    elif place == MODE_AT and old == EXITING_GUEST_MODE and new == EXITING_GUEST_MODE:
        observed_mode(word, old, new)
    else:
        observed_any_stored(word, old, new, generation)
