"""The command keeps what it has loaded and learnt in the user's cache, and goes on from there the next time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hosts.explorer.cache import programs
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.options import Options
from hosts.runs import explorer_runner
from hosts.runs.explore_request import asked_for
from hosts.runs.explorer_runner import Explorer


class Reached(Exception):  # noqa: N818 - ends the search where it would begin
    """The search was asked for."""


@pytest.fixture(autouse=True)
def _no_loops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no loops be compiled for a cache of the test's own."""
    monkeypatch.setattr(explorer_runner, "have_loops", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_protocol_is_loaded_from_its_sources_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And then from the cache."""
    Explorer(None)
    assert len(list((tmp_path / "pirace" / ".protocol").glob("[!.]*"))) == 1
    monkeypatch.setattr(programs, "load_program", None)
    Explorer(None)


def test_what_is_learnt_is_kept_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each search is told where."""
    given: list[Any] = []

    def explore(*arguments: Any) -> None:
        given.extend(arguments)
        raise Reached

    monkeypatch.setattr(explorer_runner, "explore", explore)
    (asked,) = asked_for((), ("elide-self-2022",), (), "post:34")
    with pytest.raises(Reached):
        Explorer(None).search(asked, Options(), lambda _: True)
    (learning,) = [each for each in given if isinstance(each, Learning)]
    assert learning.files.folder == tmp_path / "pirace" / ".learnt"
