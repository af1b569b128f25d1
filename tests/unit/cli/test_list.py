"""``pirace list``."""

from __future__ import annotations

from typing import Any

from emu.accounting import CHECKS
from emu.mutations import MUTATIONS
from emu.scenarios import POLICIES, SCENARIOS
from hosts.cli.listing import CHECK_ORIGIN, listing


def test_each_name_has_one_line_with_its_origin() -> None:
    """Scenarios, policies, mutations; and the commit that each comes from."""
    lines = list(listing())
    everything: list[Any] = [*SCENARIOS, *POLICIES, *MUTATIONS]
    for each in everything:
        (line,) = (line for line in lines if line.split()[:1] == [each.name])
        assert each.about in line
        assert line.endswith(f"[{each.origin}]")


def test_each_checker_has_one_line() -> None:
    """With where its rule is argued."""
    lines = list(listing())
    assert set(CHECK_ORIGIN) == set(CHECKS)
    for check in CHECKS:
        (line,) = (line for line in lines if line.split()[:1] == [check])
        assert line.endswith(f"[{CHECK_ORIGIN[check]}]")


def test_sections() -> None:
    """Four of them."""
    assert [line for line in listing() if line.endswith(":")] == ["scenarios:", "policies:", "mutations:", "checkers:"]
