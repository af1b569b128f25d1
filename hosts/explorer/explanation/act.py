"""Events of an explained counterexample: one thing that a thread does, and the machine as it is seen after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

View = Mapping[str, Any]
"""What can be seen of the machine at one moment; see :func:`hosts.explorer.explanation.state_view.view_of`."""


@dataclass(frozen=True)
class Act:
    """One thing that happens: an operation, or something said of a thread (``entry``, ``exit``, ``guest``, ...)."""

    thread: int
    kind: str
    """The name of an Op in witness files, or one of drain, arrive, entry, exit, guest, deliver, sighting."""
    word: str = ""
    a: int = 0
    b: int = 0
    answer: int = 0
    function: str = ""
    file: str = ""
    line: int = 0
    own: bool = False
    """Done by the thread alone: nobody else uses the word."""


@dataclass(frozen=True)
class StepEvent:
    """An event of a step, and the state that is seen after it."""

    step: int
    """The number of the step, from 1."""
    part: int
    """0 for the step's own operation, from 1 for what the thread does by itself behind it."""
    act: Act
    view: View

    def data(self) -> dict[str, Any]:
        """Return it as a witness file keeps it."""
        return {"part": self.part, **asdict(self.act), "view": dict(self.view)}
