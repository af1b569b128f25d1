"""Random threads as tables, and a breadth-first search over the plain product: what the native search is held to."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hosts.explorer.model.operations import BEGINS, FENCELESS, LOCKED, SCHEDULED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Product, State
from hosts.explorer.model.system import Model, SourceLocation, Transition
from hosts.explorer.model.without_handlers import WithoutHandlers

VALUES = (0, 1, 2, 3, -1, -(1 << 63), (1 << 63) - 1)
WORDS = 4
VECTORS = (0xF0, 0xF1, 0xF2)


class Table(WithoutHandlers):
    """A thread written down: operations, and where each answer leads (``None``: any other answer)."""

    def __init__(self, operations: Sequence[Operation], edges: Sequence[Mapping[int | None, Transition]]) -> None:
        self.operations = operations
        self.edges = edges
        self.asked: dict[tuple[int, int], int] = {}

    def operation(self, local: int) -> Operation:
        """Return what the thread does in a local state."""
        return self.operations[local]

    def step(self, local: int, answer: int) -> Transition:
        """Return where an answer leads, and count how often that is asked."""
        self.asked[local, answer] = self.asked.get((local, answer), 0) + 1
        edges = self.edges[local]
        edge = edges[answer] if answer in edges else edges[None]
        return edge._replace(round=edge.local <= local)

    def place(self, where: int) -> SourceLocation:
        """Tell people where an operation comes from."""
        return SourceLocation("table", "table.py", where, "")

    def __len__(self) -> int:
        return len(self.operations)


def straight(*operations: Operation) -> Table:
    """Return a thread that does one operation after the other, whatever the answers."""
    edges = [{None: Transition(local + 1)} for local in range(len(operations))]
    return Table([*operations, Operation(Op.END)], [*edges, {}])


def op(kind: Op, word: int = -1, a: int = 0, b: int = 0) -> Operation:
    """Return a scheduled operation."""
    return Operation(kind, word, a, b, SCHEDULED)


_KINDS = [
    *[Op.LOAD, Op.STORE, Op.STORE, Op.GHOST_READ, Op.GHOST_WRITE, Op.POINT] * 2,
    *[Op.XCHG, Op.CMPXCHG, Op.OR, Op.AND, Op.ADD, Op.FENCE, Op.SEND, Op.PENDING],
    *[Op.CHOOSE, Op.GHOST_ADD, Op.RESET, Op.IN_FLIGHT, Op.QUIESCENT, Op.YIELD],
]


def random_thread(rng: random.Random, threads: int, size: int, *, loops: bool) -> Table:
    """Draw a thread; with ``loops`` some edges lead back to scheduled operations."""
    operations: list[Operation] = []
    for local in range(size):
        after_point = local > 0 and operations[-1].kind in (Op.POINT, Op.PENDING)
        kind = Op.ACK if after_point else rng.choice(_KINDS)
        if loops and kind in (Op.ADD, Op.GHOST_ADD, Op.SEND):
            kind = Op.LOAD
        scheduled = not after_point and rng.random() < (0.8 if local == 0 else 0.6)
        operation = _random_operation(rng, kind, threads, scheduled=scheduled)
        if kind == Op.ACK:
            operation = operation._replace(a=operations[-1].a if operations[-1].kind == Op.POINT else 1)
        operations.append(operation)
    operations.append(Operation(Op.END))
    edges: list[dict[int | None, Transition]] = []
    for local, operation in enumerate(operations):
        edges.append(_random_edges(rng, operations, local, operation.kind, loops=loops))
    return Table(operations, edges)


def _random_operation(rng: random.Random, kind: Op, threads: int, *, scheduled: bool) -> Operation:
    flags = SCHEDULED * scheduled
    word, a, b = rng.randrange(WORDS), rng.choice(VALUES), rng.choice(VALUES)
    if kind in LOCKED and rng.random() < 0.4:
        flags |= FENCELESS
    if kind == Op.GHOST_WRITE and rng.random() < 0.5:
        flags |= SCHEDULED | BEGINS
    if kind == Op.SEND:
        a, b = rng.randrange(threads), rng.randrange(len(VECTORS))
    elif kind == Op.CHOOSE:
        a = rng.randrange(1, 4)
    elif kind in (Op.POINT, Op.RESET):
        a = rng.randrange(2)
    return Operation(kind, word, a, b, flags)


def _random_edges(
    rng: random.Random, operations: Sequence[Operation], local: int, kind: Op, *, loops: bool
) -> dict[int | None, Transition]:
    last = len(operations) - 1
    targets = [
        target
        for target, operation in enumerate(operations)
        if operation.kind != Op.ACK and (target > local or (loops and operation.scheduled))
    ]

    def edge() -> Transition:
        near = [target for target in targets if abs(target - local) < 4] or targets or [last]
        windows = 1 << rng.randrange(5) if rng.random() < 0.2 else 0
        sighting = rng.randrange(3) * 256 + rng.randrange(2) if rng.random() < 0.03 else -1
        return Transition(rng.choice(near) if near else last, windows, sighting)

    edges: dict[int | None, Transition] = {None: edge()} | {value: edge() for value in VALUES if rng.random() < 0.6}
    if kind in (Op.POINT, Op.PENDING) and local < last and operations[local + 1].kind == Op.ACK:
        edges[1] = Transition(local + 1)
        edges[0] = edges[None]
    return edges


def random_model(rng: random.Random, *, loops: bool = False) -> Model:
    """Draw a model of two or three small threads."""
    threads = rng.choice([2, 2, 2, 3])
    tables = [
        random_thread(rng, threads, rng.randrange(5, 14 if threads == 2 else 8), loops=loops) for _ in range(threads)
    ]
    return Model(
        threads=tables,
        names=[f"T{number}" for number in range(threads)],
        words=[f"w{number}" for number in range(WORDS)],
        initial=[rng.choice(VALUES) for _ in range(WORDS)],
        vectors=VECTORS,
        deferrable=frozenset(number for number in range(len(VECTORS)) if rng.random() < 0.4),
        buffer_flag_of=[rng.choice([-1, *range(threads)]) for _ in range(WORDS)] if rng.random() < 0.7 else (),
        reset_families=[[0, 1], [3]],
        terminated=[rng.randrange(WORDS)] if rng.random() < 0.5 else [],
        obligations=[2],
    )


@dataclass
class Plain:
    """What a search over the plain product finds."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    windows: int = 0
    waited: bool = False
    longest: int = 0
    branching: bool = False
    finals: set[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=set)
    violations: list[tuple[str, int, int]] = field(default_factory=list)
    switches: int = -1
    """Of the first violation's best shortest path."""
    levels: list[list[State]] = field(default_factory=list)


class TooBig(Exception):  # noqa: N818 - no error
    """The model is no small one."""


def plain_search(  # noqa: C901 - in one piece, to be read
    model: Model, options: Options, most: int = 3000, *, merging: bool = False
) -> Plain:
    """Search breadth first; like the native search, to the end of the level in which a violation shows."""
    product = Product(model, options, merging=merging)
    found = Plain()
    seen: dict[State, int] = {product.initial(): 0}
    costs: dict[State, dict[int, int]] = {product.initial(): {-1: 0}}
    level = [product.initial()]
    first: dict[int, tuple[str, int, int]] = {}
    while level and not (first and options.stop_at_first):
        found.levels.append(level)
        depth, following = len(found.levels) - 1, []
        next_costs: dict[State, dict[int, int]] = {}
        sights: dict[int, int] = {}
        stuck = 99
        for state in level:
            count = 0
            for outcome in product.outcomes(state):
                count += 1
                found.transitions += 1
                found.windows |= outcome.windows
                new, mover = outcome.state, outcome.move.thread
                cost = min(c + (last not in (-1, mover)) for last, c in costs[state].items())
                if outcome.sighting >= 0:
                    sights[outcome.sighting] = min(sights.get(outcome.sighting, 99), cost)
                if new not in seen:
                    seen[new] = depth + 1
                    following.append(new)
                if seen[new] == depth + 1:
                    row = next_costs.setdefault(new, {})
                    row[mover] = min(row.get(mover, 99), cost)
                found.longest = max(found.longest, *map(len, new.buffers))
            found.branching |= count > 1
            if count == 0:
                if product.ended(state):
                    continue
                stuck = min(stuck, *costs[state].values())
        if len(seen) > most:
            raise TooBig
        if stuck < 99 and -1 not in first:
            found.switches = stuck if not first else found.switches
            first[-1] = ("deadlock", -1, depth)
        for sighting in sorted(sights):
            if sighting >> 8 not in first:
                found.switches = sights[sighting] if not first else found.switches
                first[sighting >> 8] = ("sighting", sighting, depth + 1)
        level, costs = following, next_costs
    found.states = len(seen)
    found.depth = max(seen.values())
    found.waited = product.waited
    found.finals = {(state.locals, state.memory) for state in seen if product.ended(state)}
    found.violations = list(first.values())
    return found


def switches_of(moves: Sequence[Move]) -> int:
    """Count how often the moving thread changes."""
    return sum(before.thread != after.thread for before, after in itertools.pairwise(moves))


def fair_depth(model: Model, options: Options) -> int:
    """Return the lowest level with a state on a fair cycle that keeps a debt, or -1; the slow way."""
    product = Product(model, options)
    depth = {product.initial(): 0}
    queue = [product.initial()]
    moves: dict[State, list[tuple[Move, State]]] = {}
    for state in queue:
        moves[state] = [(outcome.move._replace(answers=()), outcome.state) for outcome in product.outcomes(state)]
        for _, new in moves[state]:
            if new not in depth:
                depth[new] = depth[state] + 1
                queue.append(new)
    fair: set[State] = set()
    for word in model.obligations:
        inside = {state for state in queue if state.memory[word] != 0}
        fair = fair.union(*(part for part in _components(inside, moves) if _fair(part, moves)))
    return min((depth[state] for state in fair), default=-1)


def _fair(part: set[State], moves: Mapping[State, Sequence[tuple[Move, State]]]) -> bool:
    """Return whether some cycle is inside, and everyone moves in it or cannot move somewhere in it."""
    within = {move for state in part for move, new in moves[state] if new in part}
    always = set.intersection(*({move for move, _ in moves[state]} for state in part))
    return bool(within) and always <= within


def _components(inside: set[State], moves: Mapping[State, Sequence[tuple[Move, State]]]) -> list[set[State]]:
    """Return the strongly connected components: what can be reached both ways (small graphs only)."""
    ahead: dict[State, set[State]] = {}
    for state in inside:
        seen = {state}
        queue = [state]
        for each in queue:
            new = {other for _, other in moves[each] if other in inside} - seen
            seen |= new
            queue += new
        ahead[state] = seen
    parts: list[set[State]] = []
    for state in inside:
        if not any(state in part for part in parts):
            parts.append({each for each in ahead[state] if state in ahead[each]})
    return parts
