"""Scheduling points: when a process goes on and when it waits, in steps of the explorer.

See :meth:`hosts.explorer.model.semantics.Product.runs`. A step is the operation that is due and all that belong to it:
those without a scheduling point, and after an interrupt point at which nothing is pending the operation behind it.
A process that waits still flushes its stores and receives its IPIs, as the witness has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from hosts.explorer.model.operations import Op
from hosts.explorer.model.semantics import LONGEST_STEP
from hosts.replay.messages import Arrive, Command, Drain, Executed, Position, Report, Run

CALLS_AT_MOST: Final = 1_000_000
"""Calls of primitives in one step; more is a loop that no other thread can end."""


class Diverged(Exception):  # noqa: N818 - not an error of the program
    """The witness's step cannot be executed here; the message says why."""


class BufferedEffects(Protocol):
    """The effects of a process that happen between its operations, and what its checkers have recorded."""

    def drain(self) -> tuple[str, int]:
        """Flush the oldest store to memory; Diverged if there is none."""

    def arrive(self, vector: int) -> None:
        """Deliver an IPI; Diverged if none is under way."""

    def waiting(self) -> int:
        """Count the stores in the buffer."""

    def sightings(self) -> int:
        """Count what this pCPU's checkers have recorded."""


class SchedulingPoints:
    """The scheduling points of one process."""

    def __init__(self, pipe: Any, effects: BufferedEffects) -> None:
        """``pipe`` leads to the scheduler."""
        self._pipe = pipe
        self._effects = effects
        self._open = False
        """A step is under way."""
        self._waits = False
        """The process executes commands until one is to run."""
        self._done: list[Executed] = []
        self._answers: list[int] = []
        self._calls = 0
        self._calls_seen = -1
        self._seen_before = 0
        self._begun = False
        """More has been done than what instruments do before the thread's first operation, or behind a mark that begins
        something (hosts.explorer.model.operations.BEGINS)."""

    def before(self, *, scheduled: bool, point: bool, begins: bool, sends: bool, possible: Callable[[], bool]) -> None:
        """Return when the next operation may be executed: at once if it belongs to the step under way.

        ``point``: it is an interrupt point; ``begins``: a mark whose step the next effect belongs to, which is the next
        scheduled operation or IPI; ``sends``: it is an IPI.
        """
        first = scheduled and not point and not begins and not self._begun
        if self._open and self._ends(scheduled=scheduled and not first, possible=possible):
            self._close(_position(possible()))
        self._waits = True
        while not self._open:
            self._serve(possible)
        self._waits = False
        self._begun = not begins and (self._begun or scheduled or sends)
        if not possible():
            raise Diverged("the operation cannot be done yet: its store buffer has to drain first")

    def executed(self, operation: Executed) -> None:
        """Record an executed operation."""
        self._done.append(operation)

    def answer(self, below: int) -> int:
        """Return the next answer of a choice in this step."""
        if not self._answers:
            raise Diverged("the code has a choice to make that is not in the witness")
        answer = self._answers.pop(0)
        if not 0 <= answer < below:
            raise Diverged(f"the witness answers {answer} where there are {below} possibilities")
        return answer

    def called(self) -> None:
        """Count a call of a primitive."""
        self._calls += 1
        if self._calls > CALLS_AT_MOST:
            raise Diverged("the code goes on and on without letting others act")

    def goes_on(self) -> None:
        """Record that the code goes on although it calls no primitive: a task that is run over its log."""
        self._calls_seen = -1

    def check_progress(self) -> None:
        """Raise Diverged if the code has called no primitive since the last check: it loops around nothing."""
        if not self._waits and self._calls == self._calls_seen:
            raise Diverged("the code runs on and on without calling anything")
        self._calls_seen = self._calls

    def end(self) -> None:
        """End the thread; from then on only stores and IPIs move. Never returns."""
        self._close("at its end")
        self._waits = True
        while True:
            self._serve(None)

    # --- steps ---------------------------------------------------------------------------------------------------

    def _ends(self, *, scheduled: bool, possible: Callable[[], bool]) -> bool:
        """Return whether the step under way is over before the next operation."""
        done = len(self._done)
        if done == 0:
            return False
        if self._effects.sightings() != self._seen_before:
            return True
        forced = 2 if self._done[0].kind == Op.POINT.written else 1
        over = done >= forced or self._done[0].answer != 0
        if scheduled and over:
            return True
        if done > LONGEST_STEP:
            raise Diverged("the step does not come to an end")
        return done >= forced and not possible()

    def _close(self, position: Position) -> None:
        """Report what was done."""
        if self._open and self._answers:
            raise Diverged(f"the code makes fewer choices than the witness has answers ({len(self._answers)} left)")
        self._open = False
        self._report(Report(tuple(self._done), position, self._effects.waiting()))
        self._done = []

    def _serve(self, possible: Callable[[], bool] | None) -> None:
        """Execute the scheduler's next command. ``possible`` is about the operation due, if there is one."""
        command: Command = self._pipe.recv()
        match command:
            case Run(answers) if possible is not None:
                self._open, self._answers, self._calls, self._calls_seen = True, list(answers), 0, -1
                self._seen_before = self._effects.sightings()
                return
            case Run():
                raise Diverged("the thread has come to its end")
            case Drain():
                drained = self._effects.drain()
            case Arrive(vector):
                drained = ("", 0)
                self._effects.arrive(vector)
            case _:
                raise Diverged(f"not a command: {command}")
        position: Position = "at its end" if possible is None else _position(possible())
        self._report(Report((), position, self._effects.waiting(), drained))

    def _report(self, report: Report) -> None:
        self._pipe.send(report)

    @property
    def done(self) -> tuple[Executed, ...]:
        """The operations executed in the step under way."""
        return tuple(self._done)


def _position(possible: bool) -> Position:  # noqa: FBT001
    return "before an operation" if possible else "before an operation that has to wait"
