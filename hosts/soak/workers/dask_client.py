"""The executor on a Dask cluster: one emulated machine at a time on each of the cluster's hosts.

Each host has one task at a time, on any of its Dask workers (:mod:`hosts.soak.workers.dask_worker`). A task whose Dask
worker dies is retried by another one of that host; the death is noted with the task's result.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections import deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import distributed
from distributed.comm.addressing import get_address_host_port
from distributed.scheduler import KilledWorker
from msgspec.structs import replace

from hosts.compiler.fingerprint import sources_key
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE
from hosts.soak.placement.topology import Topology
from hosts.soak.task import Result, Task
from hosts.soak.workers.dask_worker import Do, cancel_on_host, close_on_host, do_on_host
from hosts.soak.workers.failures import CannotRun, WorkerDied
from hosts.soak.workers.sent_code import sent_code

CONNECT_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.5
"""Seconds between two polls of the cluster's hosts."""
GONE_SECONDS: Final = 20.0
"""Seconds without a worker after which a host is given up; a killed worker is usually restarted at once."""

_Client: Final[Any] = distributed.Client  # half of it has no types


@dataclass
class _Job:
    """One task that was submitted."""

    do: Do
    task: Task
    future: Future[Result] = field(default_factory=Future)
    key: str = field(default_factory=lambda: f"soak-{uuid.uuid4().hex}")
    """Dask's key of the task."""
    host: str = ""
    remote: Any = None
    """Dask's future."""
    deaths: list[str] = field(default_factory=list)


class ClusterExecutor(Executor):
    """Executes tasks on the hosts of a Dask cluster."""

    def __init__(self, address: str) -> None:
        """Connect; Failure if there is no scheduler, or its workers have not the sources that this process has."""
        self._address = address
        self._sources = sources_key()
        self._lock = threading.RLock()
        self._waiting: deque[_Job] = deque()
        self._jobs: dict[str, _Job] = {}
        """The tasks under way, by Dask's key."""
        self._hosts: dict[str, float] = {}
        """When each host was last seen to have a worker."""
        self._closed = threading.Event()
        self.notes: list[str] = []
        """Deaths of workers and losses of hosts."""
        try:
            get_address_host_port(address)
        except ValueError as error:
            said = f"--dask {address}: not the address of a scheduler, as tcp://head:8786 ({error})"
            raise Failure(said, EXIT_USAGE) from None
        try:
            self._client = _Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise Failure(f"--dask {address}: no scheduler answers ({error})", EXIT_ENVIRONMENT) from None
        try:
            self._check()
        except BaseException:
            self._client.close()
            raise
        self._client.subscribe_topic("all", self._note_event)
        self._look()
        threading.Thread(target=self._keep_looking, name="soak-cluster", daemon=True).start()

    def _check(self) -> None:
        """Compare the workers' sources with this process's; Failure if they differ."""
        try:
            found = self._client.run(sources_key, on_error="return")
        except Exception as error:  # noqa: BLE001 - whatever a foreign process says
            raise Failure(f"--dask {self._address}: {_first_line(error)}", EXIT_ENVIRONMENT) from None
        for worker, key in found.items():
            if isinstance(key, BaseException):
                raise Failure(f"--dask: worker {worker} has no pirace: {_first_line(key)}", EXIT_ENVIRONMENT)
            if key != self._sources:
                raise Failure(f"--dask: worker {worker} has another version of pirace", EXIT_ENVIRONMENT)

    @property
    def slots(self) -> int:
        """The number of tasks that can be under way: one for each host that has a worker."""
        with self._lock:
            return len(self._hosts)

    def topologies(self) -> tuple[Topology, ...]:
        """Return the topology of each host."""
        one = {host: worker for worker, host in self._workers().items()}
        found = self._client.run(Topology.read, workers=list(one.values())) if one else {}
        return tuple(found.values())

    def submit(self, do: Do, task: Task, _machine_file: Path | None = None, /) -> Future[Result]:  # type: ignore[override]
        """Submit a task, to be done by ``do`` on some host."""
        if self._closed.is_set():
            raise RuntimeError("the executor has been shut down")
        job = _Job(do, task)
        with self._lock:
            self._waiting.append(job)
        self._dispatch()
        return job.future

    def cancel_running(self) -> None:
        """Cancel the tasks under way on all hosts; called again, kill the processes that do them."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
            busy = bool(self._jobs)
        for job in waiting:
            job.future.cancel()
        if busy:
            with contextlib.suppress(Exception):  # a worker that does not answer is no worse off than before
                self._client.run(cancel_on_host, on_error="ignore")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited
        """Disconnect, and end the processes that this campaign has started on the cluster."""
        if self._closed.is_set():
            return
        with self._lock:
            jobs = [*self._waiting, *self._jobs.values()]
        if cancel_futures:
            self.cancel_running()
        for job in jobs if wait else ():
            with contextlib.suppress(BaseException):
                job.future.exception()
        self._closed.set()
        with contextlib.suppress(Exception):
            self._client.unsubscribe_topic("all")
            self._client.run(close_on_host, on_error="ignore")
        self._client.close()

    # --- hosts

    def _workers(self) -> dict[str, str]:
        """Return the host of each worker."""
        found: dict[str, str] = self._client.run_on_scheduler(_hosts_of)
        return found

    def _look(self) -> None:
        now, hosts = time.monotonic(), set(self._workers().values())
        with self._lock:
            self._hosts.update(dict.fromkeys(hosts, now))
            for host in [host for host, seen in self._hosts.items() if now - seen > GONE_SECONDS]:
                del self._hosts[host]
            lost = [(key, job) for key, job in self._jobs.items() if job.host not in self._hosts]
        for key, job in lost:
            self._fail(key, WorkerDied(f"{job.host} has left the cluster"))

    def _keep_looking(self) -> None:
        missed = 0.0
        while not self._closed.wait(LOOK_SECONDS):
            try:
                self._look()
                missed = 0.0
            except Exception as error:  # noqa: BLE001 - the scheduler is gone, or cannot be reached for a moment
                missed += LOOK_SECONDS
                if missed > GONE_SECONDS or self._client.status in ("closed", "closing"):
                    why = f"--dask {self._address}: the scheduler is gone ({_first_line(error)})"
                    for key in list(self._jobs):
                        self._fail(key, CannotRun(why, EXIT_ENVIRONMENT))
            self._dispatch()

    # --- tasks

    def _dispatch(self) -> None:
        """Send a task to each free host."""
        for job in self._assigned():
            try:
                given = job.do, job.task, sent_code(job.task), self._sources
                job.remote = self._client.submit(do_on_host, *given, workers=[job.host], pure=False, key=job.key)
                job.remote.add_done_callback(self._done)
            except Exception as error:  # noqa: BLE001 - the future has it
                self._fail(job.key, error)

    def _assigned(self) -> list[_Job]:
        """Assign waiting tasks to free hosts."""
        matched = []
        with self._lock:
            busy = {job.host for job in self._jobs.values()}
            free = [host for host in self._hosts if host not in busy]
            while free and self._waiting:
                job = self._waiting.popleft()
                if job.future.set_running_or_notify_cancel():
                    job.host = free.pop(0)
                    self._jobs[job.key] = job
                    matched.append(job)
        return matched

    def _done(self, remote: Any) -> None:
        with self._lock:
            job = self._jobs.pop(remote.key, None)
        if job is None:
            return
        try:
            result: Result = remote.result(timeout=CONNECT_SECONDS)
        except KilledWorker as error:
            job.future.set_exception(WorkerDied(f"its workers died: {', '.join(job.deaths) or _first_line(error)}"))
        except (distributed.CancelledError, TimeoutError) as error:
            job.future.set_exception(WorkerDied(f"the cluster has lost it ({type(error).__name__})"))
        except BaseException as error:  # noqa: BLE001 - the future has it
            job.future.set_exception(error)
        else:
            job.future.set_result(replace(result, notes=(*result.notes, *job.deaths)))
        self._dispatch()

    def _fail(self, key: str, error: Exception) -> None:
        with self._lock:
            job = self._jobs.pop(key, None)
        if job is not None:
            job.future.set_exception(error)
            self.notes.append(str(error))
            with contextlib.suppress(Exception):
                if job.remote is not None:
                    self._client.cancel([job.remote], force=True)

    def _note_event(self, event: tuple[float, Any]) -> None:
        """Note a worker that leaves the cluster while it has a task of this campaign."""
        what = event[1]
        if not isinstance(what, dict) or what.get("action") != "remove-worker":
            return
        with self._lock:
            for key in what.get("processing-tasks", ()):
                if job := self._jobs.get(key):
                    note = f"worker {what.get('worker')} died while it did the task, which was done again"
                    job.deaths.append(note)
                    self.notes.append(note)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]


def _hosts_of(dask_scheduler: Any) -> dict[str, str]:
    return {worker.address: worker.host for worker in dask_scheduler.workers.values()}
