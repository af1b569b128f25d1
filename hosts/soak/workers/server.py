"""The worker process: does what it is told over one socket, and ends with whoever tells it.

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
"""How long what is under way may take to end once nobody is left to tell about it."""

Job = tuple[int, Any, tuple[Any, ...], dict[str, Any]]
"""Number, function, arguments."""
Order = tuple[Literal["do", "cancel", "end"], Any]


class _Orders:
    """What the two threads of the worker share: jobs to be done, and which of them nobody wants any more."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._unwanted: set[int] = set()
        self._current = 0

    def read(self) -> None:
        """Take orders until nobody gives any more (a thread of its own)."""
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
        """End: nobody is there any more. What does not end in time is killed with everything that it has started."""
        self._jobs.put(None)
        threading.Timer(ORPHAN_SECONDS, lambda: os.killpg(0, signal.SIGKILL)).start()
        self._cancel(self._current)
        WORKER.cancel()

    def job(self) -> Job | None:
        """Wait for the next job; None: it is over."""
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
        """Answer; whoever is not there any more is not missed."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send((what, *rest))


def main(fd: int) -> NoReturn:
    """Work."""
    os.set_inheritable(fd, False)  # noqa: FBT003 - whoever holds it keeps the conductor from seeing this process dead
    orders = _Orders(Connection(fd))
    WORKER.stage = lambda what, seconds: orders.send("stage", what, seconds)
    WORKER.lost = lambda pid, status: orders.send("lost", pid, status)
    threading.Thread(target=orders.read, daemon=True).start()
    WORKER.stage("", 0.0)  # it is up
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
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the conductor's
        traceback.print_exc()
        orders.send("failed", number, _sendable(error))
    else:
        orders.send("done", number, result)


def _sendable(error: Exception) -> Exception:
    """Give the error, or, if it would not arrive as it is, one that says the same."""
    try:
        same = type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301 - one's own
    except Exception:  # noqa: BLE001 - whatever its class does
        same = False
    return error if same else RuntimeError(f"{type(error).__name__}: {error}")


def _leave(status: int) -> NoReturn:
    # Not by sys.exit: the timer that guards this end would be waited for.
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
