"""What is said of a compilation where nobody watches a terminal."""

from __future__ import annotations

import pytest

from hosts.runs.compile_progress import Compiling


def test_nothing_is_said_where_nothing_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    """The program was in the cache."""
    with Compiling("the search"):
        pass
    assert capsys.readouterr().err == ""


def test_a_compilation_is_a_line_and_another(capsys: pytest.CaptureFixture[str]) -> None:
    """One when it begins, one when it is done; also one if somebody else's has to be waited for."""
    with Compiling("the search") as shown:
        for _ in range(2):
            shown.progress(0, 0, "waiting for another build")
        for step in range(1, 4):
            shown.progress(step, 3, f"piece {step}")
    waiting, begun, done = capsys.readouterr().err.splitlines()
    assert waiting == "waiting for another build"
    assert begun.startswith("compiling the search, which takes some seconds")
    assert done.startswith("compiled in ")


def test_who_only_waited_has_not_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    """The other build's program is used."""
    with Compiling("the machine") as shown:
        shown.progress(0, 0, "waiting for another build")
    assert capsys.readouterr().err.splitlines() == ["waiting for another build"]


def test_an_interrupted_compilation_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C."""
    shown = Compiling("the search")
    shown.progress(1, 2, "a piece")
    shown.__exit__(KeyboardInterrupt, None, None)
    assert "compiled in" not in capsys.readouterr().err


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing at all."""
    with Compiling("the machine", quiet=True) as shown:
        shown.progress(1, 2, "a piece")
    assert capsys.readouterr().err == ""
