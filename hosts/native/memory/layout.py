"""Host words: what the native host keeps in memory besides the machine.

Two places. The *shared* words lie behind the Machine in the same memfd, so that the supervisor sees them live and every
pCPU maps them at the same address. The *private* words (:class:`Local`) lie in pages that each process has for itself:
what an interrupt point reads is there, never in a line that another pCPU writes.

One writer for each word, except the doorbells (locked adds by all senders) and the supervisor's words.
"""

from __future__ import annotations

from typing import Final

from emu.machine import MAX_PCPUS, Machine
from emu.memory import LINE_BYTES, WORD_BYTES, Struct, array, struct, word, words
from emu.vectors import (
    DEVICE_VECTOR,
    POSTED_INTR_NESTED_VECTOR,
    POSTED_INTR_VECTOR,
    POSTED_INTR_WAKEUP_VECTOR,
    RESCHEDULE_VECTOR,
)

PAGE_BYTES: Final = 4096

MEMORY_AT: Final = 0x7000_0000
"""Where the machine lies in every process that has one, the shared host words behind it.

Below 2 GB, where an address fits into the instruction that uses it: a word of the machine costs no register and no
instruction more than one on the stack does. So far up that neither a program that is linked to a fixed place nor its
heap comes near: that begins below 1.1 GB, and goes elsewhere when it finds its way barred."""

LOCAL_AT: Final = 0x7200_0000
"""Where the private host words lie in every pCPU process."""

DOORBELL_AT: Final = 0x7300_0000
"""Where a pCPU process sees its own doorbell, besides among all of them: so an interrupt point need not ask where."""

# --- kinds of frames ---------------------------------------------------------------------------------------------

VECTOR_OF_KIND: Final = (
    POSTED_INTR_VECTOR,
    POSTED_INTR_WAKEUP_VECTOR,
    POSTED_INTR_NESTED_VECTOR,
    RESCHEDULE_VECTOR,
    DEVICE_VECTOR,
)
"""Counters are kept by *kind* of frame, which for these vectors is their position."""
KIND_SILENT: Final = 5
"""Last frame of every connection: all that this sender sent has arrived."""
KIND_OTHER: Final = 6
"""All other vectors together."""
KINDS: Final = 8


def kind_of_vector(vector: int) -> int:
    """Give the kind that counts IPIs with a vector."""
    return VECTOR_OF_KIND.index(vector) if vector in VECTOR_OF_KIND else KIND_OTHER


# --- shared: the run ---------------------------------------------------------------------------------------------

BIND, CONNECT, GO, CLOSE = range(4)
"""What the supervisor lets all pCPUs do (:attr:`Run.phase`)."""

STARTED, BOUND, READY, RUNNING, DONE, CLOSED = range(1, 7)
"""How far a pCPU is (:attr:`HostCpu.phase`); 0: the process has not come up."""

REGIME_NONE, REGIME_DELAYS, REGIME_STARVATION = range(3)
"""Disturbance: none; frequent short delays at interrupt points; rare long starvation."""

FAULT_NONE, FAULT_BEFORE_COUNT, FAULT_AFTER_COUNT = range(3)
"""The fabric's seeded bugs: a notification vanishes before it is counted, or after."""


EXIT_RULE: Final = 72
"""Exit code of a pCPU whose rule did what no machine can."""


class Turn(Struct, line=True):
    """The environment's turn: number, time base and score travel in one cache line, from the one opener to all."""

    number = word()
    start = word()
    """TSC time of the start, from which offsets are counted. Written last, when all actors stand ready or one has
    been too long in coming: an actor waits for it to change."""
    score = word()
    """Violations sighted by the opener before this turn: what the actors' choice of offset is rewarded by."""
    non_root = word()
    """Whether the opener was in the guest when it opened the turn: such turns have other good moments."""
    wide = word()
    """Whether the opener leaves much room before its own moment: every order of events is to be had in such a turn."""
    closed = word()
    """The opener has seen the end of the run: there will be no further turn."""


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
    bad_frames = word(line=True)
    """Frames of the wrong shape, run, sender, target or sequence: counted, ignored."""
    polls = word()
    empty_polls = word()
    stalls = word()
    stall_ticks = word()
    faulted = word()
    """Notifications that the fabric's fault swallowed."""
    sent_late = word()
    """Frames sent after this pCPU called itself silent: in no book, for the markers do not cover them."""
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
    """What a saved memory says of itself, in its last page (:mod:`hosts.native.memory.image_header`)."""

    magic = word()
    layout = word()
    """Which layout the words are to be read by."""


HOST_OFFSET: Final = -(-Machine.nbytes // PAGE_BYTES) * PAGE_BYTES
LABEL_OFFSET: Final = HOST_OFFSET + -(-HostWords.nbytes // PAGE_BYTES) * PAGE_BYTES
SHARED_BYTES: Final = LABEL_OFFSET + PAGE_BYTES

# --- private -----------------------------------------------------------------------------------------------------

FRAME_WORDS: Final = 4
"""Room for one frame, rounded up to whole words (:mod:`hosts.native.fabric.wire` fills 25 bytes)."""
RECEIVE_WORDS: Final = 8
BINS: Final = 64
"""Offsets from a turn's start that the actors choose among."""
BALLAST_LINES: Final = 8
PAID: Final = 64
"""Length of the memory of bins that paid; a power of two."""


class Local(Struct, line=True):
    """The private words of one pCPU process: nobody else sees them, so every access is a plain load or store."""

    # What interrupt points and receive read: one line.
    cpu = word()
    pcpu_at = word()
    """Address of the own Pcpu."""
    expect = word()
    """Value of the doorbell at which an interrupt point has nothing to do; -1: always look."""
    irq_enabled_at = word()
    taken = word()
    """Frames taken off the socket so far."""
    stall_points = word()
    """Interrupt points until the armed disturbance strikes; 0: none is armed."""
    own_at = word()
    """Address of the own HostCpu."""
    run_at = word()
    """Address of the Run."""
    ring_at = word()
    """Address of the own Ring."""
    traced_turn = word()
    """The turn that events fall into, where an event's word has it."""

    pull = word(line=True)
    """The libzmq socket that IPIs to this pCPU arrive at."""
    last_poll = word()
    """TSC of the last look at the socket that found it empty."""
    empties = word()
    pcpus = word()
    root_at = word()
    """Address of the compiled root: how an interrupt point calls the handler (compiled code cannot recurse)."""
    markers = word()
    head = word()
    """Bytes 0 to 7 of every frame of this run."""
    middle = word()
    """Bytes 8 to 15 of every frame to this pCPU, sender and vector left out."""

    random = word(line=True)
    regime = word()
    stall_yields = word()
    """Times the armed stall gives up the processor; 0: it lasts ``stall_length`` ticks instead."""
    stall_length = word()
    """0: the stall is one of the store buffer alone."""
    fault = word()
    fault_one_in = word()
    silent = word()

    crowded = word(line=True)
    keep_until = word()
    """TSC until which the processor is not given up (:func:`hosts.native.runtime.process_locals.step_aside`)."""
    relaxed = word()
    relax_since = word()
    relax_last = word()
    idle_since = word()
    idle_last = word()

    opened = word(line=True)
    """Turns that this pCPU opened; 0: it is no opener."""
    closed = word()
    """1: this pCPU has closed the turns."""
    lead = word()
    """Ticks from the announcement of a start to the start."""
    too_late = word()
    """What all actors' counts of starts heard too late came to."""
    sightings_at = word()
    """Address of the number of violations that this pCPU has sighted."""
    non_root_at = word()
    stop_seen = word()
    """TSC when next_turn first saw the stop word; 0: not yet."""

    # How this actor chooses its moment in a turn.
    score = word(line=True)
    """The score that came with the last turn."""
    ring = word()
    """Which ring the last turn's bin belongs to."""
    bin = word()
    """The bin that was tried in it, or -1 before the first turn."""
    by_edge = word()
    """1: the last turn's offset was drawn around the edge."""
    turn_begun = word()
    """TSC when the last turn was learnt from."""
    start = word()
    """The start of the last turn."""
    sends = word(line=True)
    """IPIs sent so far."""
    sends_before = word()
    """IPIs sent before the last turn."""
    flying_to = word()
    """Where the last IPI went, plus one; 0: it has arrived."""
    paid_count = words(2)
    edge = words(2)
    """For each kind of turn, the offset between those at which actions send IPIs and those at which they do not."""

    poll_item = words(2, line=True)
    """A ``zmq_pollitem_t``."""
    timespec = words(2)
    buffer = words(RECEIVE_WORDS, line=True)
    cost = words(2 * BINS, line=True)
    """What a turn with each bin takes, in ticks: running means, for each kind of turn."""
    paid = words(2 * PAID, line=True)
    """Two rings, one for each kind of turn, of the bins that paid last."""
    ballast = words(BALLAST_LINES * LINE_BYTES // WORD_BYTES, line=True)
    """Lines that are written when a store is to take long (:mod:`hosts.native.runtime.slow_stores`)."""
    kinds = words(32, line=True)
    """256 bytes: the kind of each vector."""
    silent_from = words(MAX_PCPUS, line=True)
    """1: the last frame that counts has come from that pCPU."""
    push = words(MAX_PCPUS, line=True)
    """The libzmq socket towards each pCPU."""
    sequence = words(MAX_PCPUS, line=True)
    """The sequence number of the next frame to each pCPU."""
    credit = words(MAX_PCPUS, line=True)
    """The sequence number at which the bound on what is under way must be looked at again."""
    frames = words(MAX_PCPUS * FRAME_WORDS, line=True)
    """The frame to each pCPU, ready but for vector and sequence."""


LOCAL_BYTES: Final = -(-Local.nbytes // PAGE_BYTES) * PAGE_BYTES

POLL_ITEM_WORDS: Final = 16 // WORD_BYTES
