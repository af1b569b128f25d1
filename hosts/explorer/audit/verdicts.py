"""Verdicts of the audit: the outcome of one relaxation in one scope, and what all of them say of an ordering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hosts.explorer.audit.relax import NEITHER, NO_ATOMICITY, NO_FENCE_BEFORE, NO_FENCE_BEHIND, Site

Outcome = Literal["violation", "clean", "bounded", "never reached", "fault"]
Answer = Literal["needed", "not needed", "unknown"]

COMPILER_ONLY: Final = "compiler only"
NEVER_REACHED: Final = "never reached"


@dataclass(frozen=True)
class Attempt:
    """The outcome of one relaxation in one scope."""

    way: str
    scope: str
    outcome: Outcome
    check: str = ""
    """Of a violation the check that fires, or ``deadlock`` or ``no-progress``."""
    vector: int = -1
    steps: int = 0
    states: int = 0
    seconds: float = 0.0
    reason: str = ""
    atomic: bool = True
    """Of a violation without a fence behind: in it the operation was atomic all the same."""
    apart: bool = False
    """Of one that was not: no run in which it is atomic violates anything, all were seen."""


def answer_of(attempts: Sequence[Attempt]) -> Answer:
    """Return whether a relaxation violates anything in any scope."""
    if any(each.outcome == "violation" for each in attempts):
        return "needed"
    reached = [each for each in attempts if each.outcome != "never reached"]
    return "not needed" if reached and all(each.outcome == "clean" for each in reached) else "unknown"


def verdict_of(site: Site, attempts: Sequence[Attempt]) -> str:
    """Return the verdict on an ordering."""
    if site.kind == "ordered":
        return COMPILER_ONLY
    if all(each.outcome == "never reached" for each in attempts):
        return NEVER_REACHED
    answers = {way.name: answer_of([each for each in attempts if each.way == way.name]) for way in site.relaxations}
    return locked_verdict(answers, attempts) if site.kind == "locked" else answers[site.relaxations[0].name]


def fence_and_atomicity(answers: Mapping[str, Answer], attempts: Sequence[Attempt]) -> tuple[Answer, Answer]:
    """Return whether the fence of a locked operation is needed, and whether its atomicity is.

    A violation without a fence behind shows that the fence is needed if the operation was atomic in it all the same;
    or if one that is fenced but not atomic does no harm. It is not needed if no run in which it is atomic violates
    anything.
    """
    atomicity = answers[NO_ATOMICITY]
    before, behind = answers[NO_FENCE_BEFORE], answers[NO_FENCE_BEHIND]
    shown = [each for each in attempts if each.way == NO_FENCE_BEHIND and each.outcome == "violation"]
    proven = behind == "needed" and (any(each.atomic for each in shown) or atomicity == "not needed")
    if before == "needed" or proven:
        return "needed", atomicity
    if shown and all(each.apart for each in shown):
        others = [each for each in attempts if each.way == NO_FENCE_BEHIND and each not in shown]
        behind = "unknown" if any(each.outcome in ("bounded", "fault") for each in others) else "not needed"
    return ("not needed" if before == behind == "not needed" else "unknown"), atomicity


def locked_verdict(answers: Mapping[str, Answer], attempts: Sequence[Attempt]) -> str:
    """Return the verdict on a locked operation."""
    fence, atomicity = fence_and_atomicity(answers, attempts)
    if fence == atomicity == "needed":
        return "needs both"
    if fence == atomicity == "not needed":
        return {"needed": "needs one of the two", "not needed": "needs neither"}.get(answers[NEITHER], "unknown")
    if fence == atomicity == "unknown":
        return "unknown"
    names = {"the fence": fence, "atomicity": atomicity}
    parts = [f"needs {name}" for name, answer in names.items() if answer == "needed"]
    parts += [f"{name} unknown" for name, answer in names.items() if answer == "unknown"]
    if not parts or parts[0].endswith("unknown"):
        parts += [f"{name} not needed" for name, answer in names.items() if answer == "not needed"]
    return ", ".join(parts)
