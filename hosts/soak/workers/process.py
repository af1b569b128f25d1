"""The worker process of an executor: a process of its own session, connected by one socket.

Its death is seen at once, through a pidfd; whatever it has started is in its process group and is killed with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any, Final

import hosts
from hosts.exit_codes import EXIT_ENVIRONMENT
from hosts.procfs import STOPPED, group_lives, main_thread
from hosts.rundir import base_folder, sweep
from hosts.soak.workers.failures import CannotRun

END_SECONDS: Final = 10.0
GONE_SECONDS: Final = 2.0
_LOG_BYTES: Final = 1 << 20


class WorkerProcess:
    """A worker process: started, asked, killed with all that it has started, and reaped."""

    def __init__(self) -> None:
        """Start it."""
        ours, its = socket.socketpair()
        try:
            self._log: IO[bytes] = tempfile.TemporaryFile(prefix="pirace-")  # noqa: SIM115 - as long as the process
            self._process = subprocess.Popen(  # noqa: S603
                # -P: a file in the current folder may have the name of any module.
                [sys.executable, "-P", "-m", "hosts.soak.workers.server", str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(its.fileno(),),
                env={**os.environ, "PYTHONPATH": _search_path()},
                start_new_session=True,
            )
            self._death = os.pidfd_open(self._process.pid)
        except OSError as error:
            ours.close()
            raise CannotRun(f"cannot start a worker process: {error}", EXIT_ENVIRONMENT) from None
        finally:
            its.close()
        self._connection = Connection(ours.detach())
        self._sending = threading.Lock()
        self._spoke = False

    @property
    def pid(self) -> int:
        """Its process id, and that of its group and session."""
        return self._process.pid

    def send(self, order: tuple[str, Any]) -> None:
        """Send an order; if the process is dead, :meth:`receive` says so."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send(order)

    def receive(self, seconds: float) -> tuple[Any, ...] | None:
        """Wait for a message; ``("died",)`` if the process is dead, None if there is none in time."""
        ready = wait([self._connection, self._death], max(seconds, 0.0))
        if self._connection in ready:
            with contextlib.suppress(EOFError, OSError):
                message: tuple[Any, ...] = self._connection.recv()
                self._spoke = True
                return message
            return ("died",)
        return ("died",) if ready else None

    @property
    def never_was_up(self) -> bool:
        """Whether a dead process could not even start, and was not killed: so would the next one."""
        return not self._spoke and self._process.returncode not in (-signal.SIGKILL, -signal.SIGTERM)

    def stopped(self) -> bool:
        """Return whether a signal or a debugger has stopped it."""
        seen = main_thread(self.pid)
        return seen is not None and seen.state in STOPPED

    def kill(self) -> None:
        """Kill it and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Ask it to end, wait, and reap it."""
        self.send(("end", None))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self.reap()

    def reap(self) -> str:
        """Kill what is left of its process group, wait until it is gone, and return how it ended."""
        dead = bool(wait([self._death], GONE_SECONDS / 20))
        self.kill()
        self._process.wait()
        os.close(self._death)
        self._connection.close()
        self._await_group()
        with contextlib.suppress(OSError):
            sweep(base_folder())  # its run folder has no owner any more
        last = self._last_line()
        self._log.close()
        return f"worker {self.pid} {exit_description(self._process.returncode) if dead else 'did not answer'}{last}"

    def _await_group(self) -> None:
        until = time.monotonic() + GONE_SECONDS
        with contextlib.suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < until and group_lives(self.pid):
                os.killpg(self.pid, signal.SIGKILL)
                time.sleep(0.002)

    def _last_line(self) -> str:
        """Return the last line that it wrote."""
        with contextlib.suppress(OSError):
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - _LOG_BYTES))
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            return f" ({lines[-1].strip()})" if lines else ""
        return ""


def exit_description(status: int | None) -> str:
    """Return how a process ended, by its status."""
    if status is not None and status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"


def _search_path() -> str:
    top = Path(next(iter(hosts.__path__))).resolve().parent
    return os.pathsep.join(filter(None, [str(top), os.environ.get("PYTHONPATH")]))
