"""Holds records against the part of JSON Schema that ``hosts/report/schema.json`` uses."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hosts.report.jsonl import SCHEMA_VERSION, schema

SAYS_NOTHING = {"description", "title", "$schema", "$id", "$anchor", "$defs", "required", "additionalProperties"}
"""What restricts nothing, or what another keyword does."""
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_kind(value: Any, kind: str) -> bool:
    """Return whether a JSON value is of a schema's type."""
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, KINDS[kind])


def errors(value: Any, rule: dict[str, Any], at: str = "$") -> list[str]:
    """Hold a value against the part of JSON Schema that ours uses."""
    assert set(rule) <= {*CHECKED, *SAYS_NOTHING}
    found: list[str] = []
    for keyword, wanted in rule.items():
        if keyword in CHECKED and not found:
            found += CHECKED[keyword](value, wanted, at, rule)
    return found


def _type(value: Any, wanted: Any, at: str, _rule: dict[str, Any]) -> list[str]:
    kinds = wanted if isinstance(wanted, list) else [wanted]
    return [] if any(is_kind(value, kind) for kind in kinds) else [f"{at}: {value!r} is not {wanted}"]


def _properties(value: Any, wanted: Any, at: str, rule: dict[str, Any]) -> list[str]:
    missing = [f"{at}: {name} is missing" for name in rule.get("required", []) if name not in value]
    more: Any = rule.get("additionalProperties", True)
    found = missing
    for name, part in value.items():
        inner = wanted.get(name, more)
        if inner is False:
            found.append(f"{at}: {name} is not known")
        elif inner is not True:
            found += errors(part, inner, f"{at}.{name}")
    return found


CHECKED: dict[str, Callable[[Any, Any, str, dict[str, Any]], list[str]]] = {
    "type": _type,
    "properties": _properties,
    "const": lambda value, wanted, at, _: [] if value == wanted else [f"{at}: not {wanted!r}"],
    "enum": lambda value, wanted, at, _: [] if value in wanted else [f"{at}: {value!r} is none of {wanted}"],
    "minimum": lambda value, wanted, at, _: (
        [f"{at}: {value} < {wanted}"] if value is not None and value < wanted else []
    ),
    "pattern": lambda value, wanted, at, _: [] if re.search(wanted, value) else [f"{at}: {value!r} is not {wanted}"],
    "items": lambda value, wanted, at, _: [
        e for i, each in enumerate(value) for e in errors(each, wanted, f"{at}[{i}]")
    ],
    "oneOf": lambda value, wanted, at, _: _some_of(value, wanted, at),
    "anyOf": lambda value, wanted, at, _: _some_of(value, wanted, at),
    "$ref": lambda value, wanted, at, _: errors(value, anchored()[wanted.removeprefix("#")], at),
}


def _some_of(value: Any, wanted: Any, at: str) -> list[str]:
    tried = [errors(value, rule, at) for rule in wanted]
    return [] if any(not found for found in tried) else min(tried, key=len)


@functools.cache
def anchored() -> dict[str, dict[str, Any]]:
    """Return the parts of the schema that others refer to, by their names, each of which is of one part."""
    found = list(_anchors(schema()))
    assert len(dict(found)) == len(found)
    return dict(found)


def _anchors(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if isinstance(part.get("$anchor"), str):
            yield part["$anchor"], part
        for inner in part.values():
            yield from _anchors(inner)
    for inner in part if isinstance(part, list) else ():
        yield from _anchors(inner)


def records_in(file: Path) -> list[dict[str, Any]]:
    """Read a file of records: each is as the schema says, the first tells where they were made and in which version."""
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [errors(record, schema()) for record in records] == [[]] * len(records)
    assert (records[0]["record"], records[0]["schema"]) == ("environment", SCHEMA_VERSION)
    return records


def campaign_records_in(file: Path) -> list[dict[str, Any]]:
    """Read a file of a campaign's records: each is as the schema says, the first tells in which version."""
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [errors(record, schema()) for record in records] == [[]] * len(records)
    assert (records[0]["record"], records[0]["schema"]) == ("campaign", SCHEMA_VERSION)
    return records


def rule_of(kind: str, host: str | None = None) -> dict[str, Any]:
    """Return what the schema says of a kind of record."""
    rules = [rule for rule in schema()["oneOf"] if rule["properties"]["record"]["const"] == kind]
    (found,) = [rule for rule in rules if host is None or rule["properties"]["host"]["const"] == host]
    return dict(found["properties"])
