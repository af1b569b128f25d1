"""Trail of a violation: a shortest one, with the fewest changes of the moving thread among these.

The search stores no edges and no parents. The levels are expanded once more, from the last to the first: each state
from which the violation can be reached in just the moves that are left gets, for each thread, the fewest changes of
thread that the rest takes if that thread moves next. Then the way is read off from the start. Ties go to the move that
the product lists first, so that the way does not depend on how states are numbered.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hosts.explorer.compiled import abi, backward, step, successors
from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Outcome, Product, State
from hosts.explorer.model.store_merging import Waiting
from hosts.explorer.search.decode import state_of
from hosts.explorer.search.explored import Explored
from hosts.explorer.search.result import Violation

CHUNK: Final = 50_000


class TrailFinder:
    """Finds the trail to a violation in what a search has explored."""

    def __init__(self, explored: Explored, options: Options) -> None:
        self.explored = explored
        self.options = options
        self.store = explored.store
        self.learnt = explored.learnt
        self.model = self.learnt.model
        self.tables = self.learnt.tables
        self.product = Product(self.model, options, merging=True)
        self._urgent = [each for each in range(len(self.model.vectors)) if each not in self.model.deferrable]
        threads = len(self.model.threads)
        self.row_of: npt.NDArray[np.int32] = np.full(self.store.places, -1, np.int32)
        """By state: its row of ``costs``, or -1 if it is on no shortest way."""
        self.costs: npt.NDArray[np.int16] = np.full((1024, threads), backward.FAR, np.int16)
        self.rows = 0

    def path(self, violation: Violation, targets: list[int] | None = None) -> list[Move]:
        """Return the moves to a violation. ``targets``: the places of the states it consists in, for a no-progress."""
        last = violation.depth
        if violation.what == "sighting":
            self._level(last - 1, violation.sighting + 1)
            last -= 1
        elif targets is not None:
            self._base(targets)
        else:
            self._level(last, -1)
        for depth in range(last - 1, -1, -1):
            self._level(depth, 0)
        return self._spelled_out(self._read_off(violation))

    def _base(self, targets: list[int]) -> None:
        for place in targets:
            self._rows_for(1)
            self.costs[self.rows] = 0
            self.row_of[place] = self.rows
            self.rows += 1

    def _rows_for(self, more: int) -> None:
        while len(self.costs) < self.rows + more:
            self.costs = np.concatenate([self.costs, np.full_like(self.costs, backward.FAR)])

    def _level(self, depth: int, sighting: int) -> None:
        """Work out the costs of one level; ``sighting`` as in :func:`backward.search_backward`."""
        marked: list[npt.NDArray[np.int64]] = []
        around = np.zeros(len(self.explored.work[0].labels), np.int64)
        for worker in range(self.explored.workers):
            begin, end = self.explored.span(depth, worker)
            for start in range(begin, end, CHUNK):
                stop = min(start + CHUNK, end)
                self._rows_for(stop - start)
                places = np.zeros(stop - start, np.int64)
                arrays = backward.Backward(self.row_of, self.costs, places, around)
                count = backward.search_backward(
                    self.tables,
                    self.explored.work[worker],
                    self.store.states,
                    self.store.table,
                    arrays,
                    worker,
                    start,
                    stop,
                    sighting,
                    self.rows,
                )
                marked.append(places[:count])
                # Only now: a move to another state of the same level is no step ahead.
                self.rows += int(count)
        if marked:
            places = np.concatenate(marked)
            self.row_of[places] = np.arange(self.rows - len(places), self.rows)

    def _read_off(self, violation: Violation) -> list[Move]:
        """Follow the costs from the start."""
        state, at, last = self.product.initial(), 0, -1
        moves: list[Move] = []
        depth = 0
        while True:
            if depth == violation.depth:
                return moves
            wanted = violation.sighting if violation.what == "sighting" and depth == violation.depth - 1 else -2
            thread, agent, slot, place, packed = self._best(at, last, wanted)
            told = self._told(state, thread, agent, slot, state_of(self.learnt, packed), wanted)
            moves += [each.move for each in told]
            state, at, last = told[-1].state, place, thread
            depth += 1

    def _spelled_out(self, moves: list[Move]) -> list[Move]:
        """Return a drain as often as stores reach memory by it, so that the way is one of the unbounded buffer's."""
        if not self.model.looks:
            return moves
        buffers = [Waiting(self.model.looks) for _ in self.model.threads]
        state = self.product.initial()
        told: list[Move] = []
        for move in moves:
            outcome = self.product.outcome(state, move)
            for micro in outcome.micros:
                if micro.operation.kind == Op.STORE:
                    buffers[move.thread].put((micro.operation.word, micro.operation.a))
            told += [move] * (buffers[move.thread].drain() if move.agent == "drain" else 1)
            state = outcome.state
        return told

    def _best(self, at: int, last: int, wanted: int) -> tuple[int, int, int, int, list[int]]:
        """Return the best next move from a place: thread, agent, slot, where it leads, the state there."""
        work, words = self.explored.work[0], self.store.words
        around = np.zeros(len(work.labels), np.int64)
        count = int(successors.look_up_successors(self.tables, work, self.store.states, self.store.table, at, around))
        best: tuple[int, int] | None = None
        for number in range(count):
            told = int(work.labels[number])
            thread = told & 0xFF
            place = int(around[number])
            if wanted >= 0:
                if (told >> 32) - 1 != wanted:
                    continue
                cost = 0
            else:
                row = int(self.row_of[place])
                if row < 0 or self.explored.depth_of(place) <= self.explored.depth_of(at):
                    continue
                costs = self.costs[row]
                cost = int(min(costs[thread], costs.min() + 1))
            cost += last not in (-1, thread)
            if best is None or cost < best[0]:
                best = (cost, number)
        if best is None:
            raise AssertionError("a state on a shortest way has no move that is")
        number = best[1]
        told = int(work.labels[number])
        packed = work.out[number * words : (number + 1) * words].tolist()
        place = int(around[number])
        return told & 0xFF, told >> 8 & 0xFF, told >> 16 & 0xFFFF, place, packed

    def _told(self, state: State, thread: int, agent: int, slot: int, target: State, wanted: int) -> list[Outcome]:
        """Return the product's moves that make up one of the search's: with the reduction, a step may be several."""
        if agent == abi.ARRIVE:
            return [self.product.outcome(state, Move("arrive", *self.learnt.slots[slot]))]
        target = self._passed(target)
        ways: list[list[Outcome]] = [[]]
        if agent == abi.DRAIN:
            ways = [[self.product.outcome(state, Move("drain", thread))]]
        for _ in range(step.PROVISO_BOUND + 1):
            longer = []
            for way in ways:
                if way and self._passed(way[-1].state) == target and (wanted < 0 or way[-1].sighting == wanted):
                    return way
                longer += [[*way, each] for each in self.product.runs(way[-1].state if way else state, thread)]
            ways = longer
        raise AssertionError("the product does not lead where the search went")

    def _passed(self, state: State) -> State:
        """Return a state behind all interrupt points that the search passes, as no interrupt can come there."""
        found = list(state.locals)
        for thread, local in enumerate(state.locals):
            model = self.model.threads[thread]
            seen: list[int] = []
            while local not in seen:
                operation = model.operation(local)
                yields = operation.kind == Op.YIELD and not operation.scheduled
                point = operation.kind == Op.POINT and not operation.a
                if not yields and not (point and self._uninterruptible(state, thread)):
                    break
                edge = model.step(local, 0)
                if edge.sighting >= 0:
                    break
                seen.append(local)
                local = edge.local  # noqa: PLW2901 - further on
            else:
                local = min(seen[seen.index(local) :])  # noqa: PLW2901 - round and round: all the same
            found[thread] = local
        return state._replace(locals=tuple(found))

    def _uninterruptible(self, state: State, thread: int) -> bool:
        """Return what :func:`hosts.explorer.compiled.visibility.uninterruptible` tells."""
        model, late = self.model, self.model.deferrable
        if not self.options.reduce or any(state.pending[thread] >> each & 1 for each in self._urgent):
            return False
        if any(target == thread and vector not in late for target, vector in state.flight):
            return False
        senders = self.learnt.assumptions.independence.interrupters(thread)
        threads = enumerate(model.threads)
        return all(each.operation(state.locals[t]).kind == Op.END for t, each in threads if senders >> t & 1)
