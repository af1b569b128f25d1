"""The reduced search of a litmus test: a stubborn set in each state, and states without what is only observed.

Moves are those of :class:`hosts.explorer.model.semantics.Product`, which every witness is made from and the
compiled search is tested against. In a state only some agents move (:mod:`hosts.litmus.stubborn`).

A state is what the rest of a run depends on. A register that only the condition still reads, and a location that
no thread reads again, are taken out of it and recorded on the transition to it (*observed*). So states that differ in
nothing else are one, and the search has two parts: first the graph of states, then the sets of observations that reach
each (dynamic programming over the graph). Where all orders of some moves are possible the number of outcomes grows
exponentially; the first part does not, and the second works on sets of numbers (:mod:`hosts.litmus.final_states`).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Final, NamedTuple

from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product, State
from hosts.explorer.model.system import Model
from hosts.litmus.bounds import Bounds, IncompleteError
from hosts.litmus.final_states import Encoding
from hosts.litmus.locations import Location
from hosts.litmus.projection import PROJECTED, ProjectedThread
from hosts.litmus.stubborn import Stubborn
from hosts.litmus.syntax import Memory, Place, Register

Observed = tuple[tuple[Place, int], ...]
"""What has come to be seen, the later of two for the same place last."""

EACH_BYTES: Final = 100
"""Of a number in a set that grows."""
IN_A_ROW: Final = 64
"""States with one successor that are passed without keeping them; limited, so that cycles are found."""


class Edge(NamedTuple):
    """A transition."""

    to: int
    observed: Observed


class _CachedThread:
    """A thread with its answers cached by local state."""

    def __init__(self, program: ProjectedThread) -> None:
        self.operation = cache(program.operation)
        self.step = cache(program.step)
        self.place = program.place
        self.may_wait = program.may_wait
        self.give_way = program.give_way
        self.handled = program.handled
        self._program = program

    def __len__(self) -> int:
        return len(self._program)


class Graph:
    """All states that a test needs, by number, and their transitions; the first is number 0."""

    def __init__(
        self, model: Model, programs: Sequence[ProjectedThread], asked: Mapping[int, Location], options: Options
    ) -> None:
        """``asked``: by word, the locations that the test asks for."""
        self._programs = programs
        self._asked = asked
        known = [_CachedThread(program) for program in programs]
        self._product = Product(replace(model, threads=known), options)
        words = sum(1 << word for word in asked)
        self._stubborn = Stubborn(programs, words, buffered=bool(options.buffer))
        self.first: Observed = ()
        self.edges: list[list[Edge]] = []
        """By state; a state without any is an end."""

    def explore(self, bounds: Bounds) -> None:
        """Find them all; IncompleteError."""
        state, self.first = self._project(self._product.initial())
        numbers = {state: 0}
        waiting = [state]
        for state in waiting:
            found: list[Edge] = []
            for after, observed in self._moves(state):
                kept, seen = self._follow(after, observed, numbers)
                number = numbers.setdefault(kept, len(waiting))
                if number == len(waiting):
                    waiting.append(kept)
                found.append(Edge(number, seen))
            self.edges.append(found)
            bounds.check(len(waiting))

    def observed_values(self) -> dict[Place, set[int]]:
        """Return all values that come to be seen, by place, as the machine has them."""
        found: dict[Place, set[int]] = {}
        ways = (edge.observed for edges in self.edges for edge in edges)
        for place, value in itertools.chain(self.first, itertools.chain.from_iterable(ways)):
            found.setdefault(place, set()).add(value)
        return found

    def outcomes(self, encoding: Encoding, bounds: Bounds) -> set[int]:
        """Return what is seen at the ends; IncompleteError.

        Worked off in an order in which a state comes before those behind it, but for ways back; then each state is left
        once, with all that reaches it. On a way back comes only what the state has not had yet.
        """
        order = self._order()
        changes: dict[Observed, tuple[int, int]] = {}
        goes_back = any(order[edge.to] <= order[at] for at, edges in enumerate(self.edges) for edge in edges)
        had: dict[int, set[int]] = {}
        reached = {0: {encoding.change(self.first)[1]}}
        due = [(order[0], 0)]
        ends: set[int] = set()
        while due:
            _, at = heapq.heappop(due)
            new = reached.pop(at)
            if goes_back:
                new -= had.setdefault(at, set())
                had[at] |= new
            if not self.edges[at]:
                ends |= new
            for to, observed in self.edges[at] if new else ():
                if observed not in changes:
                    changes[observed] = encoding.change(observed)
                kept, bits = changes[observed]
                if to not in reached:
                    reached[to] = set()
                    heapq.heappush(due, (order[to], to))
                bounds.check_now(len(new), len(new) * EACH_BYTES)
                reached[to].update(new if not observed else {state & kept | bits for state in new})
        return ends

    def _order(self) -> list[int]:
        """Number the states so that each comes before those behind it, as far as there is no cycle."""
        order = [-1] * len(self.edges)
        last = len(self.edges)
        entered = {0}
        ways = [(0, iter(self.edges[0]))]
        while ways:
            at, rest = ways[-1]
            for edge in rest:
                if edge.to not in entered:
                    entered.add(edge.to)
                    ways.append((edge.to, iter(self.edges[edge.to])))
                    break
            else:
                ways.pop()
                last -= 1
                order[at] = last
        return order

    # --- moves ---------------------------------------------------------------------------------------------------

    def _follow(self, state: State, observed: Observed, known: Collection[State]) -> tuple[State, Observed]:
        """Follow single successors; return the last state, and all that is observed on the way."""
        for _ in range(IN_A_ROW):
            if state in known:
                break
            agents = self._stubborn.agents(state)
            if len(agents) != 1:
                break
            ((state, seen),) = self._successors(state, agents)
            observed += seen
        return state, observed

    def _moves(self, state: State) -> Iterator[tuple[State, Observed]]:
        yield from self._successors(state, self._stubborn.agents(state))

    def _successors(self, state: State, agents: Sequence[int]) -> Iterator[tuple[State, Observed]]:
        """Return the successors by these agents."""
        threads = len(state.locals)
        buffers = [threads + thread for thread, buffer in enumerate(state.buffers) if buffer]
        moving = dict(zip([*range(threads), *buffers], self._product.agents(state), strict=True))
        for agent in agents:
            for outcome in moving[agent]:
                yield self._project(outcome.state)
        if self._product.waited:
            raise IncompleteError("buffer")

    def _project(self, state: State) -> tuple[State, Observed]:
        """Split a state into what the rest of the run depends on, and what is only observed."""
        seen: list[tuple[Place, int]] = []
        locals_ = []
        read = 0
        for thread, (program, local) in enumerate(zip(self._programs, state.locals, strict=True)):
            bare, settled = program.project(local)
            seen += [(Register(thread, number), value) for number, value in settled]
            locals_.append(bare)
            read |= self._stubborn.next(thread, bare).reads
        memory = list(state.memory)
        for word, value in enumerate(memory):
            if value != PROJECTED and not read >> word & 1:
                memory[word] = PROJECTED
                if word in self._asked:
                    seen.append((Memory(self._asked[word].name), self._asked[word].unpacked(value)))
        return state._replace(locals=tuple(locals_), memory=tuple(memory)), tuple(seen)
