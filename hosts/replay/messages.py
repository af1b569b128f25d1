"""What the director and the processes tell each other, through pipes. IPIs do not go this way: they are ZeroMQ's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Connect:
    """All listen: connect to all."""


@dataclass(frozen=True)
class Run:
    """Take one step; ``answers`` are for the choices in it."""

    answers: tuple[int, ...]


@dataclass(frozen=True)
class Drain:
    """Let the oldest store of the buffer reach memory."""


@dataclass(frozen=True)
class Arrive:
    """Take an IPI off the wire and pend its vector."""

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
    """What a process answers when it has done what it was told."""

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
    """What the machine lacks."""
