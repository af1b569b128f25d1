"""What is compiled before a budget begins to count."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.cli import litmus
from hosts.errors import Failure
from hosts.loader.user_code import code_of
from hosts.runs import explorer_runner, search_loops

SB = str(Path(__file__).parents[1] / "litmus" / "files" / "SB.litmus")


class Asked(Exception):  # noqa: N818 - ends what asked
    """The loops were asked for."""


def refuse() -> None:
    """Stand for the door to the loops."""
    raise Asked


def test_the_loops_are_there_before_anything_is_explored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes seconds, once a machine, which no guess and no budget is to pay."""
    monkeypatch.setattr(explorer_runner, "have_loops", refuse)
    with pytest.raises(Asked):
        explorer_runner.Explorer(None)


def test_what_is_wrong_is_said_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule or a litmus test that cannot be read."""
    monkeypatch.setattr(explorer_runner, "have_loops", refuse)
    monkeypatch.setattr(search_loops, "have_loops", refuse)
    with pytest.raises(Failure, match=r"none\.py"):
        explorer_runner.Explorer(code_of("none.py:mine"))
    assert litmus.litmus_command(["none.litmus"], litmus.LitmusOptions(reduce=False)) != 0


def test_a_litmus_test_needs_nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """But where it is asked for."""

    def fail() -> None:
        raise Failure("asked for", 3)

    monkeypatch.setattr(search_loops, "have_loops", fail)
    assert litmus.litmus_command([SB]) == 0
    with pytest.raises(Failure, match="asked for"):
        litmus.litmus_command([SB], litmus.LitmusOptions(reduce=False))
