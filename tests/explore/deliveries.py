"""Random threads of deliveries, open windows and checks, with the scheduling points that the explorer's threads have.

:mod:`tests.explore.models` draws operations, edges and flags at random: what has no scheduling point there has none by
definition. Here the flags are those of :mod:`hosts.explorer.threads`: marks begin and end deliveries, an IPI of a
delivery leaves in the step before, a vector whose handler does nothing is taken at the last point of an open window,
and whoever checks believes only what it sees with nobody inside and nothing on the way. That is a reduction: a search
in which each operation is a step and each point takes everything has to come to the same.

A thread's local state is its place in a script with all that it has read so far, so that an end tells the whole run.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from hosts.explorer.model.operations import BEGINS, OWN_FENCE, SCHEDULED, Op, Operation
from hosts.explorer.model.system import Model, SourceLocation, Transition
from hosts.explorer.model.without_handlers import WithoutHandlers

WORDS = 2
"""Words that deliveries are about; behind them lies the mark of each thread."""
VALUES = 4
QUIET, BUSY = 0, 1
"""Vectors: the first one's handler does nothing, the other's reads word 0."""
BITS = 40
"""Windows there is room for."""


class ToldTooMuch(Exception):  # noqa: N818 - no error
    """The checks of a model see more than there are windows."""


@dataclass
class Line:
    """One operation of a script, and what comes of its answer."""

    operation: Operation
    keeps: bool = False
    """The thread remembers the answer."""
    jumps: Mapping[int, int] = field(default_factory=dict)
    """By answer the next line, if not the one behind."""
    check: int = -1
    """The line behind the check that this belongs to; it goes there at once if it is not believed."""
    believes: str = ""
    """``even``, ``none``, ``any``, or ``same``: the answer must be the one that the check got so many answers ago."""
    before: int = 0


State = tuple[int, tuple[int, ...], tuple[int, ...]]
"""Line, what is remembered, what the check under way has been answered."""


class Scripted(WithoutHandlers):
    """A thread that goes through a script."""

    def __init__(self, script: list[Line], told: dict[object, int]) -> None:
        """``told``: the number of each thing that a check has seen, of all threads."""
        self.script = [*script, Line(Operation(Op.END))]
        self.told = told
        self.states: list[State] = [(0, (), ())]

    def operation(self, local: int) -> Operation:
        """Return the operation of a line."""
        return self.script[self.states[local][0]].operation

    def step(self, local: int, answer: int) -> Transition:
        """Go on."""
        at, kept, seen = self.states[local]
        line = self.script[at]
        after, windows = line.jumps.get(answer, at + 1), 0
        if line.keeps:
            kept = (*kept, answer)
        if line.check >= 0:
            seen = (*seen, answer)
            if not _believed(line, seen):
                after = line.check
            elif after == line.check:
                word = seen[len(seen) // 2 + 1]  # behind as many marks as come after it, and two looks at IPIs
                windows = 1 << self._number((id(self), at, kept, word))
        state = (after, kept, seen if self.script[after].check >= 0 and after != line.check else ())
        if state not in self.states:
            self.states.append(state)
        return Transition(self.states.index(state), windows, round=after <= at)

    def _number(self, what: object) -> int:
        number = self.told.setdefault(what, len(self.told))
        if number >= BITS:
            raise ToldTooMuch
        return number

    def place(self, where: int) -> SourceLocation:
        """Tell people where an operation comes from."""
        return SourceLocation("script", "script.py", where, "")

    def __len__(self) -> int:
        return len(self.states)


def _believed(line: Line, seen: tuple[int, ...]) -> bool:
    answer = seen[-1]
    match line.believes:
        case "even":
            return answer % 2 == 0
        case "none":
            return answer == 0
        case "same":
            return answer == seen[-1 - line.before]
    return True


class Writer:
    """Writes one thread's script."""

    def __init__(self, rng: random.Random, thread: int, threads: int) -> None:
        self.rng = rng
        self.thread = thread
        self.others = [each for each in range(threads) if each != thread]
        self.script: list[Line] = []
        self.inside = 0
        """What the own mark holds: odd within a delivery."""

    def written(self, blocks: int) -> list[Line]:
        """Write some blocks."""
        for _ in range(blocks):
            self.rng.choice([self._delivery, self._delivery, self._window, self._closed, self._guest, self._check])()
        return self.script

    def _delivery(self) -> None:
        """Marked from before the first effect until after the last."""
        mark = WORDS + self.thread
        if self.rng.random() < 0.5:
            self._add(Operation(Op.GHOST_READ, mark))
        self.inside += 1
        self._add(Operation(Op.GHOST_WRITE, mark, self.inside, 0, SCHEDULED | BEGINS))
        for _ in range(self.rng.randrange(1, 4)):
            if self.rng.random() < 0.5:
                vector = self.rng.choice([QUIET, QUIET, BUSY])
                self._add(Operation(Op.SEND, a=self.rng.choice([*self.others, self.thread]), b=vector))
            elif self.rng.random() < 0.2:
                self._add(Operation(Op.FENCE, a=OWN_FENCE))
            else:
                self._access()
        self.inside += 1
        self._add(Operation(Op.GHOST_WRITE, mark, self.inside))

    def _window(self) -> None:
        """Interrupts are on: points before each access, and a last one."""
        for _ in range(self.rng.randrange(2)):
            self._point(0)
            self._access()
        self._point(1)

    def _closed(self) -> None:
        """Interrupts are off."""
        for _ in range(self.rng.randrange(1, 3)):
            self._access()

    def _guest(self) -> None:
        """Interrupts are off, but what is pending is noticed, and ends this as it ends a stay in the guest."""
        at = len(self.script)
        self._add(Operation(Op.PENDING, flags=SCHEDULED), keeps=True, jumps={0: at + 2})
        self._add(Operation(Op.ACK, a=1), keeps=True)
        self._access()

    def _check(self) -> None:
        """Look at a word, interrupts off: it is believed if all were outside before and after, and nothing comes."""
        end = len(self.script) + 2 * len(self.others) + 3
        word = Operation(Op.GHOST_READ, self.rng.randrange(WORDS))
        marks = [Operation(Op.GHOST_READ, WORDS + other) for other in self.others]
        self._add(marks[0]._replace(flags=SCHEDULED), check=end, believes="even")
        for mark in marks[1:]:
            self._add(mark, check=end, believes="even")
        self._add(Operation(Op.IN_FLIGHT), check=end, believes="none")
        self._add(Operation(Op.PENDING), check=end, believes="none")
        self._add(word, check=end, believes="any")
        for mark in marks:
            self._add(mark, check=end, believes="same", before=len(marks) + 3)

    def _point(self, every: int) -> None:
        """Take what is pending, one after the other."""
        at = len(self.script)
        self._add(Operation(Op.POINT, a=every, flags=SCHEDULED), jumps={0: at + 3})
        self._add(Operation(Op.ACK, a=every), jumps={QUIET: at})
        self._add(Operation(Op.LOAD, 0, flags=SCHEDULED), keeps=True, jumps=dict.fromkeys(range(VALUES), at))

    def _access(self) -> None:
        kind = self.rng.choice([Op.LOAD, Op.LOAD, Op.STORE, Op.OR, Op.XCHG, Op.CMPXCHG, Op.FENCE])
        word, a, b = self.rng.randrange(WORDS), self.rng.randrange(VALUES), self.rng.randrange(VALUES)
        if kind == Op.FENCE:
            word, a = -1, 0
        operation = Operation(kind, word, a, b if kind == Op.CMPXCHG else 0, SCHEDULED)
        self._add(operation, keeps=kind == Op.LOAD or (kind in (Op.OR, Op.XCHG) and self.rng.random() < 0.3))

    def _add(self, operation: Operation, **more: object) -> None:
        self.script.append(Line(operation._replace(where=len(self.script)), **more))  # type: ignore[arg-type]


def random_deliveries(rng: random.Random) -> Model:
    """Draw a model of two or three threads that deliver to one another."""
    threads = rng.choice([2, 2, 3])
    told: dict[object, int] = {}
    scripts = [Writer(rng, t, threads).written(rng.randrange(1, 5 if threads == 2 else 3)) for t in range(threads)]
    return Model(
        threads=[Scripted(script, told) for script in scripts],
        names=[f"T{t}" for t in range(threads)],
        words=["x", "y", *(f"mark {t}" for t in range(threads))],
        initial=[0] * (WORDS + threads),
        vectors=(0xF2, 0xFD),
        deferrable=frozenset({QUIET}),
        buffer_flag_of=[-1] * WORDS + list(range(threads)),
    )
