"""Breadth-first search of a model's state space, so that the first violation is one of the shortest.

:mod:`hosts.explorer.model.semantics` defines the moves; this explores the same over packed states with the kernels of
:mod:`hosts.explorer.compiled.successors`. Whole states are compared, never hashes alone. The levels are expanded in
parallel (:mod:`hosts.explorer.search.workers`); the result does not depend on the number of workers. When a field of
the packed states gets too narrow, the states found so far are re-encoded where they are.

With ``Options.reduce`` a step goes on through an operation that commutes with everything that others do, at most
``PROVISO_BOUND`` times in a row, so that on every cycle each thread comes to a scheduling point (cycle proviso). States
in between are left out: each has a move that leads on to the state kept, no other move is disabled by it, and
violations of assertions belong to moves. A word of an obligation is changed once in a step, so that no state in which
it is met is left out. The table in :mod:`hosts.explorer` lists the reductions, what each assumes, and its file. A
violation found with symmetry is searched once more without it, so that its trail is one of the model's.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from hosts.explorer.compiled import abi
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move
from hosts.explorer.model.state_vector import Crammed
from hosts.explorer.model.system import Model
from hosts.explorer.search.assumptions import AssumptionRefuted
from hosts.explorer.search.explored import Explored
from hosts.explorer.search.fair_cycles import FairCycles
from hosts.explorer.search.reencode import moves
from hosts.explorer.search.result import Progress, Result, Violation
from hosts.explorer.search.thread_tables import ThreadTables, TooManyEntered
from hosts.explorer.search.trail import TrailFinder
from hosts.explorer.search.visited import Store
from hosts.explorer.search.workers import Rounds

REPORT_SECONDS: Final = 0.3
RESTART_WITHIN: Final = 2_000_000
"""States, of all attempts, that are searched again because stronger assumptions are known meanwhile."""
TIGHTEN_AT: Final = 200_000
"""States after which fields wider than needed are worth making narrower."""


class Search:
    """One model's search."""

    def __init__(self, model: Model, options: Options, learnt: ThreadTables | None = None) -> None:
        """``learnt``: what an earlier search of the same has learnt."""
        self.model = model
        self.options = options
        self.workers = max(options.workers, 1)
        self._resumed = learnt is not None
        self.learnt = ThreadTables(model, options) if learnt is None else learnt
        self.on_learnt: Callable[[], bytes] | None = None
        """Writes down what has been learnt, when the first attempt that holds has come to an end by itself."""
        self.packed = b""
        """What it wrote."""
        self.rounds = Rounds(self.learnt, self.workers)
        self.result = Result()
        self._generous = True
        self.searched_again = 0
        """States of attempts that were left because stronger assumptions were known."""
        self._targets: list[int] = []
        """Places of the states that a no-progress consists in."""
        self.pathless = False
        """There is a violation, but the search that would have told the way to it did not come so far."""
        self._progress: Callable[[Progress], bool] | None = None
        self._started = 0.0
        self._told = 0.0

    def run(self, progress: Callable[[Progress], bool] | None = None, begun: float | None = None) -> Result:
        """Search. ``progress`` is called a few times a second and ends the search by returning False.

        ``begun``: when the seconds that it is given began, if not now.
        """
        self._progress = progress
        self._told = time.monotonic()
        self._started = self._told if begun is None else begun
        self.result = Result()
        try:
            self._through()
            found = self.result
            if found.violation is not None and self.learnt.symmetry.groups:
                # Told from states that stand for themselves; the shortest way and its changes of thread are seen there.
                self.learnt.symmetry.split_class()
                self._through()
                self.pathless = self.result.violation is None
                self.result = found if self.pathless else self.result
        finally:
            self.rounds.close()
        return self.result

    def _through(self) -> None:
        """Search to the end, whatever that is."""
        self.result.restarts = self._attempts()
        if self.options.progress_check and self.learnt.goes_round():
            self.learnt.symmetry.split_class()  # a cycle on which equal threads change places need not be fair to each
            self.result.restarts = self._attempts()
        self._conclude()

    def _attempts(self) -> int:
        """Search until no assumption is refuted; give how often it did."""
        for restarts in itertools.count():
            try:
                self._generous = True
                if self._resumed:
                    self._resumed = False  # it assumes what the search assumed that learnt it
                else:
                    self.learnt.reset_assumptions()
                    self.learnt.lay_out(generous=True)
                self._search()
            except AssumptionRefuted:
                continue
            if self.on_learnt is not None and not self.result.bounded_by:
                self.packed = self.on_learnt()
            self.on_learnt = None
            return restarts
        raise AssertionError

    def path(self) -> list[Move]:
        """Return the moves from the initial state to the violation of the last run."""
        violation = self.result.violation
        if violation is None or self.pathless:
            return []
        return TrailFinder(self.explored, self.options).path(
            violation, self._targets if violation.what == "no-progress" else None
        )

    # --- one attempt ---------------------------------------------------------------------------------------------

    def _search(self) -> None:
        self.result = Result()
        self.rounds.begin()
        self.explored = Explored(self.rounds)
        self._seen: dict[int, Violation] = {}
        levels = self.explored.levels
        bound = ""
        while not bound:
            begin, end = levels[-1], list(self.store.counts)
            if begin == end:
                levels.pop()
                break
            self.rounds.begin_level(begin, end)
            bound = self._level()
            levels.append(end)
            if self.learnt.assumptions.stronger_known and self.searched_again + self.store.total <= RESTART_WITHIN:
                self.searched_again += self.store.total
                raise AssumptionRefuted
            if not bound and self._harvest():
                break
        else:
            self.result.bounded_by = (bound,)
        self._tally()

    @property
    def store(self) -> Store:
        """The states and their hash table."""
        return self.explored.store

    @property
    def work(self) -> list[abi.Work]:
        """The workers' workspaces."""
        return self.rounds.work

    def _level(self) -> str:
        """Expand one level; return what cut it short, if anything. AssumptionRefuted if an assumption was false.

        That is told only when the whole level is done: what is known by then does not depend on the order of learning,
        so that neither does what the next attempt leaves out.
        """
        mistaken = False
        while self.rounds.jobs:
            self.store.ensure(self.rounds.room)
            self.rounds.round(self.store)
            try:
                mistaken |= self.rounds.resolve_requests() and self.learnt.assumptions.refuted(self.learnt)
            except TooManyEntered:
                return "windows"
            if self.learnt.stale:
                try:
                    self._lay_out_anew()
                except Crammed:
                    return "buffer"
            if bound := self._bounds(self.rounds.left):
                return bound
        if mistaken:
            raise AssumptionRefuted
        return ""

    def _lay_out_anew(self) -> None:
        """Bring all states into a layout for what is known by now."""
        before = self.learnt.kept
        self.learnt.lay_out(generous=self._generous)
        words = self.learnt.layout.words
        self.store.move(moves(before, self.learnt.kept), words)
        self.rounds.relaid()
        self.result.layouts += 1

    # --- bounds and results --------------------------------------------------------------------------------------

    def _bounds(self, frontier: int) -> str:
        """Report, and tell what ends the search now, if anything."""
        options, store = self.options, self.store
        states = store.total
        if self._generous and states > TIGHTEN_AT:
            self._generous = False
            if self.learnt.tight_words() < store.words:
                self._lay_out_anew()
        if options.max_states and states >= options.max_states:
            return "states"
        if options.max_bytes and store.bytes >= options.max_bytes:
            return "memory"
        now = time.monotonic()
        if options.seconds and now - self._started >= options.seconds:
            return "seconds"
        if self._progress and now - self._told >= REPORT_SECONDS:
            self._told = now
            depth = len(self.explored.levels) - 1
            told = Progress(states, self._transitions(), depth, frontier, now - self._started, store.bytes)
            if not self._progress(told):
                return "cancelled"
        return ""

    def _transitions(self) -> int:
        return sum(int(work.counts[abi.C_TRANSITIONS]) for work in self.work)

    def _harvest(self) -> bool:
        """Look at what the level just done has shown; return whether to stop."""
        depth = len(self.explored.levels) - 2
        if any(work.counts[abi.C_STUCK] for work in self.work):
            self._seen.setdefault(-1, Violation("deadlock", -1, depth))
            for work in self.work:
                work.counts[abi.C_STUCK] = 0
        sights: set[int] = set()
        for work in self.work:
            sights.update(work.sights[: work.counts[abi.C_SIGHTS]].tolist())
            work.counts[abi.C_SIGHTS] = 0
        for sighting in sorted(sights):
            self._seen.setdefault(sighting >> 8, Violation("sighting", sighting, depth + 1))
        return bool(self._seen) and self.options.stop_at_first

    def _tally(self) -> None:
        result, counts = self.result, [work.counts for work in self.work]
        if result.bounded_by:
            self._harvest()
        result.states = self.store.total
        result.transitions = self._transitions()
        result.depth = self.explored.depth
        result.bytes = self.store.bytes
        result.bytes_per_state = result.bytes / max(result.states, 1)
        result.windows = self.learnt.unpacked(int(np.bitwise_or.reduce([each[abi.C_WINDOWS] for each in counts])))
        result.waited_for_buffer = any(each[abi.C_WAITED] for each in counts)
        result.longest_buffer = int(max(each[abi.C_LONGEST] for each in counts))
        result.branching = any(bool(each[abi.C_BRANCHING]) for each in counts)
        found = sorted(self._seen.values(), key=lambda each: (each.depth, each.what, each.sighting))
        result.violation = found[0] if found else None
        result.violations = found if not self.options.stop_at_first else found[:1]

    def _conclude(self) -> None:
        """Return what the search amounts to."""
        result = self.result
        result.locals = tuple(len(thread) for thread in self.model.threads)
        stopped = result.violation is not None and self.options.stop_at_first
        if result.waited_for_buffer and "buffer" not in result.bounded_by:
            result.bounded_by = (*result.bounded_by, "buffer")
        result.complete = not result.bounded_by and not stopped
        if self.options.progress_check and result.complete and not result.violation and self.model.obligations:
            self._look_for_cycles()
        if self.options.keep_finals:
            result.finals = self.explored.finals()
        result.seconds = time.monotonic() - self._started

    def _look_for_cycles(self) -> None:
        """Look for fair cycles that never pay a debt."""
        result, cycles = self.result, FairCycles(self.explored)
        if not cycles.find(self._going_on):
            result.complete = False
            over = self.options.seconds and time.monotonic() - self._started >= self.options.seconds
            result.bounded_by = ("seconds" if over else "cancelled",)
        depth, self._targets = cycles.nearest()
        if depth >= 0:
            result.violation = Violation("no-progress", -1, depth)
            result.violations = [result.violation]

    def _going_on(self) -> bool:
        """Report while cycles are looked for; return whether to go on."""
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
