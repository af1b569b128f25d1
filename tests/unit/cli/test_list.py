"""``pirace list``."""

from __future__ import annotations

import re
from typing import Any

import pytest

from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import POLICIES, SCENARIOS
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


@pytest.mark.parametrize("width", [80, 100])
def test_on_a_terminal_a_line_goes_on_below_what_it_says(width: int) -> None:
    """Between words, and the names stand out."""
    lines = list(listing(width))
    assert max(map(len, lines)) <= width
    names = {each.name for each in (*SCENARIOS, *POLICIES, *MUTATIONS)}
    assert names <= {line.split()[0] for line in lines if re.match(r"  \S", line)}
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(listing()).split())
