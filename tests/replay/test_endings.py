"""However a replay ends: the exit status says what was seen, and nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from msgspec.structs import replace

from hosts.cli.main import main
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.counterexample.witness_file import load, save
from hosts.native.fabric.sockets import Fabric
from hosts.replay import scheduler
from hosts.replay.messages import Command, Report
from hosts.replay.processes import ReplayProcesses
from hosts.replay.program import replay_program
from hosts.report.jsonl import schema
from hosts.signals import STOPPING
from tests.harness.driven import GONE_SECONDS, MARK, TOP, UP_SECONDS, eventually
from tests.replay.witnesses import program
from tests.validator import errors, records_in

pytestmark = pytest.mark.timeout(2 * UP_SECONDS + 2 * GONE_SECONDS)


@pytest.fixture
def file(tmp_path: Path, store_buffered: Witness) -> Path:
    """Save a witness."""
    path = tmp_path / "witness.json"
    save(store_buffered, path)
    return path


def run(*arguments: object) -> int:
    """Run the command."""
    return main(["replay", *map(str, arguments)])


def sockets_and_children() -> tuple[list[str], list[str]]:
    """Return the abstract sockets of replays and this process's children, as the kernel tells them."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line for line in lines if "@pirace-" in line], children_of(os.getpid())


def test_a_saved_witness_is_the_witness(file: Path, store_buffered: Witness) -> None:
    """Nothing is lost on the way through a file."""
    assert load(file) == store_buffered


def test_so_many_of_so_many(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is counted, the store buffer is told, and the records say the same."""
    before = sockets_and_children()[1]
    records = tmp_path / "records.jsonl"
    assert run(file, "--repeat", 3, "--json", records) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "3 of 3 showed C7"
    assert any("needs a store buffer: 1 store really delayed" in line for line in told)
    lines = records_in(records)[1:]
    assert [(line["run"], line["shown"], line["ending"]) for line in lines] == [(i, True, "shown") for i in (1, 2, 3)]
    assert {each["check"] for each in lines[0]["violations"]} == {"C7"}
    for name in lines[0]:
        assert errors({key: part for key, part in lines[0].items() if key != name}, schema())
    assert sockets_and_children()[1] == before


def test_one_that_does_not_show_is_a_fault(
    tmp_path: Path, store_buffered: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    """A divergence is told by its step, once for all repetitions, and never passes."""
    path = tmp_path / "shorter.json"
    save(replace(store_buffered, steps=store_buffered.steps[1:]), path)
    records = tmp_path / "records.jsonl"
    assert run(path, "--repeat", 2, "--json", records) == 4
    assert [line["ending"] for line in records_in(records)[1:]] == ["diverged", "diverged"]
    told = capsys.readouterr().out.splitlines()
    assert told[-2].startswith("diverged at step 1: ")
    assert told[-2].endswith("(2 times)")
    assert told[-1] == "0 of 2 showed C7"


def test_changed_sources_are_named_and_refused(
    tmp_path: Path, store_buffered: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --anyway it is replayed on those of now, and says so."""
    path = tmp_path / "old.json"
    sources = {**store_buffered.sources, "emu/halt.py": "0" * 64, "emu/gone.py": "0" * 64}
    save(replace(store_buffered, sources=sources), path)
    assert run(path) == 64
    assert "changed since: emu/gone.py, emu/halt.py" in capsys.readouterr().err
    assert run(path, "--anyway") == 0
    assert "not the sources it was found with: emu/gone.py, emu/halt.py" in capsys.readouterr().out


CHANGES = {
    "no-progress": {"check": "no-progress"},
    "outside of the machine": {"initial": {1: 5}},
    "threads that it does not have": {"interrupted": (7,)},
    "a machine of no pCPUs": {"initial": {}},
    "does not say what thread_1 runs": {"drivers": {}},
    "cannot be run: <scope>:2: import": {"drivers": {"thread_0": "def thread_0():\n    import os\n"}},
    "cannot be run: <scope>:2: open is neither": {"drivers": {"thread_0": "def thread_0():\n    open(1)\n"}},
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_cannot_be_replayed_is_one_line(
    tmp_path: Path, store_buffered: Witness, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """A file that was tampered with runs nothing but the protocol, and is refused as wrong usage."""
    path = tmp_path / "odd.json"
    drivers = {**store_buffered.drivers, **CHANGES[said].get("drivers", {})}  # type: ignore[dict-item]
    if said.startswith("does not say"):
        del drivers["thread_1"]
    save(replace(store_buffered, **{**CHANGES[said], "drivers": drivers}), path)
    assert run(path) == 64
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert said in told[0]


def test_what_is_no_witness_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, empty, of a later format."""
    path = tmp_path / "x.json"
    assert run(path) == 64
    for text in ("", "[]", '{"witness": "2.0"}', '{"witness": "1.0"}'):
        path.write_text(text)
        assert run(path) == 64
    assert len(capsys.readouterr().err.splitlines()) == 5


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_is_a_crash(store_buffered: Witness, monkeypatch: pytest.MonkeyPatch, victim: int) -> None:
    """Whoever's turn it is: the pCPU and the signal are named, and the others are ended."""
    before = sockets_and_children()[1]
    execute, told = ReplayProcesses.execute, []

    def kill_first(processes: ReplayProcesses, cpu: int, command: Command) -> Report:
        told.append(cpu)
        if len(told) == 3:
            os.kill(processes.processes[victim].pid, signal.SIGKILL)
            processes.processes[victim].join()
        return execute(processes, cpu, command)

    monkeypatch.setattr(ReplayProcesses, "execute", kill_first)
    done = scheduler.replay(store_buffered, replay_program(store_buffered, program()))
    assert done.ending == "crash"
    assert done.why == f"at step 3: the process of pCPU {victim} was killed by SIGKILL"
    assert sockets_and_children()[1] == before


def no_memory(_name: str, _flags: int) -> int:
    """Fail as a machine without memory does."""
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def no_socket(_fabric: Fabric) -> None:
    """Fail as one does that has no descriptors left."""
    raise zmq.ZMQError(errno.EMFILE)


@pytest.mark.parametrize(
    ("place", "name", "failing", "said"),
    [(os, "memfd_create", no_memory, "Cannot allocate memory"), (Fabric, "bind", no_socket, "Too many open files")],
    ids=["memory", "sockets"],
)
def test_what_the_machine_lacks_is_told(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: Any,
    name: str,
    failing: Any,
    said: str,
) -> None:
    """It is no verdict on the witness."""
    before = sockets_and_children()[1]
    monkeypatch.setattr(place, name, failing)
    assert run(file) == 3
    out, err = capsys.readouterr()
    assert said in err
    assert "showed" not in out
    assert sockets_and_children()[1] == before


def test_what_a_process_lacks_is_told_though_it_was_not_asked_yet(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first process takes its time; the second has said what it lacks, and ended, before anybody listens."""
    bind = Fabric.bind

    def late_or_never(fabric: Fabric) -> None:
        if fabric.cpu:
            no_socket(fabric)
        signal.pause()  # until the scheduler has had enough
        bind(fabric)

    monkeypatch.setattr(Fabric, "bind", late_or_never)
    assert run(file) == 3
    assert "Too many open files" in capsys.readouterr().err


# --- Ctrl-C and worse --------------------------------------------------------------------------------------------


@pytest.fixture
def endless(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command with more repetitions than anybody waits for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hosts.cli.main", "replay", str(file), "--repeat", "1000000"],
        env={**os.environ, MARK: str(file), "PYTHONUNBUFFERED": "1"},
        cwd=TOP,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def status_of(pid: int) -> dict[str, str]:
    """Return what the kernel says of a process; of one that has gone nothing."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        lines = []
    return {"State": "", "SigIgn": "0"} | {name: value.strip() for name, _, value in (s.partition(":") for s in lines)}


def ignores_ctrl_c(pid: int) -> bool:
    """Return whether a process ignores SIGINT: a pCPU does so once it has seen to ending with its scheduler."""
    return int(status_of(pid)["SigIgn"], 16) >> signal.SIGINT - 1 & 1 == 1


def children_of(pid: int) -> list[str]:
    """Return a process's children, at one moment: a search of all processes takes longer than a replay."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def processes_of(file: Path) -> list[int]:
    """Return the processes that carry a test's mark."""
    wanted = f"{MARK}={file}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", STOPPING)
def test_ctrl_c_tells_what_there_is_and_leaves_nothing(
    endless: subprocess.Popen[str], file: Path, number: signal.Signals
) -> None:
    """As the terminal sends it, and ``timeout`` its SIGTERM: to the whole group."""
    assert eventually(lambda: children_of(endless.pid), UP_SECONDS)
    os.killpg(endless.pid, number)
    out, err = endless.communicate(timeout=GONE_SECONDS)
    assert endless.returncode == 128 + number
    shown, _, tried, *_ = out.splitlines()[-1].split()
    assert shown == tried
    assert err.strip() == f"pirace: interrupted{'' if number == signal.SIGINT else f' by {number.name}'}"
    assert eventually(lambda: not processes_of(file), GONE_SECONDS)


@pytest.mark.parametrize("stopped", [False, True], ids=["waiting", "stopped"])
def test_nothing_outlives_a_killed_scheduler(endless: subprocess.Popen[str], file: Path, stopped: bool) -> None:  # noqa: FBT001
    """The pipes end its processes, and the kernel those that cannot notice; no folder holds anything of theirs."""

    def both_are_bound() -> bool:
        """Stop it; if that was before its processes had asked the kernel to end them with it, let it go on."""
        endless.send_signal(signal.SIGSTOP)
        assert eventually(lambda: status_of(endless.pid)["State"] == "T (stopped)", GONE_SECONDS)
        others = set(processes_of(file)) - {endless.pid}
        if len(others) == 2 and all(ignores_ctrl_c(pid) for pid in others):
            return True
        endless.send_signal(signal.SIGCONT)
        return False

    assert eventually(both_are_bound, UP_SECONDS)
    if stopped:
        for pid in set(processes_of(file)) - {endless.pid}:
            os.kill(pid, signal.SIGSTOP)
    endless.kill()
    assert eventually(lambda: not processes_of(file), GONE_SECONDS)
