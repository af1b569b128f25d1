"""What a seeded bug is: edits of statements, and the verdicts that it must give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Outcome = Literal["PASS", "VIOLATION", "MAY"]


@dataclass(frozen=True)
class Edit:
    """Replace consecutive statements of a function; nothing instead means they are dropped."""

    function: str
    find: str
    becomes: str = ""
    occurrence: int = 1


@dataclass(frozen=True)
class Row:
    """What a mutation must give under some policies in one scenario, and which of the checks must fire."""

    scenario: str
    policies: str
    outcome: Outcome
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mutation:
    """One seeded bug. ``fabric_fault`` is done by the host's fabric, not by an edit."""

    number: int
    name: str
    about: str
    origin: str
    edits: tuple[Edit, ...]
    rows: tuple[Row, ...]
    fabric_fault: int = 0


ALL: Final = "always elide kick"
NEW: Final = "always elide"
"""Policies, by the short names that :mod:`emu.expected` spells out."""
