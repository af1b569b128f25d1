"""Decoding of packed states, for people, tests and final states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hosts.explorer.model.semantics import State
from hosts.explorer.search.thread_tables import ThreadTables


def state_of(tables: ThreadTables, packed: Sequence[int]) -> State:
    """Unpack a state."""
    layout = tables.layout
    threads = range(len(tables.model.threads))
    local = tuple(tables.owner[tables.places[t][layout["local", t].of(packed)]][1] for t in threads)
    memory = tuple(values.known[layout["word", word].of(packed)] for word, values in enumerate(tables.values))
    buffers = tuple(tuple(_waiting(tables, t, layout["buffer", t].of(packed))) for t in threads)
    flight: list[tuple[int, int]] = []
    pending = [0] * len(threads)
    bit = [0] * len(threads)
    for number, (target, vector) in enumerate(tables.slots):
        flight += [(target, vector)] * layout["slot", number].of(packed)
        pending[target] |= (layout["pending", target].of(packed) >> bit[target] & 1) << vector
        bit[target] += 1
    return State(local, memory, buffers, tuple(flight), tuple(pending))


def _waiting(tables: ThreadTables, thread: int, buffer: int) -> Iterator[tuple[int, int]]:
    known = list(tables.stores[thread])
    entry = tables.kept.entries[thread]
    while buffer:
        word, value = known[(buffer & (1 << entry) - 1) - 1]
        yield word, tables.values[word].known[value]
        buffer >>= entry
