"""Repair of a violation: whether every continuation meets the obligation (late), some (either), or none (lost).

The search starts in the violating state, with checks that repair nothing. It looks for the first step that meets the
obligation, and for runs that never do: they end, or they go round a cycle that is fair to all threads, store buffers
and IPIs (strongly connected components, Tarjan 1972).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from emu.kvm_host import KICKED_REQUESTS, TASK_ASLEEP
from emu.posted_intr import POSTED_INTR_ON
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.lasso import agent_of
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Outcome, Product, State
from hosts.explorer.model.system import Model, Unstable
from hosts.explorer.repair.events import Way
from hosts.explorer.repair.threads import Unrepaired
from hosts.explorer.threads.coverage import Endless
from hosts.loader.rule.faults import RuleFault

MOST_STATES: Final = 4_000
"""States without repair that are looked at; of more, it is not told whether every way on repairs it."""
OWING: Final = frozenset({"C1", "C2", "C3", "C4", "C7", "C9"})
"""Checks that find something owed that can still be paid."""


ASTRAY: Final = (Unstable, Endless, RuleFault)
"""What may come up behind a violation: a word shared that was not so far, so that the moves are no longer the model's,
or what a user's own code does wrong there. The violation is told all the same."""


class Fate(NamedTuple):
    """What becomes of a violation."""

    fate: str
    """``late``: every way on repairs it; ``lost``: none does; ``either``; ``open``: not determined."""
    by: str = ""
    """What repairs it the soonest."""


class Debt(NamedTuple):
    """What is owed: some bits of a word that have to change."""

    word: int
    bits: int
    paid: int
    """What they hold then."""
    vcpu: int


def fate_of(builder: Builder, options: Options, moves: Sequence[Move], witness: Witness, until: float) -> Fate:
    """Find out; ``until``: when to stop looking, in seconds of time.monotonic."""
    view = witness.states[-1]["view"]
    threads = [act["thread"] for act in witness.states[-1]["acts"] if act["kind"] == "sighting"]
    if witness.check not in OWING or not threads or threads[-1] >= len(view["vcpus"]):
        return Fate("")
    try:
        found = _Search(builder, options, witness, _debt(builder, witness, threads[-1]))
        return found.fate(moves, until)
    except ASTRAY:
        return Fate("open")


def _debt(builder: Builder, witness: Witness, v: int) -> Debt:
    vcpu, vector = builder.world.machine.vcpus[v], max(witness.vector, 0)
    seen = witness.states[-1]["view"]["vcpus"][v]
    match witness.check:
        case "C2":
            return Debt(vcpu.wait.state, -1, TASK_ASLEEP, v)
        case "C9":
            return Debt(vcpu.requests, KICKED_REQUESTS, 0, v)
        case "C7":
            return Debt(vcpu.pi_desc.control, 1 << POSTED_INTR_ON, 0, v)
        case "C1" | "C4" if vector in seen["pir"]:
            return Debt(vcpu.pi_desc.pir[vector >> 6], 1 << (vector & 63), 0, v)
        case _:
            return Debt(vcpu.vmcs.rvi, -1, vector, v)


class _Search:
    """The states in which the debt is unpaid."""

    def __init__(self, builder: Builder, options: Options, witness: Witness, debt: Debt) -> None:
        world = builder.world
        self.threads = [Unrepaired(i, builder.protocol, f"thread_{i}", world) for i in range(builder.scope.pcpus)]
        self.model: Model = replace(builder.model(), threads=self.threads)
        self.product = Product(self.model, options)
        self.witness, self.debt = witness, debt
        self.shared = world.words.shared.get(debt.word, -1)
        self.came: dict[State, tuple[State, Outcome] | None] = {}
        self.edges: dict[State, list[tuple[Move, State]]] = {}
        self.begun: dict[State, Outcome] = {}
        """What the violating step does behind the violation, by the state that it leads to."""
        self.soonest: list[Outcome] = []
        self.able: dict[State, set[tuple[str, int, int]]] = {}

    def fate(self, moves: Sequence[Move], until: float) -> Fate:
        """Search."""
        queue = list(dict.fromkeys(self._starts(moves)))
        self.came = dict.fromkeys(queue)
        whole = True
        for state in queue:
            if len(queue) > MOST_STATES or time.monotonic() > until:
                whole = False
                break
            queue += self._expand(state)
        way = Way(self.model, self.threads, self.witness, self.debt.vcpu, self.soonest)
        by = way.event() if self.soonest else ""
        if not whole:
            return Fate("open", by)
        if not by:
            return Fate("lost")
        return Fate("either" if self._never(queue) else "late", by)

    def _starts(self, moves: Sequence[Move]) -> Iterator[State]:
        """Yield the states right behind the violation: the step goes on where the check would have put it right."""
        state = self.product.initial()
        for move in moves[:-1]:
            state = self.product.outcome(state, move).state
        last = moves[-1]
        for outcome in self.product.outcomes(state):
            if outcome.move[:3] != last[:3] or outcome.move.answers[: len(last.answers)] != last.answers:
                continue
            behind = outcome._replace(micros=outcome.micros[max(self._seen(outcome) - 1, 0) :])
            if self._pays(state, behind):
                self.soonest = self.soonest or [behind]
            else:
                self.begun.setdefault(outcome.state, behind)
                yield outcome.state

    def _seen(self, outcome: Outcome) -> int:
        """Count the operations that the violating step did up to the violation."""
        thread, rows = self.threads[outcome.move.thread], self.witness.steps[-1].rows
        for i, (micro, row) in enumerate(zip(outcome.micros, rows, strict=False)):
            place = thread.place(micro.operation.where)
            if (micro.operation.kind.name, place.function, place.line) != (row.kind, row.function, row.line):
                return i
        return min(len(outcome.micros), len(rows))

    def _expand(self, state: State) -> list[State]:
        """Take note of what may come in a state; return the new states in which the debt is still unpaid."""
        new = []
        self.edges[state], self.able[state] = [], set()
        for outcome in self.product.outcomes(state):
            self.able[state].add(agent_of(outcome.move))
            if self._pays(state, outcome):
                self.soonest = self.soonest or [*self._way(state), outcome]
                continue
            self.edges[state].append((outcome.move, outcome.state))
            if outcome.state not in self.came:
                self.came[outcome.state] = (state, outcome)
                new.append(outcome.state)
        return new

    def _pays(self, state: State, outcome: Outcome) -> bool:
        """Return whether a move pays: the vCPU itself looks, or C2's sleeper is woken by whomever."""
        debt = self.debt
        if self.shared >= 0:
            before, after = state.memory[self.shared], outcome.state.memory[self.shared]
            mine = outcome.move.thread == debt.vcpu or self.witness.check == "C2"
            return mine and self._owes(before) and not self._owes(after)
        thread = self.threads[outcome.move.thread]
        events = (event for micro in outcome.micros for event in thread.along[micro.local, micro.answer])
        return any(each.kind == "own" and each.word == debt.word and not self._owes(each.new) for each in events)

    def _owes(self, value: int) -> bool:
        held = value & self.debt.bits
        return held == self.debt.paid if self.witness.check == "C2" else held != self.debt.paid

    def _way(self, state: State) -> list[Outcome]:
        way = []
        while (before := self.came[state]) is not None:
            state, outcome = before
            way.append(outcome)
        return [self.begun[state], *way[::-1]]

    def _never(self, states: Sequence[State]) -> bool:
        """Return whether some run never pays: it ends unpaid, or goes round and leaves nobody out."""
        return any(not self.able[state] for state in states) or any(map(self._is_fair, self._rounds(states)))

    def _is_fair(self, component: set[State]) -> bool:
        moving = {agent_of(move) for state in component for move, after in self.edges[state] if after in component}
        if not moving:
            return False
        always = set.intersection(*(self.able[state] for state in component))
        return always <= moving

    def _rounds(self, states: Sequence[State]) -> Iterator[set[State]]:
        """Yield the strongly connected components (Tarjan, without recursion)."""
        number: dict[State, int] = {}
        low: dict[State, int] = {}
        stack: list[State] = []
        inside: set[State] = set()
        for root in states:
            if root in number:
                continue
            work = [(root, iter(self.edges[root]))]
            number[root] = low[root] = len(number)
            stack.append(root)
            inside.add(root)
            while work:
                state, rest = work[-1]
                for _move, after in rest:
                    if after not in number:
                        number[after] = low[after] = len(number)
                        stack.append(after)
                        inside.add(after)
                        work.append((after, iter(self.edges[after])))
                        break
                    if after in inside:
                        low[state] = min(low[state], number[after])
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[state])
                    if low[state] == number[state]:
                        component: set[State] = set()
                        while not component or state not in component:
                            component.add(stack.pop())
                        inside -= component
                        yield component
