"""What a user's patches bring besides functions, for people: one line before a run, and the sections of a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hosts.loader.own.declared import Each, Own

_EACH: Final = {Each.VCPU: "for each vCPU", Each.PCPU: "for each pCPU", Each.ALL: "for all"}

Section = tuple[str, list[tuple[str, str, str]]]
"""A title, and of each line the name, the origin and what it is about."""


def brought_line(label: str, own: Own) -> str:
    """Return what patches bring, by name; empty: nothing."""
    parts = [
        _part("words", (f"{each.name} ({_EACH[each.each]})" for each in own.structs)),
        _part("window", (each.name for each in own.own_windows)),
        _part("act", (each.name for each in own.acts)),
        _part("check", (each.name for each in own.own_checks)),
        _part("scenario", (each.name for each in own.scenarios)),
    ]
    said = "; ".join(filter(None, parts))
    return f"{label}: brings {said}" if said else ""


def _part(kind: str, names: Iterable[str]) -> str:
    listed = list(names)
    plural = kind + ("s" if len(listed) > 1 and not kind.endswith("s") else "")
    return f"{plural} {', '.join(listed)}" if listed else ""


def own_sections(own: Own) -> Iterator[Section]:
    """Return what patches bring, as sections of a list."""
    structs = [
        (f"{struct.name}.{field.name}", str(struct.place), f"{_EACH[struct.each]}, {field.use.value}")
        for struct in own.structs
        for field in struct.fields
    ]
    windows = [(each.name, str(each.place), "") for each in own.own_windows]
    checks = [(each.name, str(each.place), each.about or f"at {', '.join(each.points)}") for each in own.own_checks]
    acts = [(each.name, str(each.place), each.about) for each in own.acts]
    scenarios = [(each.name, each.origin, each.about) for each in own.scenarios]
    for kind, rows in (
        ("scenarios", scenarios),
        ("checkers", checks),
        ("acts", acts),
        ("windows", windows),
        ("words", structs),
    ):
        if rows:
            yield f"{kind} of your patch", rows
