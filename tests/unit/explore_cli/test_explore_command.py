"""``pirace explore``: rows, verdicts and exit codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from emu.observe.accounting import WINDOWS
from hosts.cli.explore import ExploreOptions, search_options
from hosts.cli.explore_show import Ticker
from hosts.errors import Failure
from hosts.explorer.model.entered import window_bit
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Progress
from hosts.runs.explore_request import asked_for, size_text
from hosts.runs.explorer_runner import coverage
from tests.unit.explore_cli.asking import C1_34, C2_61, C7_34, SEEDED, run

# --- rows --------------------------------------------------------------------------------------------------------


def test_the_default_is_the_default_scope_under_every_policy() -> None:
    """A row each, and the device interrupt in it is skip-running's undoing."""
    rows = asked_for((), (), (), None)
    assert [row.planned.policy.name for row in rows] == [
        "kick-2016", "skip-running-2020", "always-2021", "elide-self-2022",
    ]  # fmt: skip
    assert len({row.scope for row in rows}) == 1
    assert [row.planned.sought for row in rows] == [(), ("C2", "C7"), (), ()]


def test_several_scenarios_and_mutations_multiply() -> None:
    """One row for each."""
    rows = asked_for(("kick", "remote-post"), ("always-2021", "kick-2016"), ("no-entry-sync", "pi-leaves-on"), None)
    assert len({str(row) for row in rows}) == 8


def test_what_may_be_seen_has_to_be_seen_here() -> None:
    """The explorer sees everything."""
    (row,) = asked_for(("self-vs-remote",), ("always-2021",), ("on-cleared-plainly",), None)
    assert row.planned.expectation is not None
    assert row.planned.expectation.outcome == "VIOLATION"


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_a_complete_search_passes(fake: Any, seen: Any, capsys: Any) -> None:
    """And says what it has seen."""
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), fake([seen(depth=7)]), capsys)
    assert status == 0
    assert "remote-post x always-2021: PASS" in out
    assert "complete: every interleaving" in out
    assert "depth 7" in out


def test_a_violation_that_nobody_expects_fails(fake: Any, caught: Any, capsys: Any) -> None:
    """Exit code 1, marked."""
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), fake([caught(C1_34)]), capsys)
    assert status == 1
    assert "VIOLATION (!) (C1 on vector 0x34 in 9 steps)" in out


def test_a_violation_that_has_to_be_is_as_expected(fake: Any, caught: Any, seen: Any, capsys: Any) -> None:
    """And its absence is not."""
    assert run(SEEDED, fake([caught(C7_34)]), capsys)[0] == 0
    assert run(SEEDED, fake([seen()]), capsys)[0] == 1


def test_a_check_that_the_table_does_not_name_is_not_enough(fake: Any, caught: Any, capsys: Any) -> None:
    """The search goes on behind it, looking for one that it does."""
    engine = fake([caught(C2_61), caught(C2_61)])
    assert run(SEEDED, engine, capsys)[0] == 1
    assert [options.stop_at_first for _asked, options in engine.searched] == [True, False]


@pytest.mark.parametrize(
    ("bound", "said"),
    [("seconds", "its time limit"), ("memory", "its memory"), ("buffer", "a store waited for room")],
)
def test_what_is_bounded_proves_nothing(fake: Any, seen: Any, capsys: Any, bound: str, said: str) -> None:
    """Exit code 2, with the reason."""
    engine = fake([seen(complete=False, bounded_by=(bound,))])
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), engine, capsys)
    assert status == 2
    assert "INCONCLUSIVE" in out
    assert said in out


def test_a_complete_search_needs_no_windows(fake: Any, seen: Any, capsys: Any) -> None:
    """What no interleaving enters cannot be entered: it is named, and nothing is missing."""
    none = seen(windows=1 << window_bit(WINDOWS.index("post-sees-in-guest")))
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), fake([none]), capsys)
    assert status == 0
    assert "exists for post-sees-outside, sync-finds-on, notified-in-guest, which no interleaving enters" in out
    cut = seen(windows=1 << window_bit(WINDOWS.index("post-sees-in-guest")), complete=False, bounded_by=("seconds",))
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), fake([cut]), capsys)
    assert status == 2
    assert "exists for post-sees-outside, sync-finds-on, notified-in-guest, not entered" in out


def test_a_small_scope_need_not_show_the_seeded_bug(fake: Any, seen: Any, capsys: Any) -> None:
    """Nor need sequential consistency."""
    for more in ({"scope": "post:34"}, {"model": "sc"}):
        given = ExploreOptions(SEEDED.scenario, SEEDED.policy, SEEDED.mutation, **more)
        status, out = run(given, fake([seen()]), capsys)
        assert status == 0
        assert "PASS" in out


def test_a_violation_whose_way_could_not_be_told_is_one_and_says_what_to_do(
    fake: Any, caught: Any, capsys: Any
) -> None:
    """Nothing is taken back, and the missing witness is no surprise."""
    untold = replace(caught("deadlock"), pathless=True)
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), fake([untold]), capsys)
    assert status == 1
    said = "deadlock in 9 steps, no counterexample was reconstructed within the limits: --no-symmetry"
    assert said in out.replace("\n", " ")


@pytest.mark.parametrize("what", ["deadlock", "no-progress"])
def test_other_endings_are_violations(fake: Any, caught: Any, capsys: Any, what: str) -> None:
    """By their names."""
    status, out = run(ExploreOptions(("remote-post",), ("always-2021",)), fake([caught(what)]), capsys)
    assert status == 1
    assert f"VIOLATION (!) ({what} in 9 steps)" in out


def test_one_path_only_is_a_fault_of_the_tool(fake: Any, seen: Any, capsys: Any) -> None:
    """With more than one thread there is always more to see."""
    with pytest.raises(Failure, match="one path only") as failed:
        run(ExploreOptions(("remote-post",), ("always-2021",)), fake([seen(branching=False)]), capsys)
    assert failed.value.exit_code == 4
    one_thread = fake([seen(branching=False, locals=(3,))])
    assert run(ExploreOptions(("timer-fastpath",), ("always-2021",)), one_thread, capsys)[0] == 0


def fails(error: Exception) -> Callable[[Any], Any]:
    """Return a search that fails."""

    def search(_watch: Any) -> Any:
        raise error

    return search


TWO = ExploreOptions(("remote-post",), ("always-2021", "kick-2016"))


def test_a_row_that_fails_keeps_no_other_from_being_shown(fake: Any, seen: Any, caught: Any, capsys: Any) -> None:
    """A fault of the rule's is the row's reason; one of the tool's is told once more behind all rows, as before."""
    with pytest.raises(Failure, match=r"^rule.py:5: wrong$") as failed:
        run(TWO, fake([fails(Failure("rule.py:5: wrong", 64)), seen()]), capsys)
    assert failed.value.exit_code == 64
    out = capsys.readouterr().out
    assert "remote-post x kick-2016: CRASH (!) (rule.py:5: wrong)" in out
    assert "remote-post x always-2021: PASS" in out
    with pytest.raises(LookupError, match="gone"):
        run(TWO, fake([fails(LookupError("gone")), caught("C1")]), capsys)
    out = capsys.readouterr().out
    assert "remote-post x kick-2016: CRASH (!) (LookupError: gone)" in out
    assert "remote-post x always-2021: VIOLATION" in out


# --- small things ------------------------------------------------------------------------------------------------


def test_what_is_done_before_the_search_is_shown() -> None:
    """Until there are states to be counted."""
    ticker = Ticker(Console(), "row", 60.0)
    line = ticker.line(Progress(0, 0, 0, 0, 2.0, 0), time.monotonic() + 2.0)
    assert line == "row: 2 s, random walks to find out what the threads share"


def test_sizes_as_people_read_them() -> None:
    """With their unit."""
    assert [size_text(size) for size in (4e9, 1500, 12)] == ["4 GB", "1.5 kB", "12 bytes"]


def test_options_reach_the_search() -> None:
    """Sequential consistency is a buffer of none."""
    assert search_options(ExploreOptions(model="sc", buffer=3)).buffer == 0
    given = ExploreOptions(
        buffer=3, overtake=True, workers=2, reduce=False, symmetry=False, fuse=False, memory=10**9, budget=120.0
    )
    assert search_options(given) == Options(
        3, overtake=True, workers=2, reduce=False, symmetry=False, fuse=False, max_bytes=10**9, seconds=120.0
    )


def test_lines_never_reached() -> None:
    """A line counts as reached if any copy of its statement was; drivers of the scope do not count."""
    spans = [("a.py", 1, "f"), ("a.py", 2, "f"), ("a.py", 2, "f"), ("a.py", 9, "g"), ("<scope>", 1, "thread_0")]
    found = coverage(spans, bytearray([1, 0, 1, 0, 0]))
    assert (found.places, found.missed, found.uncalled) == (3, (("a.py", 9, "g"),), frozenset({("a.py", "g")}))
