"""Lost updates: a change of a word that another thread's plain store has overwritten.

There are two patterns. A load and a store of one function with a change of any word in between, by another thread or by
a handler that interrupts it; and a store without a load to a word in which bits of several owners lie side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from hosts.explorer.explanation.format import field_of, stored, value_text
from hosts.explorer.explanation.query import EventLog
from hosts.explorer.explanation.rows import EventRow

_SHARED_BITS: Final = ("pi_desc.pir", "pi_desc.control", "requests")
_WORD: Final = (1 << 64) - 1


class Overwrite(NamedTuple):
    """Rows: the store, when it reached memory (-1: not yet), the load that it goes back to (-1: none), the change."""

    store: int
    arrived: int
    load: int
    undone: int
    held: int
    """What the word held when the store came."""


class Change(NamedTuple):
    """What a row has made of some bits of a word."""

    row: int
    bits: int
    after: int


class Memory:
    """Contents and changes of words, row by row."""

    def __init__(self) -> None:
        self.holds: dict[str, int] = {}
        self.changes: dict[str, list[Change]] = {}

    def take(self, i: int, row: EventRow, *, buffered: bool) -> None:
        """Record the change that a row makes."""
        act = row.act
        bits = _WORD
        match act.kind:
            case "XCHG":
                after = act.a
            case "CMPXCHG" if act.answer == act.a:
                after = act.b
            case "OR":
                bits, after = act.a, act.answer | act.a
            case "AND":
                bits, after = ~act.a, act.answer & act.a
            case "ADD":
                after = act.answer + act.a
            case "drain":
                after = act.a
            case "STORE" if act.own or not buffered:
                after = act.a
            case _:
                return
        self.holds[act.word] = after
        self.changes.setdefault(act.word, []).append(Change(i, bits, after))


def overwritten(log: EventLog) -> Overwrite | None:
    """Return the last overwrite on the way, if any."""
    return max(_overwrites(log), key=lambda each: (each.store, each.undone), default=None)


def overwritten_text(log: EventLog, found: Overwrite) -> str:
    """Return an overwrite as a clause."""
    act, other = log.rows[found.store].act, log.rows[found.undone].act
    number, field = field_of(act.word)
    arrived = ", still in its buffer" if found.arrived < 0 else f", in memory with {log.step(found.arrived)}"
    arrived = "" if found.arrived == found.store else arrived
    name = stored(act.word, act.a, several=log.vcpus > 1)
    held = value_text(field, found.held, max(number, 0))
    how = f"a load ({log.step(found.load)}) and " if found.load >= 0 else "no load, only "
    who = log.who(other.thread) if other.thread != act.thread else f"{log.who(other.thread)} itself, interrupted,"
    mine = log.who(act.thread)
    return (
        f"{mine} overwrote a word: by {how}a plain store, {name} ({log.step(found.store)}{arrived}), "
        f"it undid what {who} had done to it in between: {log.told(found.undone)}, so that it held {held}"
    )


def _overwrites(log: EventLog) -> Iterator[Overwrite]:
    memory, buffered = Memory(), log.witness.buffer > 0
    waiting: dict[tuple[int, str], list[int]] = {}
    for i, row in enumerate(log.rows):
        act = row.act
        if act.kind == "STORE" and not act.own and buffered:
            waiting.setdefault((act.thread, act.word), []).append(i)
        elif act.kind == "STORE":
            yield from _arrives(log, memory, i, i)
        elif act.kind == "drain":
            store = waiting.get((act.thread, act.word), [-1]).pop(0)
            if store >= 0:
                yield from _arrives(log, memory, store, i)
        memory.take(i, row, buffered=buffered)
    for stores in waiting.values():
        for store in stores:
            yield from _arrives(log, memory, store, -1)


def _arrives(log: EventLog, memory: Memory, store: int, arrived: int) -> Iterator[Overwrite]:
    row = log.rows[store]
    load = log.last(lambda each: _reads_for(each, row), store)
    side_by_side = field_of(row.act.word)[1].startswith(_SHARED_BITS)
    for change in memory.changes.get(row.act.word, []):
        undone = (row.act.a ^ change.after) & change.bits & _WORD
        between = load < change.row if load >= 0 else side_by_side
        if undone and between and _foreign(log, row, load, change.row):
            yield Overwrite(store, arrived, load, change.row, memory.holds[row.act.word])


def _foreign(log: EventLog, store: EventRow, load: int, change: int) -> bool:
    """Return whether a change was another thread's, or that of a handler which came behind the load."""
    thread = store.act.thread
    taken = log.first(lambda row: (row.act.thread, row.act.kind) == (thread, "ACK"), load, change) if load >= 0 else -1
    return log.rows[change].act.thread != thread or taken >= 0


def _reads_for(row: EventRow, store: EventRow) -> bool:
    """Return whether a load is what a function's store goes back to."""
    mine = (row.act.thread, row.act.word, row.act.function) == (store.act.thread, store.act.word, store.act.function)
    return mine and row.act.kind == "LOAD"
