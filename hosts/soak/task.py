"""What a campaign consists of: independent tasks, each to be done anywhere and ending as exactly one row.

Both types cross machines as plain JSON, so that a row of the campaign file says all that is needed to do it again.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from msgspec import Struct, to_builtins

from hosts.loader.policy_name import is_user_policy
from hosts.loader.user_code import CodeSpec, spec_of
from hosts.runs.runner import Regime

Kind = Literal["race", "explore"]


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One configuration."""

    kind: Kind = "race"
    scenario: str
    policy: str
    """A name, or ``path/to/file.py:function``."""
    mutation: str | None = None
    canary: bool = False
    """A seeded bug that must be seen: it tells whether the campaign can see anything."""
    pcpus: int = 1
    place: str = "unpinned"
    """The class of the placement: how the pCPUs' processors lie to each other."""
    processors: tuple[int, ...] = ()
    """The processor of each pCPU; none: left to the scheduler."""
    regime: Regime = "calm"
    seed: int = 0
    seconds: float = 1.0
    """A race's length, an exploration's budget."""
    scope: str = ""
    """What an exploration explores; none: the scenario's own scope."""
    code: CodeSpec | None = None
    """What of the user's is in the machine besides a rule."""

    @property
    def is_own(self) -> bool:
        """Whether the rule, or another part of the machine, is the user's own."""
        return self.code is not None or is_user_policy(self.policy)

    @property
    def spec(self) -> CodeSpec:
        """All that of the user's is in the machine."""
        return spec_of(self.policy, self.code)

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(self.to_record(), separators=(",", ":"), sort_keys=True)

    def to_record(self) -> dict[str, Any]:
        """Return it as a record has it."""
        data: dict[str, Any] = to_builtins(self)
        return data if self.code is not None else {name: value for name, value in data.items() if name != "code"}

    def __str__(self) -> str:
        """Name it in one line."""
        mutated = f" + {self.mutation}" if self.mutation is not None else ""
        return f"{self.scenario} x {self.policy}{mutated}, {self.place}, {self.regime}, seed {self.seed}"


class Result(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of a task."""

    verdict: str
    """A :class:`hosts.runs.verdict.Verdict`."""
    reason: str = ""
    as_expected: bool | None = None
    seconds: float = 0.0
    """That it was raced, or searched."""
    record: dict[str, Any] = {}
    """The result record of the JSON schema, as of a stress run."""
    notes: tuple[str, ...] = ()
    """What a reader must know besides: stolen processors, bad frames, attempts that died."""
    disagreements: tuple[str, ...] = ()
    """Quantities whose two accountings differ."""
    where: str = ""
    """Host name and process of the worker."""
    processors: tuple[int, ...] = ()
    """The processor of each pCPU there, if they were pinned."""
    strayed: bool = False
    """A pCPU was not on its processor at the end: what was measured is no figure of the placement."""
    files: dict[str, bytes] = {}
    """What is to be kept of it, by file name: of a violation, a crash or a hang everything, else nothing."""
