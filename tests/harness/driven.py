"""Starts :mod:`tests.harness.drive` in a child, kills it in one way or another, and looks for what is left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

TOP = Path(__file__).parents[2]
MARK = "PIRACE_TEST_MARK"

UP_SECONDS = 60.0
"""What a start may take on a busy machine; it takes less than a second."""
GONE_SECONDS = 30.0
"""What the last process may take to be gone; it takes some milliseconds."""


def eventually(condition: Callable[[], Any], seconds: float) -> bool:
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


class Driven:
    """One driver process, with a temporary folder and a mark in the environment that all its descendants carry."""

    def __init__(self, root: Path, role: int, pcpus: int, seconds: float, **options: Any) -> None:
        """Start it."""
        self.mark = secrets.token_hex(8)
        self.folder = Path(tempfile.mkdtemp(prefix="drv", dir="/tmp"))
        arguments = [
            str(root),
            str(role),
            str(pcpus),
            str(seconds),
            *(f"{key}={value}" for key, value in options.items()),
        ]
        environment = {**os.environ, MARK: self.mark, "TMPDIR": str(self.folder), "PYTHONPATH": str(TOP)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.drive", *arguments],
            env=environment,
            cwd=TOP,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, for a Ctrl-C as the terminal sends it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):  # one that ends with another
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what it says

    def event(self, name: str) -> dict[str, Any]:
        """Read lines until one tells of the event ``name``."""
        assert self.process.stdout is not None
        others = []
        for line in self.process.stdout:
            others.append(line)
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name:
                return event
        raise AssertionError(f"no {name}: {others} {self.errors()}")

    def errors(self) -> str:
        """Read what it wrote to stderr; to be called at its end."""
        return self.process.communicate(timeout=UP_SECONDS)[1]

    def outcome(self) -> dict[str, Any]:
        """Wait for its end, which has to be a good one, and give the last outcome."""
        outcome = self.event("end")
        output, errors = self.process.communicate(timeout=UP_SECONDS)
        for line in output.splitlines():
            event = json.loads(line)
            outcome = event if event["event"] == "end" else outcome
        assert (self.process.returncode, errors) == (0, "")
        return outcome

    # --- what it leaves

    def processes(self) -> list[int]:
        """List all living processes with the mark, the driver too. A dead one has no environment."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def leaves_nothing(self, sockets: set[str] | None = None) -> None:
        """Assert that no process, no socket and no file of its own is left."""
        assert eventually(lambda: not self.processes(), GONE_SECONDS), self.describe()
        assert eventually(lambda: not any(self.folder.iterdir()), GONE_SECONDS), list(self.folder.rglob("*"))
        assert not (sockets or set()) & set(unix_sockets().values())

    def describe(self) -> str:
        """Show the processes that are left."""
        lines = []
        for pid in self.processes():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            state = re.findall(r"^(?:State|PPid):\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
            lines.append(f"{pid} {state} {command}")
        return "\n".join(lines)


_ACCEPTS: Final = 1 << 16
"""A flag of sockets that listen: one that was accepted by such a one bears its name, too."""


def unix_sockets(*, listening: bool = False) -> dict[str, str]:
    """Return the names of all bound UNIX sockets of the machine, by inode; or of those that are listened at."""
    rows = (line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return {row[6]: row[7] for row in rows if len(row) > 7 and (not listening or int(row[3], 16) & _ACCEPTS)}


def sockets_of(pids: list[int]) -> set[str]:
    """Return the names that some processes listen at."""
    names, found = unix_sockets(listening=True), set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            match = re.fullmatch(r"socket:\[(\d+)\]", str(fd.readlink()))
            if match and match[1] in names:
                found.add(names[match[1]])
    return found


def uses_shm(pid: int) -> bool:
    """Return whether a process has anything of /dev/shm."""
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return "/dev/shm" in Path(f"/proc/{pid}/maps").read_text() or any(link.startswith("/dev/shm") for link in links)
