"""The schema against the code whose records it describes: every name that can occur, and no other."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest

from emu.observe.accounting import CHECKS
from hosts.cli.litmus import Why
from hosts.explorer.audit.relax import NEITHER, NO_ATOMICITY, NO_FENCE_BEFORE, NO_FENCE_BEHIND, Kind, Site, sites
from hosts.explorer.audit.verdicts import (
    COMPILER_ONLY,
    NEVER_REACHED,
    Answer,
    Attempt,
    Outcome,
    locked_verdict,
    verdict_of,
)
from hosts.litmus.outcome import OBSERVED, MemoryModel
from hosts.litmus.syntax import Quantifier
from hosts.loader.program import load_program
from hosts.replay.scheduler import Ending
from hosts.report.jsonl import SCHEMA_VERSION, schema
from tests.validator import rule_of

FOUND = {*CHECKS, "deadlock", "no-progress"}


def enum(rule: Any, *path: str) -> set[Any]:
    """Return the names that a place of a record can hold."""
    for name in path:
        rule = rule["items"]["properties"] if "items" in rule else rule.get("properties", rule)
        rule = rule[name]
    rule = rule.get("items", rule)
    found = rule["enum"] if "enum" in rule else rule["anyOf"][0]["enum"]
    assert len(found) == len(set(found))
    return set(found)


def locked_verdicts() -> set[str]:
    """Return all that can be said of a locked operation."""
    said = set()
    relaxations = (NO_FENCE_BEFORE, NO_FENCE_BEHIND, NO_ATOMICITY, NEITHER)
    for answers in itertools.product(get_args(Answer), repeat=len(relaxations)):
        for atomic, apart in itertools.product((True, False), repeat=2):
            fires = Attempt(NO_FENCE_BEHIND, "s", "violation", atomic=atomic, apart=apart)
            said.add(
                locked_verdict(dict(zip(relaxations, answers, strict=True)), [fires] if answers[1] == "needed" else [])
            )
    return said


def test_the_version_is_that_of_the_identifier() -> None:
    """A reader finds the version that an environment record names."""
    assert schema()["$id"] == f"urn:pirace:records:{SCHEMA_VERSION}"


def test_an_audit_says_nothing_else() -> None:
    """Kinds of orderings, ways, outcomes, answers, and each verdict that they can come to."""
    rule = rule_of("audit")
    found = sites(load_program(mutations=()))
    assert enum(rule, "kind") == set(get_args(Kind)) == {site.kind for site in found}
    assert enum(rule, "ways", "way") == {way.name for site in found for way in site.relaxations}
    assert enum(rule, "ways", "answer") == set(get_args(Answer))
    assert enum(rule, "ways", "scopes", "outcome") == set(get_args(Outcome))
    assert enum(rule, "ways", "scopes", "check") == FOUND | {None}
    assert enum(rule, "fence") == enum(rule, "atomicity") == {*get_args(Answer), None}
    assert enum(rule, "verdict") == {*get_args(Answer), COMPILER_ONLY, NEVER_REACHED, *locked_verdicts()}
    ordered = Site("ordered", "f.py", 1, "f", "t", ())
    assert verdict_of(ordered, ()) == COMPILER_ONLY


def test_scopes_replays_and_reconciliations_say_nothing_else() -> None:
    """Checks and endings."""
    assert enum(rule_of("audit-scope"), "violation") == FOUND | {None}
    replayed = rule_of("replay")
    assert enum(replayed, "check") == FOUND
    assert enum(replayed, "ending") == set(get_args(Ending))
    assert enum(replayed, "violations", "check") == set(CHECKS)
    assert enum(rule_of("reconcile"), "allowed", "checks") == FOUND


def test_a_litmus_test_says_nothing_else() -> None:
    """Models, quantifiers, observations, and why there is none."""
    assert enum(rule_of("litmus-unanswered"), "model") == set(get_args(MemoryModel))
    assert enum(rule_of("litmus-unanswered"), "why") == set(get_args(Why))
    rule = rule_of("litmus")
    assert enum(rule, "model") == set(get_args(MemoryModel))
    assert enum(rule, "quantifier") == set(get_args(Quantifier))
    assert enum(rule, "observation") == set(OBSERVED.values())


@pytest.mark.parametrize("kind", ["audit-scope", "audit", "reconcile", "replay", "litmus", "litmus-unanswered"])
def test_every_key_is_promised(kind: str) -> None:
    """A record has all its keys, always."""
    (rule,) = [rule for rule in schema()["oneOf"] if rule["properties"]["record"]["const"] == kind]
    assert rule["required"] == list(rule["properties"])
    assert rule["additionalProperties"] is False
