"""Two hosts held against each other: who is wrong, what was not explored, what was never seen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emu.expected import policy_by_name
from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.observe.accounting import CHECKS, RECORD_WORDS, WINDOWS
from emu.workload.scenarios import SCENARIOS
from hosts.cli.main import main
from hosts.cli.reconcile import allowed_by, explorer, reconcile_command
from hosts.explorer.cache.programs import ready_program
from hosts.explorer.model.entered import check_bit, window_bit
from hosts.explorer.search.result import Result, Violation
from hosts.report.jsonl import schema
from hosts.runs.plan import Planned
from hosts.runs.reconcile import LEFT_OUT, Allowed
from hosts.runs.runner import Ended, Request
from tests.validator import errors, records_in

SEEN = "self-post-sees-in-guest"
ROW = {"scenario": ("tscdeadline-immed",), "policy": ("elide-self-2022",), "seconds": 0.05, "seed": 1}


class Fake:
    """A runner that enters windows and fires checks as a test says."""

    def __init__(self, *names: str, crash: str | None = None, cancelled: bool = False) -> None:
        self.names, self.crash, self.cancelled = names, crash, cancelled

    def run(self, request: Request, watch: Any) -> Ended:  # noqa: ARG002 - a runner's signature
        """Do it."""
        words = np.zeros(Machine.nbytes // WORD_BYTES, np.int64)
        pcpu = Machine(0).pcpus[0]
        for name in self.names:
            if name in WINDOWS:
                words[pcpu.windows[WINDOWS.index(name)] // WORD_BYTES] = 3
            else:
                words[pcpu.records[CHECKS.index(name) * RECORD_WORDS] // WORD_BYTES] = 1
        return Ended(words, request.seconds, crash=self.crash, cancelled=self.cancelled)


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Return what runs the command with a fake on both sides; it gives the exit status and the records."""

    def run(seen: Fake, allowed: Allowed) -> tuple[int, list[dict[str, Any]]]:
        @contextlib.contextmanager
        def host(_policy: str | None, *, quiet: bool) -> Iterator[Fake]:
            yield seen

        file = tmp_path / "out.jsonl"
        status = reconcile_command(**ROW, json_file=str(file), host=host, explores=lambda *_: allowed)
        return status, records_in(file)[1:]

    return run


def _allowed(*names: str, complete: bool = True) -> Allowed:
    checks = frozenset(names) & frozenset(CHECKS)
    return Allowed(frozenset(names) - checks, checks, complete, "" if complete else "its time limit", 99)


def test_what_both_show_agrees(compare: Any, capsys: Any) -> None:
    """Nothing to say: exit status 0."""
    status, (record,) = compare(Fake(SEEN), _allowed(SEEN))
    assert status == 0
    assert "1 agree" in capsys.readouterr().out
    assert record["gap"] == record["not_allowed"] == record["not_explored"] == []
    assert record["seen"]["windows"][SEEN] >= 3


@pytest.mark.parametrize("name", ["post-sees-in-guest", "C1", "C10"])
def test_what_no_interleaving_gives_is_a_fault_of_the_tool(compare: Any, capsys: Any, name: str) -> None:
    """Exit status 4, and it is named."""
    status, (record,) = compare(Fake(SEEN, name), _allowed(SEEN))
    assert status == 4
    assert record["not_allowed"] == [name]
    assert f"seen on processes, in no interleaving: {name}" in capsys.readouterr().out


def test_what_was_not_explored_is_told_and_no_fault(compare: Any, capsys: Any) -> None:
    """A search that was bounded does not convict."""
    status, (record,) = compare(Fake(SEEN, "C1"), _allowed(SEEN, complete=False))
    assert status == 0
    assert (record["not_allowed"], record["not_explored"]) == ([], ["C1"])
    assert "not explored within 99 states, bounded by its time limit: C1" in capsys.readouterr().out


def test_what_is_allowed_and_never_seen_is_the_gap(compare: Any, capsys: Any) -> None:
    """Listed in the order of the windows, checks first."""
    status, (record,) = compare(Fake(SEEN), _allowed(SEEN, "kick-ends-stay", "C2", "post-sees-in-guest"))
    assert status == 0
    assert record["gap"] == ["C2", "post-sees-in-guest", "kick-ends-stay"]
    assert "1 with a coverage gap" in capsys.readouterr().out


def test_what_the_rule_does_not_promise_is_named(tmp_path: Path, capsys: Any) -> None:
    """Before the runs, and in the record."""
    rule, file = tmp_path / "rule.py", tmp_path / "out.jsonl"
    rule.write_text("CHECKS = 'C1 C2 C3 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14'\n\n\ndef trigger(vcpu, vec):\n    return\n")

    @contextlib.contextmanager
    def host(_policy: str | None, *, quiet: bool) -> Iterator[Fake]:
        yield Fake(SEEN)

    given = {**ROW, "policy": (f"{rule}:trigger",), "json_file": str(file)}
    reconcile_command(**given, host=host, explores=lambda *_: _allowed(SEEN))
    assert "\nnot checked, as the rule does not promise it: C4\n" in capsys.readouterr().out
    assert [record["unpromised"] for record in records_in(file)[1:]] == [["C4"]]


def test_a_record_with_a_key_less_or_more_is_refused(compare: Any) -> None:
    """Every record of these tests is held against the schema, which is no rubber stamp."""
    _, (record,) = compare(Fake(SEEN, "C1"), _allowed(SEEN, "C2", complete=False))
    for name in record:
        assert errors({key: part for key, part in record.items() if key != name}, schema())
    assert errors(record | {"more": 1}, schema())
    assert errors(record | {"seen": {"windows": {SEEN: 0}, "checks": {}}}, schema())


def test_the_table_of_what_scopes_leave_out_names_what_there_is() -> None:
    """Scenarios and windows, none of those that a scenario exists for."""
    for name, window in LEFT_OUT:
        (scenario,) = [each for each in SCENARIOS if each.name == name]
        assert window in WINDOWS
        assert window not in scenario.windows


def test_what_the_scope_leaves_out_is_explained(compare: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault, and the reason is printed; another window is one."""
    monkeypatch.setitem(LEFT_OUT, ("tscdeadline-immed", "pir-already-set"), "for a reason")
    status, (record,) = compare(Fake(SEEN, "pir-already-set"), _allowed(SEEN))
    assert (status, record["explained"], record["not_allowed"]) == (0, ["pir-already-set"], [])
    assert "for a reason" in capsys.readouterr().out
    status, (record,) = compare(Fake(SEEN, "kick-loses-to-kick"), _allowed(SEEN))
    assert (status, record["explained"]) == (4, [])


def test_every_check_of_one_look_is_allowed() -> None:
    """A sleeper's C7 comes with its C2: the search notes the first as a sighting, and both as having fired."""
    fired = sum(1 << check_bit(CHECKS.index(check)) for check in ("C2", "C7"))
    result = Result(
        windows=fired | 1 << window_bit(0), violations=[Violation("sighting", CHECKS.index("C2") * 256 + 0x61, 3)]
    )
    allowed = allowed_by(result)
    assert allowed.checks == {"C2", "C7"}
    assert allowed.windows == {WINDOWS[0]}


def test_a_run_that_crashed_is_not_compared(compare: Any, capsys: Any) -> None:
    """It has its own line and its own record, and exit status 1."""
    status, (record,) = compare(Fake(SEEN, "C1", crash="a process died"), _allowed(SEEN))
    assert (status, record["record"], record["why"]) == (1, "not-done", "C1 x 1; then a process died")
    assert "a process died" in capsys.readouterr().out


def test_ctrl_c_is_130(compare: Any) -> None:
    """Nothing is explored any more; the row has a record all the same."""
    status, (record,) = compare(Fake(SEEN, cancelled=True), _allowed(SEEN))
    assert status == 130
    assert record == {
        "record": "not-done",
        "of": "reconcile",
        "planned": "tscdeadline-immed x elide-self-2022",
        "count": 1,
        "why": "the run was cancelled",
    }


@pytest.mark.parametrize("wrong", [["--scenario", "x"], ["--policy", "x"], ["--budget", "soon"], ["--seconds", "0"]])
def test_wrong_usage_is_64(wrong: list[str], capsys: Any) -> None:
    """In one line, before anything runs."""
    assert main(["reconcile", *wrong]) == 64
    assert wrong[1] in capsys.readouterr().err


def test_a_search_is_told_in_names() -> None:
    """Windows by their bits, checks by their numbers, deadlock as itself; a budget that ended is one."""
    found = [Violation("sighting", CHECKS.index("C7") * 256 + 255, 3), Violation("deadlock", -1, 4)]
    mask = 1 << window_bit(WINDOWS.index(SEEN))
    allowed = allowed_by(Result(bounded_by=("cancelled",), windows=mask, violations=found, states=5))
    assert (allowed.windows, allowed.checks) == ({SEEN}, {"C7", "deadlock"})
    assert (allowed.complete, allowed.bound, allowed.states) == (False, "its time limit", 5)


def test_the_explorer_is_asked_for_everything(compare: Any) -> None:
    """It does not stop at the first violation, and gives the scenario's windows."""
    scenario = next(each for each in SCENARIOS if each.name == "tscdeadline-immed")
    planned = Planned(scenario, policy_by_name("elide-self-2022"), None, None, 1)
    allowed = explorer(ready_program())(planned, lambda _progress: True, 60.0)  # type: ignore[arg-type]
    assert allowed.complete
    assert set(scenario.windows) <= allowed.windows
    assert not allowed.checks


@pytest.mark.timeout(180)  # builds the machine if nobody has yet
def test_a_real_run_of_one_scenario_agrees(tmp_path: Path) -> None:
    """Half a second on one process against all interleavings of one pCPU."""
    file = tmp_path / "out.jsonl"
    given = ["--scenario", "tscdeadline-immed", "--policy", "elide-self-2022", "--seconds", "0.3", "--json", str(file)]
    assert main(["reconcile", *given]) == 0
    record = records_in(file)[-1]
    assert record["seen"]["windows"][SEEN] > 0
    assert record["allowed"]["complete"]
    assert record["not_allowed"] == []
