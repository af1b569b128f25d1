"""The command line: what a user types, and the one line that answers a mistake."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.observe.accounting import WINDOWS
from hosts.cli.main import main
from hosts.cli.stress import stress_command
from hosts.errors import Failure
from hosts.loader.user_code import UserCode
from hosts.report.environment import processors
from hosts.runs.explored import Explored
from hosts.runs.plan import Planned
from hosts.runs.runner import Ended, Request, Watch


@pytest.mark.parametrize("arguments", [["--help"], ["stress", "--help"], ["list", "-h"], ["trace", "--help"]])
def test_help_has_examples(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """For the whole and for each command."""
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "Example" in out
    assert "  pirace " in out


def test_version_is_that_of_the_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is installed; by ``python -m hosts``, too, which is the same command."""
    assert main(["--version"]) == 0
    said = capsys.readouterr().out
    top = Path(__file__).parents[3]
    project = tomllib.loads((top / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert said.split()[:2] == ["pirace", project["version"]]
    done = subprocess.run(
        [sys.executable, "-m", "hosts", "--version"], cwd=top, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (said, "")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["stres"], "stress"), (["stress", "--polcy", "x"], "--policy"), (["soak", "statsu"], "status")],
)
def test_a_mistyped_word_is_answered_by_the_one_meant(
    capsys: pytest.CaptureFixture[str], arguments: list[str], meant: str
) -> None:
    """Of commands and options; names are in the tests of what can be planned."""
    assert main(arguments) == 64
    assert re.search(f"[Dd]id you mean.*{meant}", capsys.readouterr().err)


def test_help_imports_neither_numba_nor_numpy() -> None:
    """So that it is there at once; measured by what is loaded, not by a clock."""
    code = (
        "import sys; from hosts.cli.main import main; main(['stress', '--help'])\n"
        "slow = {'numba', 'numpy', 'zmq', 'rich', 'emu', 'multiprocess'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


USAGE = [
    ([], "Commands:"),
    (["races"], "No such command 'races'"),
    (["stress", "--fast"], "No such option '--fast'"),
    (["stress", "--seconds", "0"], "--seconds"),
    (["stress", "--seconds", "nan-ish"], "--seconds"),
    (["stress", "--seed", "-1"], "--seed"),
    (["stress", "--placement", "anywhere"], "'pinned', 'shared', 'unpinned'"),
    (["stress", "--controls", "most"], "--controls"),
    (["stress", "--cpus", "65"], "--cpus': 65: a machine has 1 to 64 pCPUs"),
    (["stress", "--scenario", "x"], "pirace: unknown scenario 'x'; known: timer-fastpath, "),
    (["stress", "--policy", "x"], "pirace: unknown policy 'x'; known: kick-2016, "),
    (["stress", "--mutation", "x"], "pirace: unknown mutation 'x'; known: no-fastpath-sync, "),
    (["stress", "--policy", "nowhere.py:rule"], "pirace: nowhere.py:1: cannot be read: No such file"),
    (["stress", "--json", "/nowhere/at/all"], "pirace: --json /nowhere/at/all: No such file or directory"),
    (["trace"], "Missing argument 'SCENARIO'"),
    (["trace", "x"], "pirace: unknown scenario 'x'; known: "),
    (["trace", "timer-fastpath", "--policy", "x"], "pirace: unknown policy 'x'; known: "),
    (["trace", "timer-fastpath", "--mutation", "x"], "pirace: unknown mutation 'x'; known: "),
    (["trace", "all-to-all"], "these can be traced: timer-fastpath, "),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_a_mistake_is_told_and_exits_64(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """On standard error; nothing is run."""
    assert main(arguments) == 64
    assert message in capsys.readouterr().err


def test_an_internal_error_is_one_line_and_exits_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is for --debug."""
    monkeypatch.setattr("hosts.cli.listing.listing", lambda *_: 1 // 0)
    assert main(["list"]) == 4
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["list", "--debug"]) == 4
    assert "Traceback" in capsys.readouterr().err
    assert main(["--debug", "list"]) == 4
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ModuleNotFoundError("No module named 'numba'", name="numba"), 3, "package numba is missing"),
        (ModuleNotFoundError("No module named 'hosts.nothing'", name="hosts.nothing"), 4, "internal error"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Failure("cannot start processes: no memory", 3), 3, "cannot start processes"),
        (MemoryError(), 3, "pirace: no memory: a limit of this user or this machine"),
        (OSError(errno.EFBIG, "File too large"), 3, "File too large: a limit of this user or this machine"),
        (OSError("Could not find/load shared object file 'libllvmlite.so'"), 3, "'libllvmlite.so': a limit of"),
        (ImportError("libzmq.so: failed to map segment from shared object"), 3, "failed to map segment"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), 3, "No usable temporary"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), 4, "internal error"),
    ],
)
def test_how_errors_end(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    message: str,
) -> None:
    """Each kind has its exit status."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("hosts.cli.listing.listing", fail)
    assert main(["list"]) == status
    assert message in capsys.readouterr().err


# --- pirace stress on a host that is made up ----------------------------------------------------------------------


class MadeUp:
    """A host that enters all windows, fires what must fire, and lets no time pass."""

    def __init__(self, before: Callable[[int], None] = lambda _number: None, crash: str | None = None) -> None:
        self.crash = crash
        self.requests: list[Request] = []
        self.code: UserCode | None = None
        self.before = before

    @contextlib.contextmanager
    def __call__(self, code: UserCode | None, *, quiet: bool) -> Iterator[MadeUp]:
        """Be the host."""
        self.code, self.quiet = code, quiet
        yield self

    def run(self, request: Request, watch: Watch) -> Ended:
        """Run nothing."""
        self.before(len(self.requests))
        self.requests.append(request)
        words = np.zeros(Machine.nbytes // WORD_BYTES, np.int64)
        cpu = Machine(0).pcpus[0]
        words[cpu.windows.at // WORD_BYTES :][: len(WINDOWS)] = 1
        watch.progress(words, 0.0)
        return Ended(words, request.seconds, crash=self.crash)


class FakeScout:
    """Explores everything at once; notes whether it was let in, and out."""

    def __init__(self, ready: Callable[[], None] = lambda: None) -> None:
        self.ready = ready
        self.asked: list[str] = []
        self.policy = ""
        self.open = False

    @contextlib.contextmanager
    def __call__(self, code: UserCode, *, quiet: bool) -> Iterator[FakeScout]:
        """Be the one who explores."""
        self.policy, self.quiet, self.open = code.spec.rule or "", quiet, True
        try:
            yield self
        finally:
            self.open = False

    def wait(self) -> None:
        """Be ready."""
        self.ready()

    def explore(self, planned: Planned, seconds: float, cancelled: Callable[[], bool]) -> Explored:
        """Find nothing."""
        assert (seconds > 0, cancelled()) == (True, False)
        self.asked.append(str(planned))
        return Explored("pirace explore", complete=True, states=1, entered=frozenset(WINDOWS))


def own_rule(tmp_path: Path) -> str:
    """Write a rule, and give its name."""
    file = tmp_path / "own.py"
    file.write_text("def rule(vcpu, vec):\n    pass\n")
    return f"{file}:rule"


def test_a_users_own_rule_is_explored_and_no_other(tmp_path: Path) -> None:
    """By somebody who is let go at the end; for historic rules nobody is asked for."""
    scout, mine = FakeScout(), own_rule(tmp_path)
    assert (
        stress_command(scenario=["kick", "halt-wake"], policy=[mine], controls="none", host=MadeUp(), scouting=scout)
        == 0
    )
    assert (scout.policy, scout.open) == (mine, False)
    assert scout.asked == [f"halt-wake x {mine}", f"kick x {mine}"]
    other = FakeScout()
    assert stress_command(scenario=["kick"], policy=["kick-2016"], controls="none", host=MadeUp(), scouting=other) == 0
    assert (other.policy, other.asked) == ("", [])


def test_ctrl_c_while_the_explorer_is_made_ready(tmp_path: Path) -> None:
    """As while the machine is compiled: each row is written, and whoever would have explored is let go."""

    def press() -> None:
        raise KeyboardInterrupt

    path, scout = tmp_path / "out.jsonl", FakeScout(press)
    options = {
        "scenario": ["kick"],
        "policy": [own_rule(tmp_path)],
        "controls": "none",
        "json_file": str(path),
        "quiet": True,
    }
    assert stress_command(**options, host=MadeUp(), scouting=scout) == 130
    assert [line["verdict"] for line in results(path)] == ["CANCELLED"]
    assert scout.open is False


def results(path: Path) -> list[dict[str, Any]]:
    """Read the JSON lines; the first is the environment."""
    first, *rest = [json.loads(line) for line in path.read_text().splitlines()]
    assert first["record"] == "environment"
    return rest


def test_a_run_writes_a_line_for_each_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what it has run, with the seed that was drawn."""
    path = tmp_path / "out.jsonl"
    options = {
        "scenario": ["kick", "timer-slowpath"],
        "policy": ["kick-2016"],
        "controls": "none",
        "json_file": str(path),
    }
    host = MadeUp()
    assert stress_command(**options, host=host) == 0
    written = results(path)
    assert [(line["scenario"], line["verdict"]) for line in written] == [("timer-slowpath", "PASS"), ("kick", "PASS")]
    out = capsys.readouterr().out
    assert f"seed {written[0]['seed']}, " in out
    assert "[2/2] kick x kick-2016: PASS" in out
    assert "kick-2016: no check fired in all 2 scenarios" in out
    assert out.rstrip().endswith("2 of 2 rows: 2 PASS; none against the table")


def test_what_had_to_wait_stands_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """A canary that does not show ends last, and its scenario's rows with it; the table is in the plan's order."""
    assert stress_command(scenario=["halt-wake", "all-to-all"], seconds=5, host=MadeUp()) == 2
    rows, table = capsys.readouterr().out.split("verdicts: scenario x policy")
    assert rows.index("all-to-all x kick-2016") < rows.index("halt-wake x kick-2016")
    assert table.index("halt-wake") < table.index("all-to-all")


def test_quiet_says_only_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for a good run; one more for each surprise, and for each row that proves nothing."""
    assert stress_command(scenario=["kick"], controls="none", quiet=True, host=MadeUp()) == 0
    assert capsys.readouterr().out == "4 of 4 rows: 4 PASS; none against the table\n"
    unproven = {
        "scenario": ["device-irq"],
        "policy": ["skip-running-2020"],
        "controls": "none",
        "quiet": True,
        "seconds": 100,
    }
    assert stress_command(**unproven, host=MadeUp()) == 2
    told, last = capsys.readouterr().out.splitlines()
    assert told.startswith("device-irq x skip-running-2020: INCONCLUSIVE: C2 or C7 not seen in ")
    assert last == "1 of 1 row: 1 INCONCLUSIVE; none against the table"
    surprise = {"scenario": ["kick"], "policy": ["kick-2016"], "controls": "none", "quiet": True, "seconds": 1}
    assert stress_command(**surprise, host=MadeUp(crash="pCPU 1 was killed by SIGKILL")) == 1
    assert capsys.readouterr().out.splitlines() == [
        "kick x kick-2016: CRASH (expected PASS): pCPU 1 was killed by SIGKILL",
        "1 of 1 row: 1 CRASH; 1 not as expected",
    ]


def test_a_given_seed_is_used_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The same seed, the same requests."""
    hosts = [MadeUp(), MadeUp()]
    for host in hosts:
        stress_command(scenario=["kick"], seed=11, controls="none", host=host)
    seeds = [[request.seed for request in host.requests] for host in hosts]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == len(seeds[0])
    assert "seed 11, " in capsys.readouterr().out


def test_placement_and_cpus_reach_the_host() -> None:
    """As given; more pCPUs than processors are run, and labelled."""
    host = MadeUp()
    options = {
        "scenario": ["kick"],
        "policy": ["kick-2016"],
        "controls": "none",
        "cpus": 33,
        "placement": "unpinned",
        "quiet": True,
    }
    assert stress_command(**options, host=host) == (2 if processors() < 33 else 0)
    assert {(request.planned.pcpus, request.placement) for request in host.requests} == {(33, "unpinned")}


def test_a_machine_that_is_too_small_is_told_in_advance(capsys: pytest.CaptureFixture[str]) -> None:
    """What such a run can show and what it cannot."""
    stress_command(scenario=["kick"], policy=["kick-2016"], controls="none", placement="shared", host=MadeUp())
    assert "A violation seen so is real, a pass proves little" in capsys.readouterr().out
    stress_command(
        scenario=["timer-fastpath"], policy=["kick-2016"], controls="none", placement="shared", host=MadeUp()
    )
    assert "proves little" not in capsys.readouterr().out


def test_ctrl_c_keeps_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pressed in the second run: every planned row is written, exit status 130."""

    def press(number: int) -> None:
        if number == 1:
            signal.raise_signal(signal.SIGINT)

    path = tmp_path / "out.jsonl"
    options = {"scenario": ["timer-slowpath"], "controls": "none", "json_file": str(path)}
    assert stress_command(**options, host=MadeUp(press)) == 130
    assert [line["verdict"] for line in results(path)] == ["PASS", "PASS", "CANCELLED", "CANCELLED"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_it_compiles(tmp_path: Path) -> None:
    """No row has begun: all are written as CANCELLED."""

    @contextlib.contextmanager
    def compiling(code: UserCode | None, *, quiet: bool) -> Iterator[MadeUp]:
        assert (code, quiet) == (None, True)
        raise KeyboardInterrupt
        yield MadeUp()

    path = tmp_path / "out.jsonl"
    options = {"scenario": ["kick"], "controls": "none", "json_file": str(path), "quiet": True}
    assert stress_command(**options, host=compiling) == 130
    assert [line["verdict"] for line in results(path)] == ["CANCELLED"] * 4


def test_a_host_that_cannot_be_had_leaves_a_line_for_each_row(tmp_path: Path) -> None:
    """A program that does not compile: rows say why they were not run, and the command fails as it must."""

    @contextlib.contextmanager
    def broken(code: UserCode | None, *, quiet: bool) -> Iterator[MadeUp]:
        assert (code, quiet) == (None, True)
        raise Failure("does not compile\nmany lines", 4)
        yield MadeUp()

    path = tmp_path / "out.jsonl"
    with pytest.raises(Failure, match="does not compile"):
        stress_command(scenario=["kick"], controls="none", json_file=str(path), quiet=True, host=broken)
    assert [(line["verdict"], line["reason"]) for line in results(path)] == [("SKIPPED", "does not compile")] * 4


def test_a_users_policy_reaches_the_host(tmp_path: Path) -> None:
    """By its file and name, as given."""
    rule = tmp_path / "own.py"
    rule.write_text("def rule(vcpu, vec):\n    pass\n")
    host = MadeUp()
    options = {"scenario": ["kick"], "policy": [f"{rule}:rule"], "controls": "none", "quiet": True}
    assert stress_command(**options, host=host, scouting=FakeScout()) == 0
    assert host.code is not None
    assert host.code.spec.rule == f"{rule}:rule"
    assert {request.planned.policy.number for request in host.requests} == {4}
