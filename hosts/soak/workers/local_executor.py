"""The executor on this machine: one worker process, whose death does not end the campaign.

A :class:`concurrent.futures.Executor`. The worker is a process of its own session and shares only one socket with this
one: no semaphore, no queue, nothing in ``/dev/shm``. Its death is seen at once; whatever it had started is killed with
it; the next task gets a new one.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, ParamSpec, TypeVar

from hosts.exit_codes import EXIT_ENVIRONMENT
from hosts.soak.placement.topology import Topology
from hosts.soak.workers.failures import CannotRun, WorkerDied, WorkerOverdue
from hosts.soak.workers.process import WorkerProcess, exit_description

GRACE: Final = 90.0
"""Seconds that a task may take beyond its own: the supervisor's bounds on its steps add up to less."""
PREPARE_SECONDS: Final = 900.0
"""Seconds that starting may take, with compiling, and waiting for another process that compiles."""

P = ParamSpec("P")
T = TypeVar("T")
Job = tuple[int, Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class LocalExecutor(Executor):
    """One worker process on this machine; a second task waits for the first."""

    def __init__(self, grace: float = GRACE, say: Callable[[str], None] | None = None) -> None:
        """Take how many seconds beyond its own a task may take; nothing is started yet.

        ``say`` is called with what happens to fork servers, which is in no row yet; by default it goes to standard
        error.
        """
        self._grace = grace
        self._say = say or _to_stderr
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._number = 0
        self._current = 0
        self._cancelled = 0
        self._worker: WorkerProcess | None = None
        self._closed = False
        self.stage = ""
        """The stage of the task: ``compiling``, ``running``, nothing."""
        self.notes: list[str] = []
        """Deaths of workers and of their fork servers."""
        self._thread = threading.Thread(target=self._feed, name="soak-local", daemon=True)
        self._thread.start()

    @property
    def slots(self) -> int:
        """The number of tasks that can be under way."""
        return 1

    def topologies(self) -> tuple[Topology, ...]:
        """Return the topology of each machine that tasks are done on: of this one."""
        return (Topology.read(),)

    @property
    def pid(self) -> int | None:
        """The worker's process id, if there is one."""
        worker = self._worker
        return worker.pid if worker is not None else None

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Submit a call of ``function``, of a module that the worker can import."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor has been shut down")
            self._number += 1
            self._jobs.put((self._number, future, function, arguments, named))
        return future

    def cancel_running(self) -> None:
        """Cancel the task under way: its verdict is CANCELLED. Called again for the same task, kill its worker."""
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
        """End the worker when all that was submitted is done; with ``cancel_futures``, cancel tasks not begun."""
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
                    self._worker = WorkerProcess()
                self._current = number
            self._worker.send(("do", (number, function, arguments, named)))
            result = self._answer(self._worker)
        except BaseException as error:  # noqa: BLE001 - the future has it
            if isinstance(error, WorkerDied):
                self.notes.append(str(error))
            self._current = 0
            future.set_exception(error)
        else:
            self._current = 0
            future.set_result(result)
        finally:
            self.stage = ""

    def _answer(self, worker: WorkerProcess) -> Any:
        """Wait for the result of a job; WorkerDied if the worker dies or is overdue."""
        until = time.monotonic() + PREPARE_SECONDS
        held = False
        while True:
            message = worker.receive(until - time.monotonic())
            if message is None:
                was_held, held = held, worker.stopped()
                if held or was_held:  # a signal or a debugger has stopped it: that time does not count
                    until = time.monotonic() + (1.0 if held else self._grace)
                    continue
                self._worker = None
                seconds = f"{self._grace:g} s longer than its task takes" if self.stage == "running" else "too long"
                raise WorkerOverdue(f"{worker.reap()} and was killed: it took {seconds}")
            what, *rest = message
            if what == "stage":
                self.stage, seconds = rest
                until = time.monotonic() + (seconds + self._grace if self.stage == "running" else PREPARE_SECONDS)
            elif what == "lost":
                pid, status = rest
                self.notes.append(f"fork server {pid} {exit_description(status)}")
                self._say(f"{self.notes[-1]}; the next machine gets a new one")
            elif what == "died":
                self._worker = None
                how = worker.reap()
                if worker.never_was_up:
                    raise CannotRun(f"cannot start a worker process: {how}", EXIT_ENVIRONMENT)
                raise WorkerDied(how)
            elif what == "failed":
                raise rest[1]
            else:
                return rest[1]


def _to_stderr(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a closed standard error does not end a soak
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
