"""What is compiled before a budget begins to count."""

from __future__ import annotations

import pytest

from hosts.cli import explore_engine, litmus
from hosts.cli.errors import Failure


class Asked(Exception):  # noqa: N818 - ends what asked
    """The loops were asked for."""


def refuse() -> None:
    """Stand for the door to the loops."""
    raise Asked


def test_the_loops_are_there_before_anything_is_explored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes seconds, once a machine, which no guess and no budget is to pay."""
    monkeypatch.setattr(explore_engine, "have_loops", refuse)
    with pytest.raises(Asked):
        explore_engine.Explorer(None)


def test_what_is_wrong_is_said_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule or a litmus test that cannot be read."""
    monkeypatch.setattr(explore_engine, "have_loops", refuse)
    monkeypatch.setattr(litmus, "have_loops", refuse)
    with pytest.raises(Failure, match=r"none\.py"):
        explore_engine.Explorer("none.py:mine")
    assert litmus.litmus_command(["none.litmus"]) != 0
