"""A real soak in processes of its own, heard line by line, whose parts can be found and killed."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple, Self

from bench.options import BenchError
from hosts.soak.store.writer import Campaign

TOP: Final = Path(__file__).parents[2]
MARK: Final = "PIRACE_SOAK_MARK"
"""Of the environment: all descendants of a soak carry it, so that they are found wherever they have gone."""
PATIENCE: Final = 60.0
"""Seconds in which everything happens on the slowest machine; nothing is judged by it."""
CAMPAIGN: Final = "campaign"

Role = Literal["pCPU", "worker", "fork server", "coordinator"]
ROLES: Final[tuple[Role, ...]] = ("pCPU", "worker", "fork server", "coordinator")


class Heard(NamedTuple):
    """A line of the soak's."""

    at: float
    """By the monotonic clock."""
    line: str
    run: dict[str, Any]
    """The record of a run that has ended, if the line is one."""


class Soaking:
    """A folder with a campaign, and the processes of the soak that is under way there."""

    def __init__(self, *options: str) -> None:
        """Note how the campaign is begun; :meth:`start` begins it."""
        self._options = options
        self.top = Path(tempfile.mkdtemp(prefix="soaked", dir="/tmp"))
        self.folder = self.top / CAMPAIGN
        self.temporary = self.top / "tmp"
        self.temporary.mkdir()
        self.mark = secrets.token_hex(8)
        self.runs: list[dict[str, Any]] = []
        """The records of all runs reported as ended, in all sessions."""
        self.said: list[str] = []
        self.killed_at = 0.0
        """When something was killed last, by the monotonic clock."""
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        shutil.rmtree(self.top, ignore_errors=True)

    # --- its life

    def start(self, *more: str) -> None:
        """Begin the campaign, or go on with it."""
        there = self.folder.exists()
        options = ("--resume",) if there else self._options
        reading, writing = os.pipe()
        self._lines = queue.SimpleQueue()
        self._process = subprocess.Popen(
            self.command("soak", "--campaign", str(self.folder), "--json", f"/dev/fd/{writing}", *options, *more),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            text=True,
            start_new_session=True,
        )
        os.close(writing)
        if self._process.stdout is None:
            raise BenchError("no output")
        for file in (self._process.stdout, os.fdopen(reading, encoding="utf-8")):
            threading.Thread(target=_listen, args=(file, self._lines), daemon=True).start()
        self._open = 2

    def command(self, *arguments: str) -> list[str]:
        """Return the exit status as a shell has it."""
        return [sys.executable, "-m", "hosts.cli.main", *arguments]

    def environment(self) -> dict[str, str]:
        """Return what the soak's processes are to find."""
        return {**os.environ, MARK: self.mark, "TMPDIR": str(self.temporary), "PYTHONPATH": str(TOP)}

    def stop(self) -> int:
        """End it as a batch system does; return its exit status."""
        if self._process is None:
            raise BenchError("nothing is under way")
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Read its output to the end; return its exit status."""
        if self._process is None:
            raise BenchError("nothing is under way")
        while self.hear() is not None:
            pass
        return self._process.wait(PATIENCE)

    # --- what it says

    def hear(self) -> Heard | None:
        """Wait for its next line; None: it says nothing any more. BenchError if it is dumb."""
        while self._open:
            try:
                heard = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise BenchError(f"no word in {PATIENCE:g} s: {self.said[-20:]}") from None
            if heard is None:
                self._open -= 1
                continue
            if heard.run:
                self.runs.append(heard.run)
            else:
                self.said.append(heard.line)
            return heard
        return None

    def hear_until(self, wanted: Callable[[Heard], bool], what: str = "what was waited for") -> Heard:
        """Read its output until the expected line; BenchError if it ends first, or goes on without."""
        until = time.monotonic() + 2 * PATIENCE
        while (heard := self.hear()) is not None and time.monotonic() < until:
            if wanted(heard):
                return heard
        raise BenchError(f"not told: {what}; it said last: {self.said[-20:]}")

    def next_good_run(self) -> dict[str, Any]:
        """Wait until a further configuration has been run to its end."""
        return self.hear_until(lambda heard: is_good(heard.run), "a further run").run

    def explores(self) -> bool:
        """Return whether an exploration is under way."""
        with Campaign.read(self.folder) as campaign:
            return any(row.task.kind == "explore" for row in campaign.rows(state="running"))

    # --- what it consists of

    @property
    def pid(self) -> int:
        """The coordinator's process id."""
        if self._process is None:
            raise BenchError("nothing is under way")
        return self._process.pid

    def processes(self) -> list[int]:
        """List all its living processes. A dead one has no environment."""
        wanted = f"{MARK}={self.mark}".encode()
        return [pid for pid in all_processes() if wanted in _read(pid, "environ")]

    def of_role(self, role: Role) -> list[int]:
        """List those of a role."""
        if role == "coordinator":
            return [self.pid]
        pids = self.processes()
        servers = [pid for pid in pids if b"multiprocess.forkserver" in _read(pid, "cmdline")]
        if role == "worker":
            return [pid for pid in pids if b"hosts.soak.workers.server" in _read(pid, "cmdline")]
        return [pid for pid in servers if (parent_of(pid) in servers) == (role == "pCPU")]

    def await_role(self, role: Role) -> list[int]:
        """Wait until there is one of that role."""
        found: list[int] = []

        def look() -> bool:
            found[:] = self.of_role(role)
            return bool(found)

        if not eventually(look):
            raise BenchError(f"no {role}")
        return found

    def kill(self, role: Role, which: int) -> int:
        """Kill one of that role for certain, its ``which``-th if there are so many; return its process id.

        It is stopped before: one that was ending by itself would not be killed, and would not be reported.
        """
        while True:
            pids = self.await_role(role)
            pid = pids[which % len(pids)]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                eventually(lambda pid=pid: state_of(pid) in "TZX")  # type: ignore[misc]
                if state_of(pid) == "T":
                    self.killed_at = time.monotonic()
                    os.kill(pid, signal.SIGKILL)
                    return pid

    # --- what it leaves

    def left(self) -> list[str]:
        """Name what is left of it, besides the campaign's folder; to be asked when it has ended."""
        eventually(lambda: not self.processes())
        found = [f"process {pid}: {_read(pid, 'cmdline')!r}" for pid in self.processes()]
        found += [f"file {path}" for path in sorted(self.temporary.rglob("*"))]
        found += [f"file {path}" for path in sorted((self.folder / "live").glob("*"))]
        return found


def is_good(run: dict[str, Any]) -> bool:
    """Return whether a record is that of a run that came to its end."""
    return run.get("record") == "run" and run["state"] == "finished" and run["verdict"] not in ("CRASH", "CANCELLED")


def _listen(file: IO[str], lines: queue.SimpleQueue[Heard | None]) -> None:
    with file:
        for line in file:
            at = time.monotonic()
            run: dict[str, Any] = {}
            if line.startswith("{"):
                with contextlib.suppress(json.JSONDecodeError):  # cut off by a kill
                    run = json.loads(line)
            lines.put(Heard(at, line.rstrip("\n"), run))
    lines.put(None)


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def all_processes() -> Iterator[int]:
    """List the process ids of the machine."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - thousands of times


def _read(pid: int, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def _stat(pid: int) -> Sequence[str]:
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def state_of(pid: int) -> str:
    """Return the letter of a process's state; X if it is gone."""
    fields = _stat(pid)
    return fields[0] if fields else "X"


def parent_of(pid: int) -> int:
    """Return its parent; 0 if it is gone."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0
