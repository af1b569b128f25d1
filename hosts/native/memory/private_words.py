"""The private words of one pCPU process, in pages that it has for itself.

What an interrupt point reads is here, never in a line that another pCPU writes.
"""

from __future__ import annotations

from typing import Final

from emu.machine import MAX_PCPUS
from emu.memory import LINE_BYTES, WORD_BYTES, Struct, word, words
from hosts.native.memory.addresses import PAGE_BYTES

FRAME_WORDS: Final = 4
"""Room for one frame, rounded up to whole words (:mod:`hosts.native.fabric.wire` fills 25 bytes)."""
RECEIVE_WORDS: Final = 8
BINS: Final = 64
"""Offsets from a turn's start that the actors choose among."""
SLOW_LINES: Final = 8
PAID: Final = 64
"""Length of the ring of bins that led to sightings; a power of two."""


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
    """Interrupt points until the armed stall; 0: none is armed."""
    own_at = word()
    """Address of the own HostCpu."""
    run_at = word()
    """Address of the Run."""
    ring_at = word()
    """Address of the own Ring."""
    traced_turn = word()
    """The turn that events fall into, where an event's word has it."""

    pull = word(line=True)
    """The libzmq socket that IPIs to this pCPU are received from."""
    last_poll = word()
    """TSC of the last poll of the socket that found it empty."""
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
    fault_handler_at = word()
    """Address of the handler of SIGSEGV that comes next (:mod:`hosts.native.runtime.tasks`)."""

    crowded = word(line=True)
    keep_until = word()
    """TSC until which the processor is not given up (:func:`hosts.native.runtime.process_locals.yield_processor`)."""
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

    # How this actor chooses its offset in a turn.
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
    sends = word(line=True)
    """IPIs sent so far."""
    sends_before = word()
    """IPIs sent before the last turn."""
    in_flight_to = word()
    """The target of the last IPI, plus one; 0: it has arrived."""
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
    slow_lines = words(SLOW_LINES * LINE_BYTES // WORD_BYTES, line=True)
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
