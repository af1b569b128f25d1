"""Messages between the scheduler and the processes, through pipes. IPIs do not go this way: they are ZeroMQ's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Connect:
    """Connect to all processes, which are bound."""


@dataclass(frozen=True)
class Run:
    """Take one step; ``answers`` are for the choices in it."""

    answers: tuple[int, ...]


@dataclass(frozen=True)
class Drain:
    """Flush the oldest store of the buffer to memory."""


@dataclass(frozen=True)
class Arrive:
    """Deliver an IPI: receive it and make its vector pending."""

    vector: int


Command = Connect | Run | Drain | Arrive


@dataclass(frozen=True)
class Executed:
    """One operation as it was done; the same fields as a :class:`hosts.explorer.counterexample.witness.Row`."""

    kind: str
    word: str
    a: int
    b: int
    answer: int
    function: str
    file: str
    line: int


Position = Literal["before an operation", "before an operation that has to wait", "at its end"]


@dataclass(frozen=True)
class Report:
    """The answer of a process to a command that it has executed."""

    done: tuple[Executed, ...] = ()
    """The operations of the step."""
    position: Position = "before an operation"
    waiting: int = 0
    """Stores in the buffer."""
    drained: tuple[str, int] = ("", 0)
    """The word and the value of the store that reached memory."""
    diverged: str = ""
    """Why the process could not do it as the witness has it."""
    error: str = ""
    """What went wrong in the process itself."""
    environment: str = ""
    """What the machine lacks, if the process could not start."""
