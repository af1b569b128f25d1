"""``pirace list``: scenarios, policies, mutations and checkers, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from emu.mutations import MUTATIONS
from emu.workload.scenarios import CHECK_ABOUT, POLICIES, SCENARIOS
from hosts.terminal import wrapped

CHECK_ORIGIN: Final = {
    "C1": "b95234c84004, fact 2.4",
    "C2": "fdba608f15e2, fact 3.5",
    "C3": "33fd0ccd2590",
    "C4": "c112b5f50232, fact 1",
    "C5": "fact 4.1",
    "C7": "9b44423bf4c8",
    "C8": "9b44423bf4c8",
    "C9": "vcpu-requests.rst",
    "C10": "the fabric",
}
"""The commit, or the fact, that each check comes from."""


def listing(width: int | None = None) -> Iterator[str]:
    """Return the lines, broken at ``width``."""
    for line, hanging in _lines():
        yield from wrapped(line, width, " " * hanging)


def _lines() -> Iterator[tuple[str, int]]:
    """Return each line, and the indentation of its continuation."""
    yield from _section("scenarios", ((each.name, each.origin, each.about) for each in SCENARIOS))
    yield "", 0
    yield from _section("policies", ((each.name, each.origin, each.about) for each in POLICIES))
    yield "  or your own: --policy path/to/file.py:function", 0
    yield "", 0
    yield from _section("mutations", ((each.name, each.origin, each.about) for each in MUTATIONS))
    yield "", 0
    yield from _section("checkers", ((name, CHECK_ORIGIN.get(name, ""), about) for name, about in CHECK_ABOUT.items()))


def _section(title: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, int]]:
    rows = list(rows)
    width = max(len(name) for name, _, _ in rows)
    yield f"{title}:", 0
    for name, origin, about in rows:
        yield f"  {name:{width}}  {about}" + (f" [{origin}]" if origin else ""), width + 2
