"""The shared words of the native host, behind the Machine in the same memfd.

The supervisor sees them live, and every pCPU maps them at the same address. One writer for each word, except the
doorbells (locked adds by all senders) and the supervisor's words.
"""

from __future__ import annotations

from typing import Final

from emu.machine import MAX_PCPUS, Machine
from emu.memory import WORD_BYTES, Struct, array, struct, word, words
from hosts.native.fabric.frame_kinds import KINDS
from hosts.native.memory.addresses import PAGE_BYTES

CONNECT, GO, CLOSE = range(1, 4)
"""What the supervisor lets all pCPUs do (:attr:`Run.phase`); 0: bind their sockets."""

STARTED, BOUND, READY, RUNNING, DONE, CLOSED = range(1, 7)
"""How far a pCPU is (:attr:`HostCpu.phase`); 0: the process has not come up."""

REGIME_NONE, REGIME_DELAYS, REGIME_STARVATION = range(3)
"""Noise: none; frequent short delays at interrupt points; rare long starvation."""

FAULT_NONE, FAULT_BEFORE_COUNT, FAULT_AFTER_COUNT = range(3)
"""The fabric's seeded bugs: a notification vanishes before it is counted, or after."""

EXIT_RULE: Final = 72
"""Exit code of a pCPU whose rule did what no machine can."""

EXIT_TASK: Final = 73
"""Exit code of a pCPU on which a task came to an end: it never returns from where it began."""

EXIT_RUNNING_TASK: Final = 74
"""Exit code of a pCPU that was to resume a task which is not suspended."""


class Turn(Struct, line=True):
    """The environment's turn: number, time base and score travel in one cache line, from the one opener to all."""

    number = word()
    start = word()
    """TSC time of the start, from which offsets are counted."""
    score = word()
    """Violations sighted by the opener before this turn: what the actors' choice of offset is rewarded by."""
    non_root = word()
    """Whether the opener was in the guest when it opened the turn: such turns have other good offsets."""
    wide = word()
    """Whether the opener acts late: every order of events is possible in such a turn."""
    closed = word()
    """The opener has seen the end of the run: there will be no further turn."""
    started = word()
    """The last turn that has a start. Written last, when all actors stand ready or one has been too long in coming:
    an actor waits for it. One that is late may find a later turn, for a task may open one while another is in the last;
    then it takes that turn's start."""


class Run(Struct, line=True):
    """What all pCPUs of a run share. Written by the supervisor, except the turn."""

    token = word()
    pcpus = word()
    seed = word()
    regime = word()
    fabric_fault = word()
    fault_one_in = word()
    crowded = word()
    """Several pCPUs share a processor: spinning is useless, yield at once."""
    phase = word(line=True)
    stop = word(line=True)
    """The run is over: no new turns; what is under way is brought to its end."""
    turn = struct(Turn)


class Bell(Struct, line=True):
    """The doorbell of one pCPU, in a page of its own: its owner maps that at ``DOORBELL_AT`` as well."""

    rung = word()
    """Frames sent to this pCPU, counted (locked) before each leaves. Its owner polls it."""
    rest = words(PAGE_BYTES // WORD_BYTES - 1)


class HostCpu(Struct, line=True):
    """The host's words of one pCPU."""

    phase = word()
    silent = word()
    heartbeat = word()
    """Grows wherever the pCPU waits or starts a turn: one that stands still is stuck, stopped or starved."""
    taken_total = word()
    markers = word()
    error = word()
    """errno of the libzmq call that failed for good; 0: none."""
    pid = word()
    fault = words(3)
    """What a user's rule did that no machine can: ``where`` (0: nothing), ``value`` and ``bound``."""
    result = word()
    """What the compiled root returned."""
    root_at = word()
    """Address of the compiled root: tasks go from process to process, so it has to be the same in all."""
    fault_at = word()
    """The address that this pCPU could not access and died of (SIGSEGV); told in a run with tasks."""
    bad_frames = word(line=True)
    """Frames of the wrong shape, run, sender, target or sequence: counted, ignored."""
    polls = word()
    empty_polls = word()
    stalls = word()
    stall_ticks = word()
    faulted = word()
    """Notifications that the fabric's fault swallowed."""
    sent_late = word()
    """Frames sent after this pCPU's last frame: not accounted for, as the markers do not cover them."""
    throttled = word()
    """Sends that had to wait because too many frames of this connection were under way."""
    coalesced = word()
    """IPIs that found their vector pending already: one acknowledgement stands for both."""
    ready_for = word(line=True)
    """The last turn that this actor has stood ready for; 0: it takes no part in turns."""
    too_late = word()
    """How often it heard of a turn's start after the start."""
    pending = words(4, line=True)
    """The local APIC's pending vectors: a bit each, coalescing. Only the owner writes."""
    sent = words(KINDS * MAX_PCPUS, line=True)
    """Frames sent by this pCPU, per kind and target: kind * MAX_PCPUS + target."""
    taken = words(KINDS * MAX_PCPUS, line=True)
    """Frames taken by this pCPU, per kind and sender."""
    arrived = words(MAX_PCPUS, line=True)
    """Frames taken per sender, of all kinds: the sequence number that the sender's next frame must carry, and what
    the sender's bound on frames under way is counted by."""


RING_EVENTS: Final = 256
"""Length of a ring of events; a power of two."""
RING_MASK: Final = RING_EVENTS - 1
ARGUMENT_SHIFT: Final = 8
ARGUMENT_MASK: Final = 0xFF_FFFF
TURN_SHIFT: Final = 32
"""An event is one word: its number in 8 bits, its argument in 24, the turn in the rest."""


class Ring(Struct, line=True):
    """The last events of one pCPU, which alone writes here (:mod:`hosts.native.runtime.trace_ring`)."""

    count = word()
    """Events so far: the last one lies at ``count - 1``, round and round."""
    overtaken = word()
    """Of a copy: what ``count`` had come to when the last event was copied."""
    events = words(RING_EVENTS, line=True)


class HostWords(Struct, line=True):
    """All shared host words, behind the Machine."""

    bells = array(Bell, MAX_PCPUS)
    """First, so that each is a page."""
    run = struct(Run)
    cpus = array(HostCpu, MAX_PCPUS)
    rings = array(Ring, MAX_PCPUS)
    sighted_by = word(line=True)
    """1 + the pCPU that saw the first violation, and copied all rings at once; 0: none has been seen."""
    sighted = array(Ring, MAX_PCPUS)
    """The rings as they were then: a run goes on, and its rings go round."""


class Label(Struct, line=True):
    """The header of a saved memory, in its last page (:mod:`hosts.native.memory.image_header`)."""

    magic = word()
    layout = word()
    """Which layout the words are to be read by."""


HOST_OFFSET: Final = -(-Machine.nbytes // PAGE_BYTES) * PAGE_BYTES
LABEL_OFFSET: Final = HOST_OFFSET + -(-HostWords.nbytes // PAGE_BYTES) * PAGE_BYTES
SHARED_BYTES: Final = LABEL_OFFSET + PAGE_BYTES
