"""The main program of a worker process: it takes orders over one socket, and ends with the process that gives them.

Started as ``python -m hosts.soak.workers.server FD`` in a session of its own, so that a terminal's Ctrl-C does not
reach it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any, Final, Literal, NoReturn

from hosts.soak.workers.job import WORKER

ORPHAN_SECONDS: Final = 5.0
"""Seconds that a task may take to end after the process that ordered it is gone."""

Job = tuple[int, Any, tuple[Any, ...], dict[str, Any]]
"""Number, function, arguments."""
Order = tuple[Literal["do", "cancel", "end"], Any]


class _Orders:
    """The queue between the two threads of a worker: the jobs, and which of them were cancelled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._unwanted: set[int] = set()
        self._current = 0

    def read(self) -> None:
        """Read orders until the connection ends (in a thread of its own)."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                order: Order = self._connection.recv()
                if order[0] == "end":
                    self._jobs.put(None)
                elif order[0] == "cancel":
                    self._cancel(order[1])
                else:
                    self._jobs.put(order[1])
        self._abandoned()

    def _cancel(self, number: int) -> None:
        with self._lock:
            self._unwanted.add(number)
            if self._current == number:
                WORKER.cancel()

    def _abandoned(self) -> None:
        """End, since the other process is gone: a task that does not end in time is killed with all that it started."""
        self._jobs.put(None)
        threading.Timer(ORPHAN_SECONDS, lambda: os.killpg(0, signal.SIGKILL)).start()
        self._cancel(self._current)
        WORKER.cancel()

    def job(self) -> Job | None:
        """Wait for the next job; None: there will be no more."""
        with self._lock:
            self._current = 0
        job = self._jobs.get()
        if job is None:
            return None
        with self._lock:
            self._current = job[0]
            WORKER.reset_cancellation()
            if self._current in self._unwanted:
                WORKER.cancel()
        return job

    def send(self, what: str, *rest: Any) -> None:
        """Send an answer; it is dropped if the other process is gone."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send((what, *rest))


def main(fd: int) -> NoReturn:
    """Take orders from a socket until they end."""
    os.set_inheritable(fd, False)  # noqa: FBT003 - a child that held it would hide the death of this process
    orders = _Orders(Connection(fd))
    WORKER.stage = lambda what, seconds: orders.send("stage", what, seconds)
    WORKER.lost = lambda pid, status: orders.send("lost", pid, status)
    threading.Thread(target=orders.read, daemon=True).start()
    WORKER.stage("", 0.0)  # the first message says that it has started
    try:
        while (job := orders.job()) is not None:
            _do(orders, job)
    finally:
        WORKER.close()
        _leave(0)


def _do(orders: _Orders, job: Job) -> None:
    number, function, arguments, named = job
    try:
        result = function(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - it is sent to the other process
        traceback.print_exc()
        orders.send("failed", number, _sendable(error))
    else:
        orders.send("done", number, result)


def _sendable(error: Exception) -> Exception:
    """Return the error, or one with the same text if it cannot be pickled."""
    try:
        same = type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301 - pickled here
    except Exception:  # noqa: BLE001 - its class may raise anything
        same = False
    return error if same else RuntimeError(f"{type(error).__name__}: {error}")


def _leave(status: int) -> NoReturn:
    # Not by sys.exit, which would wait for the timer of _abandoned.
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
