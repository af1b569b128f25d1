"""Search restricted to runs in which a relaxed read-modify-write stays atomic: what they violate is owed to the fence.

An operation without a fence behind reads, and its store waits in the buffer; another write to its word meanwhile would
be lost. Runs with such a write are left out. Plain Python over the reference semantics: for small scopes, and for
assertion violations only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from hosts.explorer.build import Builder
from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.rmw import modifies
from hosts.explorer.model.semantics import Micro, Outcome, Product, State
from hosts.explorer.model.system import AbstractionRefuted

Flags = tuple[tuple[bool, ...], ...]
"""For each thread and each store in its buffer, whether it is such an operation's."""
Ending = Literal["violation", "clean", "bounded"]

LOOKS: Final = 500
"""States between two looks at the time."""


def atomic_runs(
    builder: Builder, options: Options, function: str, line: int, goes_on: Callable[[], bool]
) -> tuple[Ending, int, int]:
    """Search these runs; return the ending, the assertion violation or -1, and the number of moves to it."""
    begun = time.monotonic()
    product = None
    while product is None:
        try:
            product = _Atomic(builder, options, function, line)
            return product.search(lambda: goes_on() and not _over(options, begun))
        except AbstractionRefuted:
            product = None
    raise AssertionError


def _over(options: Options, begun: float) -> bool:
    return bool(options.seconds) and time.monotonic() - begun >= options.seconds


class _Atomic:
    """The reference semantics without the runs in which another write comes in between."""

    def __init__(self, builder: Builder, options: Options, function: str, line: int) -> None:
        self.model = builder.model()
        self.product = Product(self.model, replace(options, reduce=False))
        self.place = (function, line)

    def search(self, goes_on: Callable[[], bool]) -> tuple[Ending, int, int]:
        """Search breadth first."""
        first = self.product.initial()
        start: tuple[State, Flags] = (first, ((),) * len(first.locals))
        seen, queue = {start}, deque([(start, 0)])
        count = 0
        while queue:
            (state, flags), depth = queue.popleft()
            count += 1
            if count % LOOKS == 0 and not goes_on():
                return "bounded", -1, depth
            for outcome in self.product.outcomes(state):
                after = self.flags(state, flags, outcome)
                if after is None:
                    continue
                if outcome.sighting >= 0:
                    return "violation", outcome.sighting, depth + 1
                new = (outcome.state, after)
                if new not in seen:
                    seen.add(new)
                    queue.append((new, depth + 1))
        return ("bounded" if self.product.waited else "clean"), -1, 0

    def flags(self, state: State, flags: Flags, outcome: Outcome) -> Flags | None:
        """Return the flags behind a move, or None if it makes an operation not atomic."""
        move = outcome.move
        mine = list(flags[move.thread])
        if move.agent == "drain":
            mine.pop(0)
            if self._awaited(state, flags, move.thread, state.buffers[move.thread][0][0]):
                return None
        for micro in outcome.micros:
            if micro.operation.kind == Op.STORE and self.product.options.buffer:
                place = self.model.threads[move.thread].place(micro.operation.where)
                mine.append((place.function, place.line) == self.place)
            elif changes(micro) and self._awaited(state, flags, move.thread, micro.operation.word):
                return None
        return (*flags[: move.thread], tuple(mine), *flags[move.thread + 1 :])

    def _awaited(self, state: State, flags: Flags, thread: int, word: int) -> bool:
        """Return whether another thread's operation on a word has read and its store waits."""
        return any(
            late and waiting == word
            for other, (buffer, own) in enumerate(zip(state.buffers, flags, strict=True))
            if other != thread
            for (waiting, _), late in zip(buffer, own, strict=True)
        )


def changes(micro: Micro) -> bool:
    """Return whether a locked operation has changed its word."""
    operation = micro.operation
    return modifies(operation.kind, micro.answer, operation.a, operation.b)
