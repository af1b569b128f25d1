"""Has tasks done on this machine: one worker process, which may die without taking the campaign along.

A :class:`concurrent.futures.Executor`. The worker is a process of its own session and nothing is shared with it but one
socket: no semaphore, no queue, nothing in ``/dev/shm``. Its death is seen at once; whatever it had started is killed
with it; the next task gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any, Final, ParamSpec, TypeVar

import hosts
from hosts.exit_codes import EXIT_ENVIRONMENT
from hosts.procfs import STOPPED, group_lives, main_thread
from hosts.rundir import base_folder, sweep
from hosts.soak.placement.topology import Topology
from hosts.soak.workers.failures import CannotRun, WorkerDied, WorkerOverdue

GRACE: Final = 90.0
"""Seconds that a task may take besides its own: the supervisor bounds each of its steps, and they add up to less."""
PREPARE_SECONDS: Final = 900.0
"""What starting, and compiling behind another start's back, may take."""
END_SECONDS: Final = 10.0
GONE_SECONDS: Final = 2.0
_LOG_BYTES: Final = 1 << 20

P = ParamSpec("P")
T = TypeVar("T")
Job = tuple[int, Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class LocalExecutor(Executor):
    """One worker process on this machine; a second task waits for the first."""

    def __init__(self, grace: float = GRACE, say: Callable[[str], None] | None = None) -> None:
        """Say how much longer than its own seconds a task may take; nothing is started yet.

        ``say`` is told at once what no row can tell yet; without, it goes to standard error.
        """
        self._grace = grace
        self._say = say or _to_stderr
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._number = 0
        self._current = 0
        self._cancelled = 0
        self._worker: _Process | None = None
        self._closed = False
        self.stage = ""
        """What the worker is about: ``compiling``, ``running``, nothing."""
        self.notes: list[str] = []
        """What has happened to workers, and to their fork servers."""
        self._thread = threading.Thread(target=self._feed, name="soak-local", daemon=True)
        self._thread.start()

    @property
    def slots(self) -> int:
        """How many tasks may usefully be under way."""
        return 1

    def topologies(self) -> tuple[Topology, ...]:
        """Give the topology of each machine that tasks are done on: of this one."""
        return (Topology.read(),)

    @property
    def pid(self) -> int | None:
        """The worker's process id, if there is one."""
        worker = self._worker
        return worker.pid if worker is not None else None

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Have ``function`` (of a module that the worker can import) called by the worker."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor has been shut down")
            self._number += 1
            self._jobs.put((self._number, future, function, arguments, named))
        return future

    def cancel_running(self) -> None:
        """End the task under way: its result says CANCELLED. Asked again about the same task: kill its worker."""
        with self._lock:
            worker, number = self._worker, self._current
            if worker is None or number == 0:
                return
            again, self._cancelled = self._cancelled == number, number
            if again:
                worker.kill()
            else:
                worker.send(("cancel", number))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited
        """End the worker when all that was submitted is done; with ``cancel_futures`` what has not begun is not."""
        with self._lock:
            closed, self._closed = self._closed, True
        if cancel_futures:
            self._drop_waiting()
        if not closed:
            self._jobs.put(None)
        if wait:
            self._thread.join()

    def _drop_waiting(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)
                    return
                job[1].cancel()

    # --- the thread that feeds the worker

    def _feed(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                if job[1].set_running_or_notify_cancel():
                    self._do(job)
        finally:
            if self._worker is not None:
                self._worker.end()
                self._worker = None

    def _do(self, job: Job) -> None:
        number, future, function, arguments, named = job
        try:
            with self._lock:
                if self._worker is None:
                    self._worker = _Process()
                self._current = number
            self._worker.send(("do", (number, function, arguments, named)))
            result = self._answer(self._worker)
        except BaseException as error:  # noqa: BLE001 - the future's owner is told
            if isinstance(error, WorkerDied):
                self.notes.append(str(error))
            self._current = 0
            future.set_exception(error)
        else:
            self._current = 0
            future.set_result(result)
        finally:
            self.stage = ""

    def _answer(self, worker: _Process) -> Any:
        """Wait for what comes of the job; WorkerDied if nothing will."""
        until = time.monotonic() + PREPARE_SECONDS
        held = False
        while True:
            message = worker.receive(until - time.monotonic())
            if message is None:
                was_held, held = held, worker.stopped()
                if held or was_held:  # somebody holds it: that is no fault of its own, nor what it missed meanwhile
                    until = time.monotonic() + (1.0 if held else self._grace)
                    continue
                self._worker = None
                seconds = f"{self._grace:g} s longer than its task takes" if self.stage == "running" else "too long"
                raise WorkerOverdue(f"{worker.bury()} and was killed: it took {seconds}")
            what, *rest = message
            if what == "stage":
                self.stage, seconds = rest
                until = time.monotonic() + (seconds + self._grace if self.stage == "running" else PREPARE_SECONDS)
            elif what == "lost":
                pid, status = rest
                self.notes.append(f"fork server {pid} {_how(status)}")
                self._say(f"{self.notes[-1]}; the next machine gets a new one")
            elif what == "died":
                self._worker = None
                how = worker.bury()
                if worker.never_was_up:
                    raise CannotRun(f"cannot start a worker process: {how}", EXIT_ENVIRONMENT)
                raise WorkerDied(how)
            elif what == "failed":
                raise rest[1]
            else:
                return rest[1]


class _Process:
    """One worker process."""

    def __init__(self) -> None:
        """Start it."""
        ours, its = socket.socketpair()
        try:
            self._log: IO[bytes] = tempfile.TemporaryFile(prefix="pirace-")  # noqa: SIM115 - as long as the process
            self._process = subprocess.Popen(  # noqa: S603
                # -P: what lies in the folder where one happens to be may bear the name of any module.
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
        """Tell it something; if it is dead that is seen when its answer is waited for."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send(order)

    def receive(self, seconds: float) -> tuple[Any, ...] | None:
        """Wait for what it says: ``("died",)`` if it is dead; None if it says nothing in time."""
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
        """Tell, of one that is dead, whether it could not even begin, and nobody has killed it: so would the next."""
        return not self._spoke and self._process.returncode not in (-signal.SIGKILL, -signal.SIGTERM)

    def stopped(self) -> bool:
        """Tell whether a signal or a debugger holds it."""
        seen = main_thread(self.pid)
        return seen is not None and seen.state in STOPPED

    def kill(self) -> None:
        """Kill it and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Let it end."""
        self.send(("end", None))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self.bury()

    def bury(self) -> str:
        """Kill what is left of it, wait until it is gone, and say how it died."""
        dead = bool(wait([self._death], GONE_SECONDS / 20))
        self.kill()
        self._process.wait()
        os.close(self._death)
        self._connection.close()
        self._await_group()
        with contextlib.suppress(OSError):
            sweep(base_folder())  # its folder has no owner any more
        last = self._last_line()
        self._log.close()
        return f"worker {self.pid} {_how(self._process.returncode) if dead else 'did not answer'}{last}"

    def _await_group(self) -> None:
        until = time.monotonic() + GONE_SECONDS
        with contextlib.suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < until and group_lives(self.pid):
                os.killpg(self.pid, signal.SIGKILL)
                time.sleep(0.002)

    def _last_line(self) -> str:
        """Give the last thing that it wrote."""
        with contextlib.suppress(OSError):
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - _LOG_BYTES))
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            return f" ({lines[-1].strip()})" if lines else ""
        return ""


def _to_stderr(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more: that ends no soak
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"


def _search_path() -> str:
    top = Path(next(iter(hosts.__path__))).resolve().parent
    return os.pathsep.join(filter(None, [str(top), os.environ.get("PYTHONPATH")]))
