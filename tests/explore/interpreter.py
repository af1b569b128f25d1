"""The small program proto(senders, entries) of the published comparison, and an interpreter that tries everything.

A sender posts its own vector once: PIR bit, ON, and an IPI if it sees the vCPU in guest mode. The vCPU enters some
times: mode, barrier, a look at ON, a look at IPI. At the end nothing may be left in the PIR without an IPI. The
interpreter knows nothing of the explorer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache, partial
from typing import Any, Final, NamedTuple


class Shape(NamedTuple):
    """One program: ``shape`` has no entries to be counted."""

    senders: int
    entries: int

    def __str__(self) -> str:
        """Name it as the comparison does."""
        return f"proto({self.senders},{self.entries})" if self.entries else "shape"


SHAPE = Shape(1, 0)
PROGRAMS = (SHAPE, Shape(1, 1), Shape(1, 2), Shape(2, 1), Shape(2, 2))


class Outcome(NamedTuple):
    """How a program ends."""

    memory: tuple[int, ...]
    """PIR, ON, MODE, IPI."""
    read: tuple[int, ...]
    """For each thread its answers as digits."""


def wrong(shape: Shape, outcome: Outcome) -> bool:
    """Return whether an outcome is the one that must not be: something was posted and nobody will look."""
    if shape.entries == 0:
        return outcome.read == (1, 1)
    return outcome.memory[0] != 0 and outcome.memory[3] == 0


Do = tuple[str, str, int]
"""What a thread does next: ``load``, ``store``, ``exchange``, ``or`` or ``fence``, of which word, with which value."""
Body = Callable[[], Generator[Do, int, int]]
"""A thread, told the answer of each; returns what it read, as digits."""
WORDS: Final = ("pir", "on", "mode", "ipi")


def sender(bit: int) -> Generator[Do, int, int]:
    """Post once."""
    old = yield ("or", "pir", bit)
    if old & bit:
        return 2
    on = yield ("exchange", "on", 1)
    if on:
        return 4 + 2
    mode = yield ("load", "mode", 0)
    if mode == 1:
        yield ("store", "ipi", 1)
    return 16 + 4 + 1 + mode


def vcpu(entries: int, *, barrier: bool) -> Generator[Do, int, int]:
    """Enter some times."""
    digits = 0
    for entry in range(entries):
        yield ("store", "mode", 1)
        if barrier:
            yield ("fence", "", 0)
        on = yield ("load", "on", 0)
        digits = digits * 4 + 1 + on
        if on:
            yield ("exchange", "on", 0)
            digits = digits * 4 + (yield ("exchange", "pir", 0))
        ipi = yield ("load", "ipi", 0)
        digits = digits * 4 + 1 + ipi
        if ipi:
            yield ("exchange", "ipi", 0)
            yield ("exchange", "on", 0)
            digits = digits * 4 + (yield ("exchange", "pir", 0))
        if entry != entries - 1:
            yield ("store", "mode", 0)
    return digits


def shape_sender() -> Generator[Do, int, int]:
    """Set ON, look at the mode."""
    yield ("exchange", "on", 1)
    return 1 + (yield ("load", "mode", 0))


def shape_vcpu(*, barrier: bool) -> Generator[Do, int, int]:
    """Set the mode, look at ON."""
    yield ("store", "mode", 1)
    if barrier:
        yield ("fence", "", 0)
    return 1 + (yield ("load", "on", 0))


def bodies(shape: Shape, *, barrier: bool) -> list[Body]:
    """Return the program's threads, the vCPU first."""
    if shape.entries == 0:
        return [partial(shape_vcpu, barrier=barrier), shape_sender]
    senders = [partial(sender, 1 << i) for i in range(shape.senders)]
    return [partial(vcpu, shape.entries, barrier=barrier), *senders]


def resumed(body: Body, answers: tuple[int, ...]) -> Do | int:
    """Run a thread again from its start; give what it does next, or what it returned."""
    running = body()
    try:
        do = next(running)
        for answer in answers:
            do = running.send(answer)
    except StopIteration as stop:
        returned: int = stop.value
        return returned
    return do


class Moment(NamedTuple):
    """All that decides how a run goes on."""

    answers: tuple[tuple[int, ...], ...]
    memory: tuple[tuple[str, int], ...]
    buffers: tuple[tuple[tuple[str, int], ...], ...]


@cache
def interpreted(shape: Shape, *, buffers: bool, barrier: bool) -> frozenset[Outcome]:
    """Return every outcome, by trying every interleaving; with ``buffers`` stores wait (x86-TSO)."""
    threads = bodies(shape, barrier=barrier)
    nothing = ((),) * len(threads)
    todo = [Moment(nothing, tuple((word, 0) for word in WORDS), nothing)]
    seen = set(todo)
    outcomes = set()
    while todo:
        now = todo.pop()
        due = [resumed(body, answers) for body, answers in zip(threads, now.answers, strict=True)]
        if all(isinstance(each, int) for each in due) and not any(now.buffers):
            outcomes.add(
                Outcome(tuple(value for _, value in now.memory), tuple(each for each in due if isinstance(each, int)))
            )
        for thread, do in enumerate(due):
            after = []
            if not isinstance(do, int):
                after += acted(now, thread, do, buffers=buffers)
            if now.buffers[thread]:
                after.append(drained(now, thread))
            todo += [each for each in after if each not in seen]
            seen.update(after)
    return frozenset(outcomes)


def drained(now: Moment, thread: int) -> Moment:
    """Let the oldest store of a buffer reach memory."""
    (word, value), *rest = now.buffers[thread]
    memory = tuple((name, value if name == word else held) for name, held in now.memory)
    return now._replace(memory=memory, buffers=placed(now.buffers, thread, tuple(rest)))


def acted(now: Moment, thread: int, do: Do, *, buffers: bool) -> list[Moment]:
    """Do what a thread does next, if it can be done now."""
    kind, word, value = do
    waiting = now.buffers[thread]
    answer = 0
    if kind == "store" and buffers:
        now = now._replace(buffers=placed(now.buffers, thread, (*waiting, (word, value))))
    elif kind == "load":
        own = [held for name, held in waiting if name == word]
        answer = own[-1] if own else dict(now.memory)[word]
    elif waiting:
        return []
    elif kind != "fence":
        answer = dict(now.memory)[word] if kind != "store" else 0
        new = answer | value if kind == "or" else value
        now = now._replace(memory=tuple((name, new if name == word else held) for name, held in now.memory))
    return [now._replace(answers=placed(now.answers, thread, (*now.answers[thread], answer)))]


def placed(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    """Return a tuple with one item replaced."""
    return (*items[:index], item, *items[index + 1 :])


class Graph(NamedTuple):
    """A partial execution as the stateless checkers count them: who read from whom, and each word's order of writes."""

    answers: tuple[tuple[int, ...], ...]
    sources: tuple[tuple[tuple[int, int], ...], ...]
    """For each thread and each read or exchange the (thread, number) of the write that it saw."""
    writes: tuple[tuple[str, tuple[tuple[int, int, int], ...]], ...]
    """For each word its writes so far, as (thread, number, value); the first is the initial one."""


def executions(shape: Shape) -> int:
    """Count the executions: runs, one step after the other, that differ in who read from whom or who wrote first."""
    threads = bodies(shape, barrier=True)
    nothing = ((),) * len(threads)
    todo = [Graph(nothing, nothing, tuple((word, ((-1, 0, 0),)) for word in WORDS))]
    seen = set(todo)
    complete = 0
    while todo:
        now = todo.pop()
        due = [resumed(body, answers) for body, answers in zip(threads, now.answers, strict=True)]
        complete += all(isinstance(each, int) for each in due)
        after = [extended(now, thread, do) for thread, do in enumerate(due) if not isinstance(do, int)]
        todo += [each for each in set(after) if each not in seen]
        seen.update(after)
    return complete


def extended(now: Graph, thread: int, do: Do) -> Graph:
    """Add what a thread does next."""
    kind, word, value = do
    answer, sources, writes = 0, now.sources, dict(now.writes)
    if kind in ("load", "exchange", "or"):
        writer, number, answer = writes[word][-1]
        sources = placed(sources, thread, (*sources[thread], (writer, number)))
    if kind in ("store", "exchange", "or"):
        made = (thread, len(now.answers[thread]), answer | value if kind == "or" else value)
        writes[word] = (*writes[word], made)
    return Graph(placed(now.answers, thread, (*now.answers[thread], answer)), sources, tuple(writes.items()))
