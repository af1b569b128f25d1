"""``pirace audit`` from options to an exit status, with an explorer that does what a test says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hosts.cli.audit import audit_command, chosen_sites
from hosts.cli.main import main
from hosts.errors import Failure
from hosts.explorer.audit.audit import Baseline, Watch
from hosts.explorer.audit.relax import Relaxation, Site, sites
from hosts.explorer.audit.verdicts import Attempt
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Progress, Result, Violation
from hosts.explorer.threads.harness import Scope
from hosts.loader.program import Program, load_program
from hosts.report.jsonl import schema
from tests.validator import errors, records_in, rule_of

ENTRY = "vcpu_enter_guest"
SCOPES = ("device", "post:34")


@cache
def _sites() -> tuple[Site, ...]:
    return tuple(sites(load_program(mutations=())))


def _line(function: str, kind: str) -> str:
    (site,) = [each for each in _sites() if (each.function, each.kind) == (function, kind)]
    return f"{Path(site.file).name}:{site.line}"


class FakeJudge:
    """Says the same of everything."""

    def __init__(self, outcome: Any = "clean", *, sound: bool = True, interrupt: bool = False) -> None:
        self.outcome, self.sound, self.interrupt = outcome, sound, interrupt
        self.scopes: list[str] = []
        self.options = Options()

    def __call__(self, _program: Program, _policy: int, options: Options) -> FakeJudge:
        """Stand for the class."""
        self.options = options
        return self

    def add(self, name: str, _scope: Scope, _watch: Watch) -> Baseline:
        """Take a scope."""
        self.scopes.append(name)
        violation = None if self.sound else Violation("sighting", 256 + 255, 9)
        result = Result(complete=self.sound, states=7, violation=violation)
        return Baseline(name, None, result, frozenset())  # type: ignore[arg-type]

    def attempts(self, _site: Site, way: Relaxation, watch: Callable[[str], Watch]) -> Iterator[Attempt]:
        """Say it of each scope."""
        for name in self.scopes:
            if self.interrupt:
                os.kill(os.getpid(), signal.SIGINT)
            if watch(name)(Progress(1, 2, 3, 4, 0.5, 6)):
                check = "C1" if self.outcome == "violation" else ""
                yield Attempt(way.name, name, self.outcome, check=check, vector=0x34, steps=9, reason="budget")


@pytest.fixture
def audit(tmp_path: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Return what runs the command on some lines; it gives the exit status and the records."""

    def run(judge: FakeJudge, *lines: str) -> tuple[int, list[dict[str, Any]]]:
        file = tmp_path / "out.jsonl"
        status = audit_command(scope=SCOPES, line=lines, json_file=str(file), make=judge)
        return status, records_in(file)

    return run


@pytest.mark.parametrize(
    ("outcome", "verdict", "shown"),
    [
        ("violation", "needed", "dropped: C1 on vector 0x34 in 9 steps"),
        ("clean", "not needed", "dropped: clean (scopes 1-2)"),
        ("bounded", "unknown", "dropped: budget (scope 1)"),
        ("never reached", "never reached", "never reached in these scopes: x86.py"),
    ],
)
def test_each_verdict_is_shown_with_what_shows_it(
    audit: Any, capsys: Any, outcome: str, verdict: str, shown: str
) -> None:
    """In the table and in JSON; an audit is a report, whatever it says."""
    status, records = audit(FakeJudge(outcome), _line(ENTRY, "barrier"))
    assert status == 0
    assert [record["record"] for record in records] == ["environment", "audit-scope", "audit-scope", "audit"]
    assert (records[-1]["function"], records[-1]["verdict"]) == (ENTRY, verdict)
    out = capsys.readouterr().out
    assert shown in out
    assert f"1 of 1 ordering: 1 {verdict}" in out


def test_a_locked_operation_says_which_half_is_needed(audit: Any) -> None:
    """Each way by itself, and both halves."""
    _, records = audit(FakeJudge("violation"), _line("pi_test_and_set_on", "locked"))
    record = records[-1]
    assert (record["verdict"], record["fence"], record["atomicity"]) == ("needs both", "needed", "needed")
    assert [way["way"] for way in record["ways"]] == ["no fence before", "no fence behind", "no atomicity", "neither"]


def test_what_the_rule_does_not_promise_is_named(tmp_path: Path, capsys: Any) -> None:
    """Before anything is tried, and in the record of each scope."""
    rule, file = tmp_path / "rule.py", tmp_path / "out.jsonl"
    rule.write_text("CHECKS = 'C1 C2 C3 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14'\n\n\ndef trigger(vcpu, vec):\n    return\n")
    given = {"policy": f"{rule}:trigger", "scope": SCOPES, "line": (_line(ENTRY, "barrier"),), "json_file": str(file)}
    audit_command(**given, make=FakeJudge())
    assert capsys.readouterr().out.startswith("not checked, as the rule does not promise it: C4\n")
    scopes = [record["unpromised"] for record in records_in(file) if record["record"] == "audit-scope"]
    assert scopes == [["C4"]] * len(SCOPES)


@pytest.mark.parametrize("outcome", ["violation", "clean", "bounded", "never reached", "fault"])
@pytest.mark.parametrize("kind", ["barrier", "locked", "ordered", "pair"])
def test_records_are_as_the_schema_says(audit: Any, outcome: str, kind: str) -> None:
    """Of every kind of ordering, whatever comes of it; a key less or more is refused."""
    found = next(site for site in _sites() if site.kind == kind)
    _, records = audit(FakeJudge(outcome), f"{Path(found.file).name}:{found.line}")
    for record in records[1:]:
        for name in record:
            assert errors({key: part for key, part in record.items() if key != name}, schema())
        assert errors(record | {"more": 1}, schema())
    (record,) = [each for each in records if each["record"] == "audit" and each["kind"] == kind]
    assert set(record) == set(rule_of("audit"))


def test_brackets_of_a_word_are_shown(audit: Any, capsys: Any) -> None:
    """They are no markup."""
    audit(FakeJudge(), _line("harvest", "locked"))
    assert "xchg(vcpu.pi_desc.pir[i], 0)" in capsys.readouterr().out


def test_a_release_matters_to_the_compiler_only(audit: Any, capsys: Any) -> None:
    """Said without a run."""
    judge = FakeJudge("fault")
    _, records = audit(judge, _line(ENTRY, "ordered"))
    assert (records[-1]["verdict"], records[-1]["ways"]) == ("compiler only", [])
    assert "x86 orders it" in capsys.readouterr().out


def test_a_rule_that_fails_by_itself_is_not_audited(audit: Any) -> None:
    """Whatever is weakened would look needed."""
    with pytest.raises(Failure, match="fails in every scope with nothing weakened") as caught:
        audit(FakeJudge(sound=False), _line(ENTRY, "barrier"))
    assert caught.value.exit_code == 1


def test_ctrl_c_keeps_what_there_is(audit: Any, capsys: Any) -> None:
    """The scopes are in the file, and what was not come to; the table is printed, the exit status is 130."""
    status, records = audit(FakeJudge(interrupt=True), _line(ENTRY, "barrier"))
    assert status == 130
    assert [record["record"] for record in records] == ["environment", "audit-scope", "audit-scope", "not-done"]
    assert (records[-1]["of"], records[-1]["why"]) == ("audit", "cancelled")
    assert "0 of 1 ordering" in capsys.readouterr().out


def test_a_line_may_be_given_with_as_much_of_its_path_as_one_likes() -> None:
    """A name, or with folders; several sites of one line are all taken."""
    found = list(_sites())
    line = _line(ENTRY, "barrier")
    assert chosen_sites(found, [line]) == chosen_sites(found, [f"emu/{line}"])
    assert len(chosen_sites(found, [line])) == 1
    assert chosen_sites(found, []) == found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--line", "x86.py:1"], "no ordering stands there; in that file: "),
        (["--line", "nowhere"], "no ordering stands there"),
        (["--policy", "x"], "unknown policy 'x'"),
        (["--scenario", "x"], "unknown scenario 'x'"),
        (["--scope", "x"], "x: an act is"),
        (["--policy", "/nowhere.py:f"], "/nowhere.py"),
    ],
)
def test_wrong_usage_is_64(wrong: list[str], said: str, capsys: Any) -> None:
    """In one line, before anything is explored."""
    assert main(["audit", *wrong]) == 64
    assert said in capsys.readouterr().err
