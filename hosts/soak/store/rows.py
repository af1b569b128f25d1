"""What the campaign file says, as objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from hosts.soak.task import Result, Task

State = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One task, and what has become of it."""

    id: int
    state: State
    session: int
    """In which start of the soak it was begun."""
    task: Task
    attempts: int = 1
    died: tuple[str, ...] = ()
    """Why the attempts before the last one came to nothing."""
    began: str = ""
    """Wall time, a label."""
    ended: str = ""
    elapsed: float = 0.0
    """Seconds from its first begin to its end, of a clock that nobody sets."""
    clock: float = 0.0
    """Seconds by which the wall clock moved of its own meanwhile: it was set, or the machine slept."""
    why: str = ""
    """What interrupted it."""
    result: Result | None = None
    """Of a finished run; what it left in files is in the kept folder."""
    kept: Path | None = None
    """The folder of what it left."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One start of the soak on this campaign."""

    id: int
    began: str
    ended: str
    """Empty: it still runs, or was killed."""
    elapsed: float
    """Seconds until the last thing that it wrote."""
    environment: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which rows are meant; None: all."""

    ids: Iterable[int] | None = None
    state: State | None = None
    kind: str | None = None
    scenario: str | None = None
    policy: str | None = None
    mutation: str | None = None
    canary: bool | None = None
    place: str | None = None
    verdict: str | None = None
    as_expected: bool | None = None
    kept: bool | None = None

    def condition(self) -> tuple[str, list[Any]]:
        """Return it as SQL, with its values."""
        terms, values = ["1"], []
        if self.ids is not None:
            wanted = list(self.ids)
            terms.append(f"run.id IN ({', '.join('?' * len(wanted))})")
            values += wanted
        for name in COMPARED:
            value = getattr(self, name)
            if value is not None:
                terms.append(f"run.{name} = ?")
                values.append(value)
        return " AND ".join(terms), values


COMPARED: Final = (
    *("state", "kind", "scenario", "policy", "mutation", "canary"),
    *("place", "verdict", "as_expected", "kept"),
)
"""What a row is compared by, each a column."""
