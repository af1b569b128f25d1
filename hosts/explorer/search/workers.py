"""Parallel breadth-first search, bulk-synchronous: in each round every worker expands some states of a level.

The workers share the table of states; each puts what it finds into its own part of the store. Between the rounds, what
the kernels have requested is learnt and room is made, while nobody runs.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

import numpy as np

from hosts.explorer.compiled import abi, hash_table, store_buffers, successors, transition_cache
from hosts.explorer.jit import intrinsics
from hosts.explorer.search.thread_tables import ThreadTables
from hosts.explorer.search.visited import Store, reserved

ROUND_SECONDS: Final = 0.1
"""A round is meant to last about so long."""
PARALLEL_STATES: Final = 4096
"""States to expand that are worth handing to threads."""
RECORDS: Final = (1 << 12, 1 << 15, 1 << 18)
"""Sizes of a worker's :mod:`hosts.explorer.compiled.transition_cache`: the next when so many were computed."""
LEAST: Final = 256
"""States that are worth a call."""
SMALLEST: Final = 64
"""A piece is no smaller than one of so many equal parts of a round."""

T = TypeVar("T")

NOWHERE: Final[intrinsics.Ints] = np.zeros(0, np.int64)


APART: Final = 2 * transition_cache.LINE
"""Words of two cache lines, which a processor fetches together."""


def lines(words: int) -> intrinsics.Ints:
    """Return an array of zeros whose cache lines nobody else has: each worker writes to its own all the time."""
    whole = -(-words // APART) * APART
    memory = np.zeros(whole + APART, np.int64)
    start = -memory.ctypes.data // 8 % APART
    return memory[start : start + words]


class Job(NamedTuple):
    """States to expand: places, or if there are none the states ``start`` to ``stop`` of the worker ``source``."""

    todo: intrinsics.Ints
    source: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Count the states."""
        return self.stop - self.start


class Rounds:
    """The workers of a search."""

    def __init__(self, learnt: ThreadTables, workers: int) -> None:
        self.learnt = learnt
        self.workers = workers
        self.jobs: deque[Job] = deque()
        self.work: list[abi.Work] = []
        self._chunk = 512
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def begin(self) -> None:
        """Begin a search: nothing to do, nothing counted."""
        self.jobs.clear()
        self._chunk = 512
        self.work = [self._workspace(4096) for _ in range(self.workers)]
        for worker in range(self.workers):
            self._remember(worker, RECORDS[0])

    def begin_level(self, begin: Sequence[int], end: Sequence[int]) -> None:
        """Set out to expand the states of one level."""
        spans = enumerate(zip(begin, end, strict=True))
        self.jobs.extend(Job(NOWHERE, source, start, stop) for source, (start, stop) in spans if start < stop)

    @property
    def left(self) -> int:
        """Count the states of this level that are still to be expanded."""
        return sum(job.size for job in self.jobs)

    @property
    def room(self) -> int:
        """Return how many states each worker may find in the next round."""
        return len(self.work[0].labels) + 2 * hash_table.BATCH + self._chunk

    def round(self, store: Store) -> None:
        """Let each worker expand some states."""
        before = time.monotonic()
        begun = self.left
        pieces = self._pieces()
        parallel = self.workers > 1 and begun - self.left >= PARALLEL_STATES
        limits = store.limits
        for work, count in zip(self.work, store.counts, strict=True):
            work.counts[abi.C_STATES] = count

        def share(worker: int) -> list[Job]:
            """Expand one piece after the other, as long as there are any; return what is left of one."""
            work = self.work[worker]
            with contextlib.suppress(IndexError):  # somebody else took the last one
                while True:
                    job = pieces.popleft()
                    args = (self.learnt.tables, work, store.states, store.table, worker, *job, limits[worker])
                    stop = int(successors.expand(*args))
                    if stop < job.stop:
                        return [job._replace(start=stop)]
            return []

        left = self.each(share, self.workers, parallel=parallel)
        self.jobs.extendleft(reversed(pieces))
        self.jobs.extendleft(job for jobs in reversed(left) for job in jobs)
        store.counts = [int(work.counts[abi.C_STATES]) for work in self.work]
        self._pace(begun - self.left, time.monotonic() - before)
        for worker, work in enumerate(self.work):
            most = int(work.counts[abi.C_RECORDS]) + 1
            if work.counts[abi.C_WORKED] > most < RECORDS[-1]:
                self._remember(worker, RECORDS[RECORDS.index(most) + 1])

    def _pieces(self) -> deque[Job]:
        """Take what is to be done in this round, in pieces that get smaller, so that all workers end together."""
        left = min(self.left, max(LEAST, self._chunk) * self.workers)
        least = max(LEAST, left // SMALLEST)
        pieces: deque[Job] = deque()
        while left > 0:
            job = self.jobs.popleft()
            most = max(least, left // (2 * self.workers)) if self.workers > 1 else left
            middle = min(job.start + min(most, left), job.stop)
            pieces.append(job._replace(stop=middle))
            left -= middle - job.start
            if middle < job.stop:
                self.jobs.appendleft(job._replace(start=middle))
        return pieces

    def each(self, do: Callable[[int], T], number: int, *, parallel: bool) -> list[T]:
        """Do something for some workers; in threads if it is worth it (compiled code lets go of the interpreter)."""
        if not parallel:
            return [do(worker) for worker in range(number)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.workers, "search")
        return list(self._pool.map(do, range(number)))

    def each_of_many(self, do: Callable[[int], T], states: int) -> list[T]:
        """Do something with all the states of each worker."""
        return self.each(do, self.workers, parallel=self.workers > 1 and states > 16 * PARALLEL_STATES)

    def _pace(self, done: int, seconds: float) -> None:
        """Choose how many states each worker is given in the next round; what a short one takes tells nothing."""
        if 2 * done >= self._chunk and seconds > 0:
            target = int(done / self.workers * ROUND_SECONDS / seconds)
            self._chunk = max(LEAST, min(target, 2 * self._chunk, 1 << 20))

    # --- requests ------------------------------------------------------------------------------------------------

    def resolve_requests(self) -> bool:
        """Resolve the requests of the kernels and retry the states put aside for them; return whether there was any."""
        requested = False
        for worker, work in enumerate(self.work):
            counts = work.counts
            for kind, what, more in work.requests[: counts[abi.C_REQUESTS]].tolist():
                requested = True
                if kind in (abi.REQ_STACK, abi.REQ_ROOM):
                    self._enlarge(worker, stack=kind == abi.REQ_STACK)
                else:
                    self.learnt.resolve(kind, what, more)
            counts[abi.C_REQUESTS] = 0
            if aside := int(counts[abi.C_RETRY]):
                self.jobs.appendleft(Job(work.retry[:aside].copy(), 0, 0, aside))
            counts[abi.C_RETRY] = 0
        return requested

    def _enlarge(self, worker: int, *, stack: bool) -> None:
        """Return a worker's workspace more room for branches or for successors."""
        work = self.work[worker]
        if stack:
            more = np.zeros((2 * len(work.stack), work.stack.shape[1]), np.int64)
            self.work[worker] = work._replace(stack=more)
        else:
            bigger = self._workspace(2 * len(work.labels))
            self.work[worker] = bigger._replace(
                stack=work.stack, counts=work.counts, sights=work.sights, views=work.views, records=work.records
            )

    def relaid(self) -> None:
        """Fit the workspaces to another layout: what is remembered is of the old one."""
        for worker, work in enumerate(self.work):
            bigger = self._workspace(len(work.labels), len(work.stack))
            self.work[worker] = bigger._replace(counts=work.counts, sights=work.sights)
            self._remember(worker, int(work.counts[abi.C_RECORDS]) + 1)

    def _remember(self, worker: int, most: int) -> None:
        """Return a worker room for so many steps to remember, none of them remembered yet."""
        work, size = self.work[worker], int(transition_cache.record_size(self.learnt.layout.words))
        self.work[worker] = work._replace(records=reserved(most * size))
        work.counts[abi.C_RECORDS] = most - 1
        work.counts[abi.C_WORKED] = 0

    def _workspace(self, room: int, branches: int = 64) -> abi.Work:
        words, threads = self.learnt.layout.words, len(self.learnt.model.threads)
        return abi.Work(
            out=np.zeros((room + 2) * words, np.int64),
            labels=np.zeros(room, np.int64),
            hashes=np.zeros(room, np.int64),
            stack=np.zeros((branches, words + 8), np.int64),
            requests=np.zeros((4096, 3), np.int64),
            retry=np.zeros(8192, np.int64),
            sights=np.zeros(4096, np.int64),
            counts=lines(abi.C_SIZE),
            near=lines(2 * threads),
            noticed=lines(2 * threads * abi.N_SIZE),
            relied=lines(words + abi.NEAR_SIZE),
            views=lines(2 * threads * self.learnt.tables.rest.shape[1] * transition_cache.view_size(words)),
            ahead=lines(abi.AHEAD * transition_cache.ahead_size(words, threads)),
            records=lines(0),
            block=lines(store_buffers.SIZE),
            back=lines(words),
        )
