"""The schema against the types that are written into records: the same keys, and values of the same kinds.

msgspec says of a type what its JSON is; the schema says the same, and may be stricter (a text is one of some names).
Seen to fail with a field that the schema does not have, one that may be null there alone, and a name less of a Literal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import pytest
from msgspec import defstruct, json

from hosts.explorer.audit.verdicts import Attempt
from hosts.runs.collect import Violation
from hosts.runs.explored import Explored
from hosts.soak.plan.choose import CampaignSettings
from hosts.soak.store.rows import Session
from hosts.soak.store.tallies import Cell
from hosts.soak.task import Task
from hosts.soak.view.rates import Key, Spread
from tests.validator import KINDS, anchored, is_kind, rule_of

Rule = Mapping[str, Any]

INSIDE = object()
"""Of a field: its value is not in the record under a key of its own."""
WRITTEN: list[tuple[type, Rule, dict[str, Any], set[str]]] = [
    (Task, rule_of("run")["task"], {}, set()),
    (CampaignSettings, rule_of("campaign")["settings"], {}, {"policy_sha256"}),
    (Session, anchored()["sessions"]["items"], {}, set()),
    (Violation, anchored()["sightings"]["items"], {}, set()),
    (Violation, anchored()["findings"]["items"], {}, set()),
    (Spread, anchored()["spread"], {}, set()),
    (Explored, rule_of("result", "processes")["explored"]["anyOf"][1], {"fault": INSIDE, "entered": INSIDE}, set()),
    (
        Attempt,
        rule_of("audit")["ways"]["items"]["properties"]["scopes"]["items"],
        {"way": INSIDE, "apart": "clean_if_atomic", "check": INSIDE, "vector": INSIDE},
        {"check", "vector"},  # null where the type has an empty text, or -1
    ),
]
LINES = {"cells": (Cell, {}), "rates": (Key, {"sharing": "company"})}
"""The types that a line of a status begins with, whose figures follow."""


def by_kind(rule: Rule, named: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return what a rule says of each kind of JSON value that it allows; {}: anything is allowed."""
    if "$ref" in rule:
        return by_kind(named[rule["$ref"]], named)
    if "anyOf" in rule:
        return {kind: each for part in rule["anyOf"] for kind, each in by_kind(part, named).items()}
    values = rule.get("enum", [rule["const"]] if "const" in rule else [])
    if values:
        kinds = [next(kind for kind in ("integer", *KINDS) if is_kind(value, kind)) for value in values]
        return {kind: {"enum": [each for each in values if is_kind(each, kind)]} for kind in kinds}
    kinds = rule.get("type", [])
    return dict.fromkeys([kinds] if isinstance(kinds, str) else kinds, rule)


def differences(theirs: Rule, ours: Rule, named: Mapping[str, Rule], at: str = "$") -> Iterator[str]:
    """Say where the schema of a type and ours are of different values."""
    typed, said = by_kind(theirs, named), by_kind(ours, {f"#{name}": rule for name, rule in anchored().items()})
    if not typed:
        return
    kinds = {"number" if kind == "integer" and "number" in typed else kind for kind in said}
    if kinds != set(typed):
        yield f"{at}: {sorted(typed)} of the type, {sorted(said)} of the schema"
        return
    for kind, rule in typed.items():
        other = said.get(kind, {})
        if kind in ("string", "integer") and "enum" in rule and set(rule["enum"]) != set(other.get("enum", ())):
            yield f"{at}: {rule['enum']} of the type, {other.get('enum')} of the schema"
        if kind == "array":
            yield from differences(rule["items"], other["items"], named, f"{at}[]")
        if "properties" in rule:
            names = rule["properties"].keys() ^ other["properties"].keys()
            yield from (f"{at}.{name}: not in both" for name in names)
            for name in rule["properties"].keys() - names:
                yield from differences(rule["properties"][name], other["properties"][name], named, f"{at}.{name}")


def of_type(kind: type) -> tuple[dict[str, Any], dict[str, Rule]]:
    """Return the schema of a type's fields, and of the types that it names."""
    hints = get_type_hints(kind)
    (whole,), named = json.schema_components([defstruct(kind.__name__, list(hints.items()))])
    rules = {f"#/$defs/{name}": rule for name, rule in named.items()}
    return dict(rules[whole["$ref"]]["properties"]), rules


def held_against(kind: type, ours: Mapping[str, Rule], names: Mapping[str, Any], more: set[str]) -> list[str]:
    """Hold a type against the keys of a record, of which ``more`` are not the type's."""
    fields, named = of_type(kind)
    keys = {names.get(name, name): rule for name, rule in fields.items() if names.get(name) is not INSIDE}
    rest = {name: rule for name, rule in ours.items() if name not in more}
    return list(differences({"type": "object", "properties": keys}, {"type": "object", "properties": rest}, named))


@pytest.mark.parametrize(("kind", "rule", "names", "more"), WRITTEN, ids=[kind.__name__ for kind, *_ in WRITTEN])
def test_a_type_is_what_the_schema_says(kind: type, rule: Rule, names: dict[str, Any], more: set[str]) -> None:
    """Key by key."""
    assert held_against(kind, rule["properties"], names, more) == []
    assert more <= set(rule["properties"])


@pytest.mark.parametrize("lines", LINES)
def test_a_line_begins_with_what_its_runs_have_in_common(lines: str) -> None:
    """A cell, or the key of a rate."""
    kind, names = LINES[lines]
    ours = rule_of("status")[lines]["items"]["properties"]
    keys = {names.get(name, name) for name in get_type_hints(kind)}
    assert keys <= set(ours)
    assert held_against(kind, ours, names, set(ours) - keys) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"more": {"type": "string"}}, "$.more: not in both"),
        ({"pcpus": {"type": ["integer", "null"]}}, "$.pcpus: ['integer'] of the type"),
        ({"pcpus": {"type": "string"}}, "$.pcpus: ['integer'] of the type"),
        ({"kind": {"enum": ["race"]}}, "$.kind: ['explore', 'race'] of the type"),
        ({"processors": {"type": "array", "items": {"type": "string"}}}, "$.processors[]: ['integer'] of the type"),
    ],
)
def test_a_difference_is_found(changed: dict[str, Rule], said: str) -> None:
    """These checks are no rubber stamp."""
    (found,) = held_against(Task, {**rule_of("run")["task"]["properties"], **changed}, {}, set())
    assert found.startswith(said)
