"""Bodies that never come to an end are cycles of states, or one clear error, and what hides state is refused."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from hosts.explorer.model.operations import Op
from hosts.explorer.threads.coverage import Endless
from hosts.loader.syntax.language import LoaderError
from tests.choice import slow_but
from tests.explore.bodies import Tiny

ENDLESS = {
    "nothing at all": "def left():\n    out(0, 1)\n    while True: pass",
    "nothing at all, in a function of its own": """
        def idle():
            while True: cpu_relax()
        def left():
            out(0, 1)
            idle()
        """,
    "a word that nobody writes": "def left():\n    while True: READ_ONCE(Z())",
    "a word of its own": "def left():\n    while READ_ONCE(own()) >= 0: WRITE_ONCE(own(), 1 - READ_ONCE(own()))",
    "choices": "def left():\n    while True: choose(2)",
}


@pytest.mark.parametrize("body", slow_but(["nothing at all", "a word that nobody writes"], ENDLESS))
def test_a_loop_of_the_machine_that_never_ends_is_a_cycle_of_states(
    folder: Path, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that waits for ever for itself holds nobody up: the other one does all that it has to do."""
    monkeypatch.setattr("hosts.explorer.model.semantics.LONGEST_STEP", 500)
    tiny = Tiny(folder, dedent(ENDLESS[body]) + "\ndef right():\n    out(0, 1)\n    out(1, 1)\n")
    model, result = tiny.searched(buffer=0)
    assert result.complete
    assert result.violation is None
    assert all(model.threads[0].operation(local).kind != Op.END for local in range(len(model.threads[0])))
    assert model.threads[1].operation(len(model.threads[1]) - 1).kind == Op.END


def test_a_count_that_does_not_come_to_an_end_is_one_clear_error(folder: Path) -> None:
    """A loop over a range that nobody can wait for is refused with its line."""
    tiny = Tiny(folder, "def left():\n    for i in range(1 << 60):\n        if i < 0: out(0, 1)")
    with pytest.raises(Endless, match=r"one\.py:\d+: left does not come to an end"):
        tiny.explored(0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def left():\n    try:\n        out(0, 1)\n    finally:\n        out(1, 1)  # finally", "try"),
        ("def left(a=(1,)):\n    pass", "a default value is a plain number"),
    ],
)
def test_what_keeps_state_out_of_sight_is_refused(folder: Path, text: str, reason: str) -> None:
    """Refusals that ``tests/unit/loader`` does not have: one error that names the line."""
    with pytest.raises(LoaderError, match=reason) as error:
        Tiny(folder, text)
    assert error.value.line > 10
