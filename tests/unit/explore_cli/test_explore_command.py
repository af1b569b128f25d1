"""``pirace explore``: rows, verdicts, exit codes, and what ends a search early."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emu.observe.accounting import CHECKS, WINDOWS
from hosts.cli.explore import Given, explore_command, search_options
from hosts.cli.explore_show import Ticker
from hosts.cli.main import main
from hosts.cli.streams import told_at_the_end
from hosts.errors import Failure
from hosts.explorer.counterexample.witness_file import load
from hosts.explorer.model.system import Options
from hosts.explorer.search.bfs import Progress
from hosts.runs.explore_request import asked_for, size_text
from hosts.runs.explorer_runner import coverage

C1_34 = CHECKS.index("C1") << 8 | 0x34
C2_61 = CHECKS.index("C2") << 8 | 0x61
C7_34 = CHECKS.index("C7") << 8 | 0x34
SEEDED = Given(("remote-post",), ("always-2021",), ("no-entry-barrier",))


def run(given: Given, engine: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Give the exit status and what was printed."""
    return explore_command(given, lambda _policy: engine), capsys.readouterr().out


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
    status, out = run(Given(("remote-post",), ("always-2021",)), fake([seen(depth=7)]), capsys)
    assert status == 0
    assert "remote-post x always-2021: PASS" in out
    assert "complete: every interleaving" in out
    assert "depth 7" in out


def test_a_violation_that_nobody_expects_fails(fake: Any, caught: Any, capsys: Any) -> None:
    """Exit code 1, marked."""
    status, out = run(Given(("remote-post",), ("always-2021",)), fake([caught(C1_34)]), capsys)
    assert status == 1
    assert "VIOLATION (!) (C1 about 0x34 in 9 steps)" in out


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
    [("seconds", "its budget of time"), ("memory", "its memory"), ("buffer", "a store waited for room")],
)
def test_what_is_bounded_proves_nothing(fake: Any, seen: Any, capsys: Any, bound: str, said: str) -> None:
    """Exit code 2, with the reason."""
    engine = fake([seen(complete=False, bounded_by=(bound,))])
    status, out = run(Given(("remote-post",), ("always-2021",)), engine, capsys)
    assert status == 2
    assert "INCONCLUSIVE" in out
    assert said in out


def test_a_complete_search_needs_no_windows(fake: Any, seen: Any, capsys: Any) -> None:
    """What no interleaving enters cannot be entered: it is named, and nothing is missing."""
    none = seen(windows=1 << WINDOWS.index("post-sees-in-guest"))
    status, out = run(Given(("remote-post",), ("always-2021",)), fake([none]), capsys)
    assert status == 0
    assert "exists for post-sees-outside, sync-finds-on, notified-in-guest, which no interleaving enters" in out
    cut = seen(windows=1, complete=False, bounded_by=("seconds",))
    status, out = run(Given(("remote-post",), ("always-2021",)), fake([cut]), capsys)
    assert status == 2
    assert "exists for post-sees-outside, sync-finds-on, notified-in-guest, not entered" in out


def test_a_small_scope_need_not_show_the_seeded_bug(fake: Any, seen: Any, capsys: Any) -> None:
    """Nor need sequential consistency."""
    for more in ({"scope": "post:34"}, {"model": "sc"}):
        given = Given(SEEDED.scenario, SEEDED.policy, SEEDED.mutation, **more)
        status, out = run(given, fake([seen()]), capsys)
        assert status == 0
        assert "PASS" in out


def test_a_violation_whose_way_could_not_be_told_is_one_and_says_what_to_do(
    fake: Any, caught: Any, capsys: Any
) -> None:
    """Nothing is taken back, and the missing witness is no surprise."""
    untold = replace(caught("deadlock"), pathless=True)
    status, out = run(Given(("remote-post",), ("always-2021",)), fake([untold]), capsys)
    assert status == 1
    assert "deadlock in 9 steps, but the way to it was not found again in time: --no-symmetry" in out.replace("\n", " ")


@pytest.mark.parametrize("what", ["deadlock", "no-progress"])
def test_other_endings_are_violations(fake: Any, caught: Any, capsys: Any, what: str) -> None:
    """By their names."""
    status, out = run(Given(("remote-post",), ("always-2021",)), fake([caught(what)]), capsys)
    assert status == 1
    assert f"VIOLATION (!) ({what} in 9 steps)" in out


def test_one_path_only_is_a_fault_of_the_tool(fake: Any, seen: Any, capsys: Any) -> None:
    """With more than one thread there is always more to see."""
    with pytest.raises(Failure, match="one path only") as failed:
        run(Given(("remote-post",), ("always-2021",)), fake([seen(branching=False)]), capsys)
    assert failed.value.exit_code == 4
    assert run(Given(("timer-fastpath",), ("always-2021",)), fake([seen(branching=False, locals=(3,))]), capsys)[0] == 0


def fails(error: Exception) -> Callable[[Any], Any]:
    """Give a search that fails."""

    def search(_watch: Any) -> Any:
        raise error

    return search


TWO = Given(("remote-post",), ("always-2021", "kick-2016"))


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


# --- size --------------------------------------------------------------------------------------------------------


def test_the_size_of_what_may_be_big_is_said_first_and_once(fake: Any, seen: Any, capsys: Any) -> None:
    """As a range; nothing is run for it, and of what is small nothing is said."""
    out = run(Given(policy=("always-2021", "kick-2016")), fake([seen(), seen()]), capsys)[1]
    said = re.findall(r"default: (.*): ([\d,]+) to ([\d,]+) states", out)
    assert len(said) == 1
    assert number(said[0][1]) < 73_727_409, "measured of elide-self-2022"
    assert number(said[0][2]) > 92_462_437, "measured of always-2021"
    assert out.index(" to ") < out.index("PASS")
    assert " to " not in run(Given(("device-irq",), ("always-2021",)), fake([seen()]), capsys)[1]


def number(text: str) -> int:
    """Read a number with commas."""
    return int(text.replace(",", ""))


def test_what_does_not_fit_is_refused_before_it_starts(fake: Any, seen: Any, capsys: Any) -> None:
    """Unless the user wants it anyway."""
    given = Given(policy=("always-2021",), memory=20_000_000)
    engine = fake([seen()])
    made: list[Any] = []
    with pytest.raises(Failure, match="too big"):
        explore_command(given, made.append)
    assert made == []  # not even the explorer
    with pytest.raises(
        Failure, match=r"default: too big for --memory 20 MB: [\d.]+ MB of states at the least; a smaller --scope"
    ) as failed:
        run(given, engine, capsys)
    assert failed.value.exit_code == 64
    assert engine.searched == []
    assert run(replace(given, anyway=True), engine, capsys)[0] == 0


def test_what_may_fit_is_begun(fake: Any, seen: Any, capsys: Any) -> None:
    """Though the most is more than the memory; the search ends where that does."""
    assert run(Given(policy=("always-2021",), memory=2_000_000_000), fake([seen()]), capsys)[0] == 0


def test_what_was_not_measured_has_no_upper_end(fake: Any, seen: Any, capsys: Any) -> None:
    """Without a reduction there may be any number of states, and with a seeded bug: which is not refused either."""
    seeded = Given(policy=("always-2021",), mutation=("no-entry-sync",), memory=20_000_000)
    for given in (Given(policy=("always-2021",), reduce=False), seeded):
        out = run(given, fake([seen()]), capsys)[1]
        assert re.search(r"default: .*: [\d,]+ states or more", out)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (" | ".join(["post:34"] * 64), "too big: a machine has up to 64 pCPUs, and this scope has 65"),
        (" | ".join(["post:34"] * 10_000), "too big: a machine has up to 64 pCPUs, and this scope has 10001"),
        (" ".join(["post:34"] * 100), "too big: a guest has up to 99 timers, a pCPU up to 99 acts"),
        ("post:34 | timers=100", "too big: a guest has up to 99 timers"),
        (f"post:34 | timers={'9' * 5000}", "too big: a guest has up to 99 timers"),
    ],
)
def test_a_scope_beyond_the_machine_is_refused_at_once(capsys: Any, scope: str, said: str) -> None:
    """No explorer is made for it."""
    made: list[Any] = []
    with pytest.raises(Failure, match=said) as failed:
        explore_command(Given(scope=scope), made.append)
    assert (failed.value.exit_code, made, capsys.readouterr().out) == (64, [], "")


def test_the_biggest_scope_has_a_size_that_can_be_read(fake: Any, seen: Any, capsys: Any) -> None:
    """As a power of ten."""
    scope = " | ".join([" ".join(["post:34"] * 99)] * 63)
    given = Given(policy=("always-2021",), scope=scope, anyway=True)
    assert re.search(r": 10\^\d+ to 10\^\d+ states", run(given, fake([seen()]), capsys)[1])


# --- Ctrl-C ------------------------------------------------------------------------------------------------------


def test_ctrl_c_gives_what_there_is(fake: Any, seen: Any, capsys: Any, tmp_path: Path) -> None:
    """The row that runs ends with what it has, the rest is not begun, exit status 130."""

    def interrupted(watch: Callable[[Progress], bool]) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert not watch(Progress(77, 200, 5, 6, 1.0, 1000))
        return seen(complete=False, bounded_by=("cancelled",), states=77)

    given = Given(("remote-post",), ("always-2021", "kick-2016"), json_file=str(tmp_path / "rows"))
    before = signal.getsignal(signal.SIGINT)
    status, out = run(given, fake([seen(), interrupted]), capsys)
    assert status == 130
    assert "CANCELLED (cancelled after 77 states)" in out
    records = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert [record["verdict"] for record in records[1:]] == ["PASS", "CANCELLED"]
    assert signal.getsignal(signal.SIGINT) is before


def test_rows_behind_ctrl_c_are_rows_too(fake: Any, seen: Any, capsys: Any) -> None:
    """Cancelled, not lost."""

    def interrupted(watch: Callable[[Progress], bool]) -> Any:
        raise KeyboardInterrupt

    status, out = run(Given(("remote-post",)), fake([interrupted]), capsys)
    assert status == 130
    assert out.splitlines()[-1] == "4 of 4 rows: 4 not begun; none against the table"


# --- records and files -------------------------------------------------------------------------------------------


def test_records_are_as_the_schema_says(
    fake: Any, seen: Any, caught: Any, capsys: Any, tmp_path: Path, errors: Callable[..., list[str]]
) -> None:
    """Whatever the verdict; and they are the explorer's."""
    from hosts.report.jsonl import schema

    bounded = seen(complete=False, bounded_by=("memory",))
    engine = fake([seen(), caught(C1_34), bounded, caught("no-progress")])
    status, _out = run(Given(("remote-post",), json_file=str(tmp_path / "rows")), engine, capsys)
    records = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert status == 1
    assert [errors(record, schema()) for record in records] == [[]] * 5
    assert {record["host"] for record in records[1:]} == {"explorer"}
    assert records[2]["violations"][0]["check"] == "C1"
    assert records[1]["windows"]["notified-in-guest"] == 1
    assert records[3]["search"]["bounded_by"] == ["memory"]
    assert errors(records[1] | {"search": {}}, schema())
    assert errors(records[1] | {"host": "processes"}, schema())


def test_a_witness_that_cannot_be_written_hides_no_verdict(
    fake: Any, caught: Any, seen: Any, witness_of: Any, capsys: Any, tmp_path: Path
) -> None:
    """Of two the first goes to a full disk and the second into a folder that is not there any more; both are told."""
    witness = witness_of("remote-post", "always-2021", "no-entry-barrier", "post:0x34")
    folder = tmp_path / "folder"
    folder.mkdir()

    def gone(_watch: Any) -> Any:
        (folder / "w.json").unlink()
        folder.rmdir()
        return replace(caught(C1_34), witness=witness)

    given = Given(("remote-post",), ("always-2021", "kick-2016"), witness_file=str(folder / "w.json"))
    status, out = run(given, fake([replace(caught(C1_34), witness=witness), gone]), capsys)
    assert status == 1
    assert "witness saved" in out
    assert out.splitlines()[-1].startswith("2 of 2 rows: 2 VIOLATION")
    assert told_at_the_end(1) == 1
    assert "w-2.json: No such file or directory" in capsys.readouterr().err
    status, out = run(
        replace(given, witness_file="/dev/full"), fake([replace(caught(C1_34), witness=witness), seen()]), capsys
    )
    assert (status, told_at_the_end(0)) == (1, 3)
    assert "witness saved" not in out


def test_a_witness_file_is_opened_before_the_search(fake: Any, tmp_path: Path, capsys: Any) -> None:
    """A folder is refused at once."""
    engine = fake()
    with pytest.raises(Failure, match="Is a directory"):
        run(Given(("remote-post",), witness_file=str(tmp_path)), engine, capsys)
    assert not engine.searched


def test_a_witness_is_printed_and_saved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The real explorer, on one poster."""
    arguments = ["explore", "--scenario", "remote-post", "--policy", "elide-self-2022", "--scope", "post:34"]
    arguments += ["--mutation", "no-entry-barrier", "--witness", str(tmp_path / "strand.json")]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "The seeded bug is no-entry-barrier" in text
    assert load(tmp_path / "strand.json").mutation == "no-entry-barrier"


# --- what is wrong with what was asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "nowhere"], "unknown scenario 'nowhere'"),
        (["--policy", "nobody"], "unknown policy 'nobody'"),
        (["--mutation", "none"], "unknown mutation 'none'"),
        (["--scope", "post:99"], "the vectors that pCPUs post are"),
        (["--policy", "/nowhere/at_all.py:f"], "/nowhere/at_all.py"),
    ],
)
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """Exit status 64."""
    assert main(["explore", "--scenario", "timer-fastpath", *arguments]) == 64
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def rule_of(path: Path, body: str) -> str:
    """Write a rule; give what ``--policy`` takes."""
    path.write_text(f"from emu.waist import READ_ONCE\n\n\ndef rule(vcpu, vec):\n{body}\n")
    return f"{path}:rule"


def test_a_users_rule_that_cannot_be_loaded_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It names the file and the line, and nothing is explored."""
    rule = rule_of(tmp_path / "rule.py", "    seen = [1]\n    seen[0] = READ_ONCE(vcpu.mode)")
    assert main(["explore", "--scenario", "tscdeadline-immed", "--policy", rule]) == 64
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "rule.py:5: " in err
    assert "list" in err


POLICIES = {
    "    mode = READ_ONCE(vcpu.mode)\n    n = 0\n    while n < 1:\n        n = mode * 0": "does not come to an end",
    "    mode = READ_ONCE(vcpu.mode)\n    n = 1 // (mode - mode)": "divides by zero",
}


@pytest.mark.parametrize("body", list(POLICIES), ids=list(POLICIES.values()))
def test_what_a_users_rule_does_wrong_is_the_reason_of_its_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, body: str
) -> None:
    """With file and line; the rows of other rules are explored all the same."""
    policies = ["--policy", rule_of(tmp_path / "rule.py", body), "--policy", "always-2021"]
    assert main(["explore", "--scenario", "tscdeadline-immed", *policies]) == 64
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    (row,) = [line for line in told.out.splitlines() if "CRASH" in line and "rule.py:" in line]
    assert POLICIES[body] in row
    assert "tscdeadline-immed x always-2021: PASS" in told.out


def test_a_users_rule_works_unchanged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One that notifies nobody strands an interrupt; the story says whose rule it is."""
    path = tmp_path / "rule.py"
    path.write_text("def rule(vcpu, vec):\n    return\n")
    assert main(["explore", "--scenario", "remote-post", "--scope", "post:34", "--policy", f"{path}:rule"]) == 1
    out = capsys.readouterr().out
    assert "VIOLATION (!)" in out
    assert "your own" in out


# --- small things ------------------------------------------------------------------------------------------------


def test_what_is_done_before_the_search_is_shown() -> None:
    """Until there are states to be counted."""
    ticker = Ticker(Console(), "row", 60.0)
    line = ticker.line(Progress(0, 0, 0, 0, 2.0, 0), time.monotonic() + 2.0)
    assert line == "row: 2 s, walking about to see what the threads share"


def test_sizes_as_people_read_them() -> None:
    """With their unit."""
    assert [size_text(size) for size in (4e9, 1500, 12)] == ["4 GB", "1.5 kB", "12 bytes"]


def test_options_reach_the_search() -> None:
    """Sequential consistency is a buffer of none."""
    assert search_options(Given(model="sc", buffer=3)).buffer == 0
    given = Given(
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
