"""The exhaustive search of a model's product, breadth first, so that the first violation is one of the shortest.

What a move is, :mod:`hosts.explorer.product` defines; this does the same over packed states in compiled loops
(:mod:`hosts.explorer.kernel`). Whole states are compared, never hashes alone.

With ``workers`` the states are divided by hash; the levels are worked off together, so that the answer does not depend
on how many there are.

The reduction (``Options.reduce``) concerns scheduled stores and fences. A store into the own buffer, and a fence that
finds the buffer empty, commute with everything that others do, unless somebody looks at whether the buffer is empty
(the loops check that) or the instruments that belong to the step can be seen (:mod:`hosts.explorer.facts`). Then the
step before goes on through it; at most some times in a row, so that on every cycle each thread comes to rest. States in
between are left out: each has a move that leads on to the state kept, no other move is disabled by it, and sightings
belong to moves.
"""

from __future__ import annotations

import bisect
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from hosts.explorer import kernel
from hosts.explorer.cycles import Cycles
from hosts.explorer.model import Model, Options
from hosts.explorer.product import Move
from hosts.explorer.store import Store
from hosts.explorer.tables import Learnt, Relayout

REPORT_SECONDS: Final = 0.3
CALL_SECONDS: Final = 0.05
"""A compiled call is meant to last about so long."""
PARALLEL_STATES: Final = 4096
"""States to expand that are worth handing to threads."""
TIGHTEN_AT: Final = 200_000
"""States after which fields wider than needed are worth a new start."""


@dataclass
class Progress:
    """How far a search has come."""

    states: int
    transitions: int
    depth: int
    frontier: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Violation:
    """What was found."""

    what: str
    """``sighting``, ``deadlock`` or ``no-progress``."""
    sighting: int
    """``check * 256 + vector``, or -1."""
    depth: int
    """Moves to it; with the reduction, a move may be several of the product's."""


@dataclass
class Result:
    """What a search has found out."""

    complete: bool = False
    bounded_by: tuple[str, ...] = ()
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    bytes: int = 0
    bytes_per_state: float = 0.0
    windows: int = 0
    violation: Violation | None = None
    violations: list[Violation] = field(default_factory=list)
    waited_for_buffer: bool = False
    longest_buffer: int = 0
    locals: tuple[int, ...] = ()
    finals: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    branching: bool = False
    restarts: int = 0
    """Times the search began anew with wider fields."""


class Search:
    """One model's search."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model = model
        self.options = options
        self.workers = max(options.workers, 1)
        self.learnt = Learnt(model, options)
        self.result = Result()
        self.levels: list[list[int]] = []
        """By level: for each worker where its states of that level begin."""
        self._generous = True
        self._targets: list[int] = []
        """Places of the states that a no-progress consists in."""
        self._progress: Callable[[Progress], bool] | None = None
        self._started = 0.0
        self._told = 0.0
        self._pool: ThreadPoolExecutor | None = None

    def run(self, progress: Callable[[Progress], bool] | None = None) -> Result:
        """Search. ``progress`` is called a few times a second and ends the search by returning False."""
        self._progress = progress
        self._started = self._told = time.monotonic()
        self._generous = True
        self.result = Result()
        try:
            restarts = self._attempts()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
        self.result.restarts = restarts
        self._conclude()
        return self.result

    def _attempts(self) -> int:
        """Search until the layout fits; give how often it did not."""
        for restarts in itertools.count():
            try:
                self.learnt.lay_out(generous=self._generous)
                self._search()
            except Relayout:
                continue
            return restarts
        raise AssertionError

    def path(self) -> list[Move]:
        """Give the moves from the initial state to the violation of the last run."""
        from hosts.explorer.way import Witness

        violation = self.result.violation
        if violation is None:
            return []
        return Witness(self).path(violation, self._targets if violation.what == "no-progress" else None)

    def span(self, depth: int, worker: int) -> tuple[int, int]:
        """Give where a worker's states of one level begin and end."""
        ends = self.levels[depth + 1] if depth + 1 < len(self.levels) else self.store.counts
        return self.levels[depth][worker], ends[worker]

    def depth_of(self, place: int) -> int:
        """Tell the level of the state at a place."""
        block, within = divmod(place, kernel.BLOCK + 1)
        worker = block % self.workers
        number = block // self.workers * (kernel.BLOCK + 1) + within
        return bisect.bisect_right(self.levels, number, key=lambda level: level[worker]) - 1

    def place_of_first(self) -> int:
        """Give the place of the initial state."""
        owner = self.store.owner(np.zeros(self.store.words, np.int64))
        return int(kernel.place_of(0, owner, self.workers))

    # --- one attempt ---------------------------------------------------------------------------------------------

    def _search(self) -> None:
        workers = self.workers
        self.result = Result()
        self.store = Store(self.learnt.layout.words, workers, self._each_of_many)
        self.work = [self._workspace() for _ in range(workers)]
        self._seen: dict[int, Violation] = {}
        self._chunk = 512
        self.store.begin(np.zeros(self.store.words, np.int64))
        self.levels = [[0] * workers]
        bound = ""
        while not bound:
            begin, end = self.levels[-1], list(self.store.counts)
            if begin == end:
                self.levels.pop()
                break
            bound = self._level(begin, end)
            self.levels.append(end)
            if not bound and self._harvest():
                break
        else:
            self.result.bounded_by = (bound,)
        self._tally()

    def _workspace(self, room: int = 4096) -> kernel.Work:
        words = self.store.words
        return kernel.Work(
            out=np.zeros((room + 2) * words, np.int64),
            told=np.zeros(room, np.int64),
            hashes=np.zeros(room, np.int64),
            stack=np.zeros((64, words + 8), np.int64),
            wishes=np.zeros((1024, 3), np.int64),
            retry=np.zeros(8192, np.int64),
            sights=np.zeros(4096, np.int64),
            counts=np.zeros(kernel.C_SIZE, np.int64),
            box=np.zeros((max(1 << 16, 4 * room) if self.workers > 1 else 1, words + 2), np.int64),
        )

    def _level(self, begin: Sequence[int], end: Sequence[int]) -> str:
        """Expand one level; give what cut it short, if anything."""
        at = list(begin)
        aside = [np.zeros(0, np.int64)] * self.workers
        while any(len(again) for again in aside) or at != list(end):
            self.store.ensure(self._room() + self._chunk)
            self._round(at, end, aside)
            self._grant(aside)
            if bound := self._bounds(sum(end) - sum(at)):
                return bound
        return ""

    def _round(self, at: list[int], end: Sequence[int], aside: list[npt.NDArray[np.int64]]) -> None:
        """Let each worker expand a chunk: what was put aside before, if anything, else what comes next."""
        before = time.monotonic()
        spans = []
        for w, again in enumerate(aside):
            self.work[w].counts[kernel.C_STATES] = self.store.counts[w]
            self.work[w].counts[kernel.C_BOX] = 0
            spans.append((0, len(again)) if len(again) else (at[w], min(end[w], at[w] + self._chunk)))
        sizes = [stop - start for start, stop in spans]
        parallel = sum(sizes) >= PARALLEL_STATES and sum(size > 0 for size in sizes) > 1
        reached = self._each(parallel, lambda w: self._expand(w, aside[w], *spans[w]))
        done = 0
        for w, (start, _) in enumerate(spans):
            done += reached[w] - start
            if len(aside[w]):
                aside[w] = aside[w][reached[w] :]
            else:
                at[w] = reached[w]
        if self.workers > 1:
            self._exchange(parallel=parallel)
        self.store.counts = [int(work.counts[kernel.C_STATES]) for work in self.work]
        self._pace(done, time.monotonic() - before)

    def _room(self) -> int:
        return len(self.work[0].told) + 2 * kernel.BATCH

    def _expand(self, worker: int, todo: npt.NDArray[np.int64], start: int, stop: int) -> int:
        store = self.store
        return int(
            kernel.expand(
                self.learnt.tables,
                self.work[worker],
                store.states,
                store.table,
                worker,
                todo,
                start,
                stop,
                store.limit,
            )
        )

    def _each(self, parallel: bool, do: Callable[[int], int]) -> list[int]:  # noqa: FBT001 - one of two ways
        """Do something for each worker; in threads if it is worth it (compiled code lets go of the interpreter)."""
        if not parallel:
            return [do(w) for w in range(self.workers)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.workers, "search")
        return list(self._pool.map(do, range(self.workers)))

    def _each_of_many(self, do: Callable[[int], int]) -> list[int]:
        """Do something with all the states of each worker."""
        return self._each(self.workers > 1 and self.store.total > 16 * PARALLEL_STATES, do)

    def _exchange(self, *, parallel: bool) -> None:
        """Give each worker the states that others have found for it."""
        for w in range(self.workers):
            self.store.counts[w] = int(self.work[w].counts[kernel.C_STATES])
        boxed = [int(work.counts[kernel.C_BOX]) for work in self.work]
        self.store.ensure(sum(boxed))
        tables, store = self.learnt.tables, self.store

        def receive(w: int) -> int:
            for sender, count in zip(self.work, boxed, strict=True):
                if count and sender is not self.work[w]:
                    kernel.receive(tables, self.work[w], store.states, store.table, w, sender.box, count)
            return 0

        self._each(parallel, receive)

    def _pace(self, done: int, seconds: float) -> None:
        """Choose how many states the next call is given."""
        if done and seconds > 0:
            target = int(done * CALL_SECONDS / seconds)
            self._chunk = max(256, min(target, 2 * self._chunk, 1 << 20))

    def _grant(self, aside: list[npt.NDArray[np.int64]]) -> None:
        """Learn what the loops wish for, and collect the states that were put aside for it."""
        wished = False
        for w, work in enumerate(self.work):
            counts = work.counts
            for kind, what, more in work.wishes[: counts[kernel.C_WISHES]].tolist():
                wished = True
                if kind in (kernel.W_STACK, kernel.W_ROOM):
                    self._enlarge(w, stack=kind == kernel.W_STACK)
                else:
                    self.learnt.grant(kind, what, more)
            counts[kernel.C_WISHES] = 0
            aside[w] = np.concatenate([work.retry[: counts[kernel.C_RETRY]], aside[w]])
            counts[kernel.C_RETRY] = 0
        if wished:
            self.learnt.settled()

    def _enlarge(self, worker: int, *, stack: bool) -> None:
        """Give a worker's workspace more room for branches or for successors."""
        work = self.work[worker]
        if stack:
            self.work[worker] = work._replace(stack=np.zeros((2 * len(work.stack), work.stack.shape[1]), np.int64))
            return
        bigger = self._workspace(2 * len(work.told))
        self.work[worker] = bigger._replace(stack=work.stack, counts=work.counts, sights=work.sights, retry=work.retry)

    # --- bounds and results --------------------------------------------------------------------------------------

    def _bounds(self, frontier: int) -> str:
        """Report, and tell what ends the search now, if anything."""
        options, store = self.options, self.store
        states = store.total
        if self._generous and states > TIGHTEN_AT:
            self._generous = False
            if self.learnt.tight_words() < store.words:
                raise Relayout
        if options.max_states and states >= options.max_states:
            return "states"
        if options.max_bytes and store.bytes >= options.max_bytes:
            return "memory"
        now = time.monotonic()
        if options.seconds and now - self._started >= options.seconds:
            return "seconds"
        if self._progress and now - self._told >= REPORT_SECONDS:
            self._told = now
            depth = len(self.levels) - 1
            told = Progress(states, self._transitions(), depth, frontier, now - self._started, store.bytes)
            if not self._progress(told):
                return "cancelled"
        return ""

    def _transitions(self) -> int:
        return sum(int(work.counts[kernel.C_TRANSITIONS]) for work in self.work)

    def _harvest(self) -> bool:
        """Look at what the level just done has shown; tell whether to stop."""
        depth = len(self.levels) - 2
        if any(work.counts[kernel.C_STUCK] for work in self.work):
            self._seen.setdefault(-1, Violation("deadlock", -1, depth))
            for work in self.work:
                work.counts[kernel.C_STUCK] = 0
        sights: set[int] = set()
        for work in self.work:
            sights.update(work.sights[: work.counts[kernel.C_SIGHTS]].tolist())
            work.counts[kernel.C_SIGHTS] = 0
        for sighting in sorted(sights):
            self._seen.setdefault(sighting >> 8, Violation("sighting", sighting, depth + 1))
        return bool(self._seen) and self.options.stop_at_first

    def _tally(self) -> None:
        result, counts = self.result, [work.counts for work in self.work]
        if result.bounded_by:
            self._harvest()
        result.states = self.store.total
        result.transitions = self._transitions()
        result.depth = self._depth()
        result.bytes = self.store.bytes
        result.bytes_per_state = result.bytes / max(result.states, 1)
        result.windows = int(np.bitwise_or.reduce([each[kernel.C_WINDOWS] for each in counts]))
        result.waited_for_buffer = any(each[kernel.C_WAITED] for each in counts)
        result.longest_buffer = int(max(each[kernel.C_LONGEST] for each in counts))
        result.branching = any(bool(each[kernel.C_BRANCHING]) for each in counts)
        found = sorted(self._seen.values(), key=lambda each: (each.depth, each.what, each.sighting))
        result.violation = found[0] if found else None
        result.violations = found if not self.options.stop_at_first else found[:1]

    def _depth(self) -> int:
        """Give the deepest level that has a state."""
        return len(self.levels) - (1 if self.levels[-1] != self.store.counts else 2)

    def _conclude(self) -> None:
        """Say what the search amounts to."""
        result = self.result
        result.locals = tuple(len(thread) for thread in self.model.threads)
        stopped = result.violation is not None and self.options.stop_at_first
        if result.waited_for_buffer:
            result.bounded_by = (*result.bounded_by, "buffer")
        result.complete = not result.bounded_by and not stopped
        if self.options.progress_check and result.complete and not result.violation and self.model.debt:
            self._look_for_cycles()
        if self.options.keep_finals:
            result.finals = self._finals()
        result.seconds = time.monotonic() - self._started

    def _look_for_cycles(self) -> None:
        """Look for fair cycles that never pay a debt."""
        result, cycles = self.result, Cycles(self)
        if not cycles.find(self._going_on):
            result.complete = False
            over = self.options.seconds and time.monotonic() - self._started >= self.options.seconds
            result.bounded_by = ("seconds" if over else "cancelled",)
        depth, self._targets = cycles.nearest()
        if depth >= 0:
            result.violation = Violation("no-progress", -1, depth)
            result.violations = [result.violation]

    def _going_on(self) -> bool:
        """Report while cycles are looked for; tell whether to go on."""
        now = time.monotonic()
        if self.options.seconds and now - self._started >= self.options.seconds:
            return False
        if self._progress and now - self._told >= REPORT_SECONDS:
            self._told = now
            result = self.result
            seconds = now - self._started
            return self._progress(
                Progress(result.states, result.transitions, result.depth, 0, seconds, self.store.bytes)
            )
        return True

    def _finals(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Give the distinct ends."""
        finals = set()
        ended = [self.learnt.ended(t) for t in range(len(self.model.threads))]
        words = self.store.words
        for w, count in enumerate(self.store.counts):
            for start in range(0, count, 1 << kernel.BLOCK_BITS):
                at = int(kernel.place_of(start, w, self.workers))
                some = min(count - start, 1 << kernel.BLOCK_BITS)
                block = self.store.states[at * words : (at + some) * words].reshape(some, words)
                keep = np.ones(some, bool)
                for t, places in enumerate(ended):
                    held = self.learnt.layout["local", t]
                    keep &= np.isin(block[:, held.place] >> held.shift & held.mask, places)
                for packed in block[keep].tolist():
                    state = self.learnt.state(packed)
                    if not any(state.buffers) and not state.flight:
                        finals.add((state.locals, state.memory))
        return sorted(finals)
