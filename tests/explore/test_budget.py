"""The seconds that an exploration is given bound all of it, not only its search."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from emu.expected import policy_by_name
from hosts.explorer import build
from hosts.explorer.build import Builder, explore
from hosts.explorer.model import Options
from hosts.explorer.scope import scope_of
from hosts.loader import load_program


def test_the_walks_before_the_search_are_in_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is spent on them, the search ends as one that has no time."""
    hours = itertools.count(step=3600)
    monkeypatch.setattr(build, "time", SimpleNamespace(monotonic=lambda: float(next(hours)) - 1e6))
    walked: list[Any] = []
    walk = build._walk
    monkeypatch.setattr(build, "_walk", lambda *arguments: (walked.append(arguments), walk(*arguments)))
    builder = Builder(load_program(), scope_of(None, "post:34"), policy_by_name("elide-self-2022").number)
    result, _, _ = explore(builder, Options(seconds=3 * 3600.0))
    assert len(walked) <= 3
    assert result.bounded_by == ("seconds",)
