"""Continuations of tasks: what a task that is suspended takes along, wherever it is resumed.

Where pCPUs run vCPUs as tasks (emu.sched), a thread is still a pCPU, and its stack is that of the task running there.
``switch_to`` puts the stack away, with the values of the words that only this task uses, and goes on with another.
What was put away has a number, which is what the task's context word holds; equal ones have the same, on whichever pCPU
they were put away, and in whichever model of this world. So a task that migrates is nothing but a number.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hosts.explorer.threads.frames import SuspendedFrame, typed

NONE: Final = 0
"""What a context word holds while its task runs, or has never run."""
FRESH: Final = 1
"""The continuation of a task that has not begun."""
BEGINS: Final = "ret_from_fork"
"""The function in which a task begins."""


class WaitingFrame(NamedTuple):
    """A frame of a suspended task, told by names: every thread numbers its own frames."""

    function: str
    block: int
    call: int
    values: tuple[Any, ...]


class Continuation(NamedTuple):
    """A suspended task."""

    frames: tuple[WaitingFrame, ...]
    words: tuple[tuple[int, int], ...]
    """The words that only this task uses, by address, and what they hold where that is not what they held at first."""


class Continuations:
    """All continuations of a world, by number. A number stays what it is: states of several models hold it."""

    def __init__(self) -> None:
        begun = Continuation((WaitingFrame(BEGINS, 0, -1, ()),), ())
        self._known = [Continuation((), ()), begun]
        self._numbers: dict[Any, int] = {}

    def __getitem__(self, number: int) -> Continuation:
        """Return a continuation."""
        return self._known[number]

    def __len__(self) -> int:
        """Count the numbers given."""
        return len(self._known)

    def number(self, frames: tuple[SuspendedFrame, ...], words: tuple[tuple[int, int], ...]) -> int:
        """Return the number of a task that is suspended with this stack and these words."""
        key = (*[(f.flow.name, f.block, f.call, *[typed(each) for each in f.values]) for f in frames], words)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._known)
            waiting = tuple(WaitingFrame(f.flow.name, f.block, f.call, f.values) for f in frames)
            self._known.append(Continuation(waiting, words))
        return number
