"""The lasso of a progress violation: a stem, and a fair cycle on which an obligation is never met.

The search knows which states lie on a fair cycle (:mod:`hosts.explorer.search.fair_cycles`), not the cycle itself.
It is constructed here by the reference semantics: from one such state, with the obligation unmet all the way, past a
move of each thread, each store buffer and each IPI in flight, or past a state in which that agent is disabled, and back
to the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Product, State
from hosts.explorer.model.system import Model

MOST_STATES: Final = 20_000
"""States with the debt unpaid that are looked at; of more, no way round is told."""
NEAR: Final = 50
"""States behind the one given that are tried."""

Agent = tuple[str, int, int]
"""Who moves: a move without its answers."""
Edges = dict[State, list[tuple[Move, State]]]


def cycle_from(model: Model, options: Options, state: State) -> list[Move]:
    """Return a fair cycle through a state on which an obligation is never met; nothing if none is within reach."""
    product = Product(model, options)
    for word in model.obligations:
        if state.memory[word] != 0:
            edges = _unpaid(product, state, word)
            if edges:
                walked = _Walk(product, _component(edges, state), state).moves()
                if walked:
                    return walked
    return []


def lasso_from(model: Model, options: Options, state: State) -> tuple[list[Move], list[Move]]:
    """Return a stem from a state to a fair cycle on which an obligation is never met, and the cycle; nothing if none.

    Mostly the state lies on the cycle. But the reduced search merges steps at which the reference semantics stops: the
    state that it returns to may be one that leads to the cycle.
    """
    ways: dict[State, list[Move]] = {state: []}
    product = Product(model, options)
    queue = [state]
    for at in queue:
        moves = cycle_from(model, options, at)
        if moves:
            return ways[at], moves
        for outcome in product.outcomes(at) if len(queue) < NEAR else ():
            unpaid = any(at.memory[word] != 0 and outcome.state.memory[word] != 0 for word in model.obligations)
            if unpaid and outcome.state not in ways:
                ways[outcome.state] = [*ways[at], outcome.move]
                queue.append(outcome.state)
    return [], []


def _unpaid(product: Product, start: State, word: int) -> Edges:
    """Return the states reachable with the obligation unmet, and their moves; nothing if there are too many."""
    edges: Edges = {start: []}
    queue = [start]
    for state in queue:
        for outcome in product.outcomes(state):
            after = outcome.state
            if after.memory[word] == 0:
                continue
            edges[state].append((outcome.move, after))
            if after not in edges:
                edges[after] = []
                queue.append(after)
        if len(queue) > MOST_STATES:
            return {}
    return edges


def _component(edges: Edges, start: State) -> Edges:
    """Keep the states from which the start can be reached."""
    before: dict[State, list[State]] = {}
    for state, moves in edges.items():
        for _move, after in moves:
            before.setdefault(after, []).append(state)
    back = {start}
    queue = [start]
    for state in queue:
        for each in before.get(state, []):
            if each not in back:
                back.add(each)
                queue.append(each)
    return {state: [each for each in edges[state] if each[1] in back] for state in edges if state in back}


class _Walk:
    """Construction of a fair cycle in one strongly connected component."""

    def __init__(self, product: Product, edges: Edges, start: State) -> None:
        self.product = product
        self.edges = edges
        self.start = self.at = start
        self.way: list[Move] = []
        threads = range(len(start.locals))
        self.owed: set[Agent] = {("run", t, -1) for t in threads} | {("drain", t, -1) for t in threads}
        self.owed |= {("arrive", *each) for state in edges for each in state.flight}
        """Who has neither moved nor been unable to."""

    def moves(self) -> list[Move]:
        """Return a cycle that is fair to every agent; nothing if there is none."""
        self._see(self.at)
        while self.owed:
            if not self._go(lambda move, after: agent_of(move) in self.owed or bool(self.owed & self._unable(after))):
                return []
        if self.way and self.at == self.start:
            return self.way
        return self.way if self._go(lambda _move, after: after == self.start) else []

    def _go(self, wanted: Callable[[Move, State], bool]) -> bool:
        """Append the shortest path whose last move is wanted; return whether there is one."""
        came: dict[State, tuple[State, Move]] = {}
        queue = [self.at]
        for state in queue:
            for move, after in self.edges[state]:
                if wanted(move, after):
                    self._take([*self._back(came, state), (move, after)])
                    return True
                if after not in came and after != self.at:
                    came[after] = state, move
                    queue.append(after)
        return False

    def _back(self, came: dict[State, tuple[State, Move]], state: State) -> list[tuple[Move, State]]:
        found = []
        while state in came:
            before, move = came[state]
            found.append((move, state))
            state = before
        return found[::-1]

    def _take(self, way: list[tuple[Move, State]]) -> None:
        for move, after in way:
            self.way.append(move)
            self.owed.discard(agent_of(move))
            self._see(after)
            self.at = after

    def _see(self, state: State) -> None:
        self.owed -= self._unable(state)

    def _unable(self, state: State) -> set[Agent]:
        return {agent for agent in self.owed if not _able(self.product, state, agent)}


def left_out(product: Product, moves: Sequence[Move], states: Sequence[State]) -> list[Agent]:
    """Return the agents that are enabled in every state of a cycle and make none of its moves."""
    threads = range(len(states[0].locals))
    agents: set[Agent] = {(what, thread, -1) for thread in threads for what in ("run", "drain")}
    agents |= {("arrive", *each) for state in states for each in state.flight}
    agents -= {agent_of(move) for move in moves}
    return sorted(agent for agent in agents if all(_able(product, state, agent) for state in states))


def agent_of(move: Move) -> Agent:
    """Return the agent of a move."""
    return move.agent, move.thread, move.vector


def _able(product: Product, state: State, agent: Agent) -> bool:
    """Return whether an agent is enabled."""
    what, thread, vector = agent
    if what == "run":
        runs: Iterator[object] = product.runs(state, thread)
        return next(runs, None) is not None
    return bool(state.buffers[thread]) if what == "drain" else (thread, vector) in state.flight
