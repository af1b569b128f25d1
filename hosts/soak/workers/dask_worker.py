"""The part of the Dask executor that runs in a Dask worker, on the worker's host.

The task is done by a local executor's worker process, so that its death is reported, and it ends with its Dask worker.
An abstract socket address, bound meanwhile, keeps a second machine off the host.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import distributed
from msgspec.structs import replace

from hosts.compiler.fingerprint import sources_key
from hosts.exit_codes import EXIT_ENVIRONMENT
from hosts.plural import counted
from hosts.soak.placement.classes import classify, place_for
from hosts.soak.placement.topology import Topology
from hosts.soak.task import Result, Task
from hosts.soak.workers.failures import CannotRun
from hosts.soak.workers.job import WORKER, skipped_result
from hosts.soak.workers.local_executor import LocalExecutor
from hosts.soak.workers.sent_code import SentCode, unpacked

NAME: Final = "\0pirace-machine-{uid}"
"""An abstract address: bound by one process at a time, and gone with it; nothing in the file system."""
NAP_SECONDS: Final = 0.05
UNPLACED: Final = ("", "unpinned")

Do = Callable[[Task, Path | None], Result]

_executor: LocalExecutor | None = None
_executor_lock: Final = threading.Lock()


def do_on_host(do: Do, task: Task, code: SentCode | None, sources: str) -> Result:
    """Do a task on this host, when no other machine runs on it."""
    if sources_key() != sources:
        raise CannotRun("a worker of the cluster has another version of pirace", EXIT_ENVIRONMENT)
    with _code_files(task, code) as local:
        placed = _placed(local)
        if placed is None:
            return skipped_result(
                replace(task, processors=()), f"this host has no {task.place} for {counted(task.pcpus, 'pCPU')}"
            )
        result = _executor_of_process().submit(do_exclusively, do, placed).result()
    return replace(result, record={**result.record, "policy": task.policy}) if result.record else result


def _executor_of_process() -> LocalExecutor:
    global _executor  # noqa: PLW0603 - one for the process: Dask gives a task no other place to keep it
    with _executor_lock:
        if _executor is None:
            _executor = LocalExecutor()
            atexit.register(close_on_host)
        return _executor


def cancel_on_host() -> None:
    """Cancel the task of this Dask worker; called again, kill the process that does it."""
    if _executor is not None:
        _executor.cancel_running()


def close_on_host() -> None:
    """End the worker process of this Dask worker."""
    global _executor
    with _executor_lock:
        executor, _executor = _executor, None
    if executor is not None:
        executor.shutdown(wait=False, cancel_futures=True)


def do_exclusively(do: Do, task: Task) -> Result:
    """Do a task when no other machine of a cluster runs on this host.

    The process that supervises the machine holds the address: a Dask worker may be gone before its machine is.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        while not _claimed(claim) and not WORKER.cancelled:
            WORKER.stage("waiting", 0.0)  # waiting does not count against its time
            time.sleep(NAP_SECONDS)
        return do(task, None)


def _claimed(claim: socket.socket) -> bool:
    try:
        claim.bind(NAME.format(uid=os.getuid()))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise CannotRun(f"no socket to keep this host's machines apart: {error.strerror}", EXIT_ENVIRONMENT) from None
    return True


@contextlib.contextmanager
def _code_files(task: Task, code: SentCode | None) -> Iterator[Task]:
    """Write a user's code into files of this host."""
    if code is None:
        yield task
        return
    # Below the Dask worker's own folder, which is removed with it, however it ends.
    with tempfile.TemporaryDirectory(dir=distributed.get_worker().local_directory) as folder:
        yield unpacked(task, code, Path(folder))


def _placed(task: Task) -> Task | None:
    """Return the task with processors of its class of placement on this host; None if the host has none."""
    if task.kind != "race" or task.place in UNPLACED:
        return task
    topology = Topology.read()
    if task.processors and classify(topology, task.processors) == task.place:
        return task
    place = place_for(topology, task.place, task.pcpus, seed=task.seed)  # type: ignore[arg-type]
    return replace(task, processors=place.processors) if place is not None else None
