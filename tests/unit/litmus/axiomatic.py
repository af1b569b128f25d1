"""x86-TSO and SC as relations over whole executions: no buffers, no interleavings, nothing of the explorer.

A program is a list of threads of actions. All executions are tried: which write each read takes its value from (rf),
the order of the writes to each location (co), whether each compare-and-exchange succeeds. One is allowed if each
location is coherent, a locked operation has nothing between its halves, and the global order has no cycle (the x86-TSO
of Owens, Sarkar and Sewell in the form of herd7's ``x86tso.cat``). Values are computed along po and rf, which a cycle
rules out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

INITIALLY: Final = -1
"""The write that every location starts with."""
WRITES_ONLY: Final = ("store", "put")
READS_ONLY: Final = ("load",)


@dataclass(frozen=True)
class Action:
    """``store`` a number, ``put`` a register, ``load`` one, ``fence``; else a read and a write, locked or not.

    ``xchg``, ``xadd`` and ``cmpxchg`` (against register ``a``) use a register, ``add``, ``or``, ``xor`` a number.
    """

    name: str
    location: str = ""
    register: str = ""
    number: int = 0
    locked: bool = False


Program = Sequence[Sequence[Action]]
Outcome = tuple[tuple[tuple[str, int], ...], ...]
"""For each thread its registers, then the memory."""


@dataclass(frozen=True)
class Event:
    """A read or a write (or a fence)."""

    thread: int
    at: int
    kind: str
    location: str = ""
    locked: bool = False


def outcomes(program: Program, model: str) -> set[Outcome]:
    """Return the final states that the model allows; locations start at 0, registers too."""
    found: set[Outcome] = set()
    tries = [(t, i) for t, thread in enumerate(program) for i, each in enumerate(thread) if each.name == "cmpxchg"]
    for success in itertools.product((False, True), repeat=len(tries)):
        succeeds = dict(zip(tries, success, strict=True))
        events = list(_events(program, succeeds))
        for co in _coherence_orders(events):
            for rf in _sources(events, co):
                if _allowed(events, rf, co, model):
                    outcome = _values(program, events, rf, co, succeeds)
                    found |= {outcome} if outcome is not None else set()
    return found


def size(program: Program) -> int:
    """Estimate the executions to be tried, so that a test can leave out what takes long."""
    total = 1
    for location in {each.location for thread in program for each in thread if each.location}:
        here = [each for thread in program for each in thread if each.location == location]
        writes = sum(each.name not in READS_ONLY for each in here)
        reads = sum(each.name not in WRITES_ONLY for each in here)
        tried = sum(each.name == "cmpxchg" for each in here)
        total *= (writes + 1) ** (reads + max(0, writes - 2)) * 2**tried
    return total


def _events(program: Program, succeeds: Mapping[tuple[int, int], bool]) -> Iterator[Event]:
    for t, thread in enumerate(program):
        for i, each in enumerate(thread):
            if each.name == "fence":
                yield Event(t, i, "F")
                continue
            if each.name not in WRITES_ONLY:
                yield Event(t, i, "R", each.location, each.locked)
            if each.name not in READS_ONLY and succeeds.get((t, i), True):
                yield Event(t, i, "W", each.location, each.locked)


def _po(events: Sequence[Event]) -> set[tuple[int, int]]:
    """Program order: events are listed in it, thread by thread."""
    return {(a, b) for a, b in itertools.combinations(range(len(events)), 2) if events[a].thread == events[b].thread}


def _coherence_orders(events: Sequence[Event]) -> Iterator[Mapping[str, tuple[int, ...]]]:
    writes: dict[str, list[int]] = {}
    for number, event in enumerate(events):
        if event.kind == "W":
            writes.setdefault(event.location, []).append(number)
    orders = [[order for order in itertools.permutations(each) if _in_po(events, order)] for each in writes.values()]
    for chosen in itertools.product(*orders):
        yield dict(zip(writes, chosen, strict=True))


def _in_po(events: Sequence[Event], order: Sequence[int]) -> bool:
    return all(a < b or events[a].thread != events[b].thread for a, b in itertools.combinations(order, 2))


def _sources(events: Sequence[Event], co: Mapping[str, tuple[int, ...]]) -> Iterator[Mapping[int, int]]:
    reads = [number for number, event in enumerate(events) if event.kind == "R"]
    choices = [(INITIALLY, *co.get(events[read].location, ())) for read in reads]
    for chosen in itertools.product(*choices):
        yield dict(zip(reads, chosen, strict=True))


def _allowed(events: Sequence[Event], rf: Mapping[int, int], co: Mapping[str, tuple[int, ...]], model: str) -> bool:
    order = {location: (INITIALLY, *writes) for location, writes in co.items()}
    coherence = {pair for writes in co.values() for pair in itertools.combinations(writes, 2)}
    reads_from = {(write, read) for read, write in rf.items() if write != INITIALLY}
    from_reads = set()
    for read, write in rf.items():
        after = order.get(events[read].location, (INITIALLY,))
        from_reads |= {(read, later) for later in after[after.index(write) + 1 :]}
    po = _po(events)
    same = {
        (a, b) for a, b in po if events[a].location == events[b].location and events[a].kind != "F" != events[b].kind
    }
    if not _acyclic(len(events), same | reads_from | coherence | from_reads):
        return False
    if not _atomic(events, from_reads, coherence):
        return False
    external = {(a, b) for a, b in reads_from if events[a].thread != events[b].thread}
    kept = {pair for pair in po if model == "sc" or _kept(events, *pair)}
    return _acyclic(len(events), kept | external | coherence | from_reads)


def _kept(events: Sequence[Event], a: int, b: int) -> bool:
    """Return whether TSO keeps an order of the program: all but a write before a read, neither of them locked."""
    first, second = events[a], events[b]
    return "F" in (first.kind, second.kind) or (first.kind, second.kind) != ("W", "R") or first.locked or second.locked


def _atomic(events: Sequence[Event], from_reads: set[tuple[int, int]], coherence: set[tuple[int, int]]) -> bool:
    """Return whether nobody else writes between the halves of a locked operation."""
    for read, event in enumerate(events[:-1]):
        write = read + 1
        if event.kind == "R" and event.locked and (events[write].thread, events[write].at) == (event.thread, event.at):
            between = {w for r, w in from_reads if r == read} & {w for w, later in coherence if later == write}
            if any(events[w].thread != event.thread for w in between):
                return False
    return True


def _acyclic(count: int, edges: set[tuple[int, int]]) -> bool:
    after: list[list[int]] = [[] for _ in range(count)]
    before = [0] * count
    for a, b in edges:
        after[a].append(b)
        before[b] += 1
    ready = [number for number in range(count) if not before[number]]
    done = 0
    while ready:
        done += 1
        for later in after[ready.pop()]:
            before[later] -= 1
            ready += [later] if not before[later] else []
    return done == count


def _values(
    program: Program,
    events: Sequence[Event],
    rf: Mapping[int, int],
    co: Mapping[str, tuple[int, ...]],
    succeeds: Mapping[tuple[int, int], bool],
) -> Outcome | None:
    """Compute what an execution leaves behind; None if a compare-and-exchange did not do what was supposed."""
    numbers = {(event.thread, event.at, event.kind): number for number, event in enumerate(events)}
    written = {INITIALLY: 0}
    registers: list[dict[str, int]] = [{} for _ in program]
    at = [0] * len(program)
    while any(at[t] < len(thread) for t, thread in enumerate(program)):
        went = False
        for t, thread in enumerate(program):
            while at[t] < len(thread):
                read = numbers.get((t, at[t], "R"))
                if read is not None and rf[read] not in written:
                    break
                value = written[rf[read]] if read is not None else 0
                action = thread[at[t]]
                new = _do(action, registers[t], value)
                if action.name == "cmpxchg" and (new is not None) != succeeds[t, at[t]]:
                    return None
                if new is not None:
                    written[numbers[t, at[t], "W"]] = new
                at[t] += 1
                went = True
        if not went:
            raise AssertionError("a value that nobody wrote")
    memory = {location: written[writes[-1]] for location, writes in co.items()}
    return tuple(tuple(sorted((k, v) for k, v in each.items() if v)) for each in (*registers, memory))


def _do(action: Action, registers: dict[str, int], value: int) -> int | None:
    """Do an action that read ``value``; return what it writes."""
    mine = registers.get(action.register, 0)
    if action.name == "cmpxchg":
        if registers.get("a", 0) == value:
            return mine
        registers["a"] = value
    if action.name in ("load", "xchg", "xadd"):
        registers[action.register] = value
    writes = {
        "store": action.number,
        "put": mine,
        "xchg": mine,
        "xadd": value + mine,
        "add": value + action.number,
        "or": value | action.number,
        "xor": value ^ action.number,
    }
    return writes.get(action.name)
