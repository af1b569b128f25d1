"""The seconds that an exploration is given bound all of it, not only its search."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from emu.expected import policy_by_name
from hosts.explorer import refine
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search import bfs
from hosts.explorer.search.result import Progress
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program


def test_the_walks_before_the_search_are_in_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is spent on them, the search ends as one that has no time."""
    hours = itertools.count(step=3600)
    monkeypatch.setattr(refine, "time", SimpleNamespace(monotonic=lambda: float(next(hours)) - 1e6))
    walked: list[Any] = []
    walk = refine._walk
    monkeypatch.setattr(refine, "_walk", lambda *arguments: (walked.append(arguments), walk(*arguments)))
    builder = Builder(load_program(), scope_of(None, "post:34"), policy_by_name("elide-self-2022").number)
    result, _, _ = explore(builder, Options(seconds=3 * 3600.0))
    assert len(walked) <= 3
    assert result.bounded_by == ("seconds",)


def walks_of(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note the walks."""
    walked: list[Any] = []
    walk = refine._walk
    monkeypatch.setattr(refine, "_walk", lambda *arguments: (walked.append(arguments), walk(*arguments)))
    return walked


def test_the_walks_take_half_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half is the search's, which finds out by itself what they have not seen; the states are the same."""
    walked, clock = walks_of(monkeypatch), SimpleNamespace(now=0.0)
    monkeypatch.setattr(refine, "time", SimpleNamespace(monotonic=lambda: clock.now + len(walked)))
    monkeypatch.setattr(bfs, "time", SimpleNamespace(monotonic=lambda: clock.now + len(walked)))
    builder = Builder(load_program(), scope_of(None, "device"), policy_by_name("elide-self-2022").number)
    result, _, _ = explore(builder, Options(seconds=16.0))
    assert len(walked) == 8
    assert (result.complete, result.states) == (True, 409)


def test_walks_are_shown_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches is asked before each; after a no the search ends, too, as one that was cancelled."""
    walked, shown = walks_of(monkeypatch), list[int]()

    def watch(progress: Progress) -> bool:
        shown.append(progress.states)
        return len(walked) < 3

    monkeypatch.setattr(bfs, "REPORT_SECONDS", 0.0)
    builder = Builder(load_program(), scope_of(None, "post:34"), policy_by_name("elide-self-2022").number)
    result, _, _ = explore(builder, Options(seconds=3600.0), watch)
    assert (len(walked), set(shown[:4])) == (3, {0})
    assert result.bounded_by == ("cancelled",)


def test_more_windows_than_a_search_can_tell_apart_bound_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of what was not told apart: the search ends there, and says why."""
    monkeypatch.setattr("hosts.explorer.compiled.abi.NOTED", 3)
    builder = Builder(load_program(), scope_of(None, "post:34"), policy_by_name("elide-self-2022").number)
    result, _, _ = explore(builder, Options())
    assert (result.complete, result.bounded_by) == (False, ("windows",))
