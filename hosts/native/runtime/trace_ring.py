"""The trace ring: the last events of this pCPU (:mod:`emu.observe.tracepoints`), in the shared words.

An event is one word, stored before the count that covers it: a reader trusts the count, and of a ring that has wrapped
around all but the oldest event, which may be half-way to being overwritten. Two plain stores, and loads of lines that
this pCPU alone uses: a trace point must not change the races that it records.
"""

from __future__ import annotations

from emu.observe.tracepoints import SIGHTING
from hosts.native.codegen.intrinsics import (
    load,
    load_constant,
    load_own_pcpu,
    load_private,
    memory_address,
    store,
    store_private,
)
from hosts.native.memory.layout import (
    ARGUMENT_MASK,
    ARGUMENT_SHIFT,
    HOST_OFFSET,
    RING_EVENTS,
    RING_MASK,
    TURN_SHIFT,
    HostWords,
    Ring,
)
from hosts.native.memory.private_words import Local
from hosts.native.runtime.process_locals import this_process


def trace(event: int, argument: int) -> None:
    """Record an event, with the number of its turn."""
    local = this_process()
    ring = Ring(load_own_pcpu(local.ring_at))
    count = load_private(ring.count)
    word = load_private(local.traced_turn) | (argument & ARGUMENT_MASK) << ARGUMENT_SHIFT | event
    store(ring.events[count & RING_MASK], word)
    store(ring.count, count + 1)
    if event == SIGHTING:
        keep_rings(load_own_pcpu(local.cpu), load_constant(local.pcpus))


def keep_rings(cpu: int, pcpus: int) -> None:
    """Copy all rings, at the first violation of a run. The others go on writing; counts show which events are whole."""
    words = HostWords(memory_address() + HOST_OFFSET)
    if load(words.sighted_by) != 0:
        return
    store(words.sighted_by, 1 + cpu)
    for each in range(pcpus):
        ring, kept = words.rings[each], words.sighted[each]
        store(kept.count, load(ring.count))
        for i in range(RING_EVENTS):
            store(kept.events[i], load(ring.events[i]))
        store(kept.overtaken, load(ring.count))


def note_turn(local: Local, number: int) -> None:
    """Set the turn number of the next events."""
    store_private(local.traced_turn, number << TURN_SHIFT)
