"""The options that bring code of the user's, as typed; nothing else, so that ``--help`` loads nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class CodeOptions:
    """The options of the group."""

    patch: Sequence[str] = ()
    kernel: str | None = None
    only: Sequence[str] = ()
    stub: Sequence[str] = ()
    diff: str | None = None
    show_diff: bool = False

    NAMES: ClassVar = ("patch", "kernel", "only", "stub", "diff", "show_diff")

    @property
    def given(self) -> list[str]:
        """Return the options that were given."""
        return [f"--{name.replace('_', '-')}" for name in self.NAMES if getattr(self, name)]
