"""What was understood of each C function: nothing is dropped or decided silently."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Fate(enum.Enum):
    """What became of a function."""

    TRANSLATED = "translated"
    INLINED = "inlined"
    REFUSED = "refused"


@dataclass(frozen=True, order=True)
class Note:
    """One thing that was decided about a line."""

    file: str
    line: int
    what: str
    """The name or the condition as written."""
    became: str
    """The name in ``emu/``, the value, or which way it went."""
    reason: str = ""


@dataclass
class FunctionReport:
    """About one function that was taken, or was needed by one."""

    function: str
    """In C."""
    name: str
    """In the program."""
    file: str
    line: int
    fate: Fate = Fate.TRANSLATED
    refusal: str = ""
    """``file:line: reason``, if it was refused."""
    calls: list[Note] = field(default_factory=list)
    """Calls, and what they became."""
    dropped: list[Note] = field(default_factory=list)
    """Calls and stores that were left out."""
    directives: list[Note] = field(default_factory=list)
    """``#if`` and its like, and which way they went."""
    constants: list[Note] = field(default_factory=list)
    """Conditions and values that are constants on this machine."""
    remarks: list[Note] = field(default_factory=list)
    """Everything else that was decided: a local without a value that became 0."""
