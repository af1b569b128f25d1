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
from hosts.explorer.model.system import AbstractionRefuted, Model
from hosts.explorer.repair.components import components
from hosts.explorer.repair.events import RepairPath
from hosts.explorer.repair.threads import Unrepaired
from hosts.explorer.threads.coverage import Endless
from hosts.loader.rule.faults import RuleFault

MOST_STATES: Final = 4_000
"""Bound on the states without repair; beyond it, whether every continuation repairs it is not determined."""
OWING: Final = frozenset({"C1", "C2", "C3", "C4", "C7", "C9"})
"""Checks whose violation is an obligation that can still be met."""


ASTRAY: Final = (AbstractionRefuted, Endless, RuleFault)
"""What may come up behind a violation: a word shared that was not so far, so that the moves are no longer the model's,
or what a user's own code does wrong there. The violation is told all the same."""


class Fate(NamedTuple):
    """Whether a violation is repaired, and by what."""

    fate: str
    """``late``: every continuation repairs it; ``lost``: none does; ``either``; ``open``: not determined."""
    by: str = ""
    """What repairs it the soonest, on a shortest path."""


class Obligation(NamedTuple):
    """The obligation that the violation leaves unmet: some bits of a word that have to change."""

    word: int
    bits: int
    met: int
    """What they hold when it is met; of C2, what they hold until then."""
    vcpu: int


def fate_of(builder: Builder, options: Options, moves: Sequence[Move], witness: Witness, until: float) -> Fate:
    """Determine whether a violation is repaired; ``until``: when to stop, in seconds of time.monotonic."""
    view = witness.states[-1]["view"]
    about = "b" if "runs" in view else "thread"
    seen = [act[about] for act in witness.states[-1]["acts"] if act["kind"] == "sighting"]
    if witness.check not in OWING or not seen or seen[-1] >= len(view["vcpus"]):
        return Fate("")
    try:
        found = _RepairSearch(builder, options, witness, _obligation(builder, witness, seen[-1]))
        return found.fate(moves, until)
    except ASTRAY:
        return Fate("open")


def _obligation(builder: Builder, witness: Witness, v: int) -> Obligation:
    vcpu, vector = builder.world.machine.vcpus[v], max(witness.vector, 0)
    seen = witness.states[-1]["view"]["vcpus"][v]
    match witness.check:
        case "C2":
            return Obligation(vcpu.wait.state, -1, TASK_ASLEEP, v)
        case "C9":
            return Obligation(vcpu.requests, KICKED_REQUESTS, 0, v)
        case "C7":
            return Obligation(vcpu.pi_desc.control, 1 << POSTED_INTR_ON, 0, v)
        case "C1" | "C4" if vector in seen["pir"]:
            return Obligation(vcpu.pi_desc.pir[vector >> 6], 1 << (vector & 63), 0, v)
        case _:
            return Obligation(vcpu.vmcs.rvi, -1, vector, v)


class _RepairSearch:
    """The search of the states in which the obligation is unmet."""

    def __init__(self, builder: Builder, options: Options, witness: Witness, obligation: Obligation) -> None:
        world = builder.world
        self.threads = [Unrepaired(i, builder.protocol, f"thread_{i}", world) for i in range(builder.scope.pcpus)]
        self.model: Model = replace(builder.model(), threads=self.threads)
        self.product = Product(self.model, options)
        self.witness, self.obligation = witness, obligation
        self.looking = range(world.tasks) if world.tasks else (obligation.vcpu,)
        """Threads of which a look counts: a task goes from one to another, and nobody else takes what it is owed."""
        self.shared = world.words.shared.get(obligation.word, -1)
        self.came: dict[State, tuple[State, Outcome] | None] = {}
        self.edges: dict[State, list[tuple[Move, State]]] = {}
        self.begun: dict[State, Outcome] = {}
        """What the violating step does behind the violation, by the state that it leads to."""
        self.soonest: list[Outcome] = []
        self.able: dict[State, set[tuple[str, int, int]]] = {}

    def fate(self, moves: Sequence[Move], until: float) -> Fate:
        """Search breadth first, up to the bounds."""
        queue = list(dict.fromkeys(self._starts(moves)))
        self.came = dict.fromkeys(queue)
        whole = True
        for state in queue:
            if len(queue) > MOST_STATES or time.monotonic() > until:
                whole = False
                break
            queue += self._expand(state)
        path = RepairPath(self.model, self.threads, self.witness, self.obligation.vcpu, self.soonest)
        by = path.event() if self.soonest else ""
        if not whole:
            return Fate("open", by)
        if not by:
            return Fate("lost")
        return Fate("either" if self._never(queue) else "late", by)

    def _starts(self, moves: Sequence[Move]) -> Iterator[State]:
        """Yield the states right behind the violation: the step goes on where the check would have repaired it."""
        state = self.product.initial()
        for move in moves[:-1]:
            state = self.product.outcome(state, move).state
        last = moves[-1]
        for outcome in self.product.outcomes(state):
            if outcome.move[:3] != last[:3] or outcome.move.answers[: len(last.answers)] != last.answers:
                continue
            behind = outcome._replace(micros=outcome.micros[max(self._seen(outcome) - 1, 0) :])
            if self._meets(state, behind):
                self.soonest = self.soonest or [behind]
            else:
                self.begun.setdefault(outcome.state, behind)
                yield outcome.state

    def _seen(self, outcome: Outcome) -> int:
        """Count the operations that the violating step did up to the violation."""
        thread, rows = self.threads[outcome.move.thread], self.witness.steps[-1].rows
        for i, (micro, row) in enumerate(zip(outcome.micros, rows, strict=False)):
            place = thread.place(micro.operation.where)
            if (micro.operation.kind.written, place.function, place.line) != (row.kind, row.function, row.line):
                return i
        return min(len(outcome.micros), len(rows))

    def _expand(self, state: State) -> list[State]:
        """Expand a state; return its new successors in which the obligation is still unmet."""
        new = []
        self.edges[state], self.able[state] = [], set()
        for outcome in self.product.outcomes(state):
            self.able[state].add(agent_of(outcome.move))
            if self._meets(state, outcome):
                self.soonest = self.soonest or [*self._path(state), outcome]
                continue
            self.edges[state].append((outcome.move, outcome.state))
            if outcome.state not in self.came:
                self.came[outcome.state] = (state, outcome)
                new.append(outcome.state)
        return new

    def _meets(self, state: State, outcome: Outcome) -> bool:
        """Return whether a move meets the obligation: the vCPU itself looks, or any thread wakes the sleeper of C2."""
        obligation = self.obligation
        if self.shared >= 0:
            before, after = state.memory[self.shared], outcome.state.memory[self.shared]
            mine = outcome.move.thread in self.looking or self.witness.check == "C2"
            return mine and self._is_unmet(before) and not self._is_unmet(after)
        thread = self.threads[outcome.move.thread]
        events = (event for micro in outcome.micros for event in thread.along[micro.local, micro.answer])
        own = (each for each in events if each.kind == "own" and each.word == obligation.word)
        return any(not self._is_unmet(each.new) for each in own)

    def _is_unmet(self, value: int) -> bool:
        held = value & self.obligation.bits
        return held == self.obligation.met if self.witness.check == "C2" else held != self.obligation.met

    def _path(self, state: State) -> list[Outcome]:
        path = []
        while (before := self.came[state]) is not None:
            state, outcome = before
            path.append(outcome)
        return [self.begun[state], *path[::-1]]

    def _never(self, states: Sequence[State]) -> bool:
        """Return whether some run never meets it: it ends, or goes round a cycle that is fair."""
        return any(not self.able[state] for state in states) or any(map(self._is_fair, components(states, self.edges)))

    def _is_fair(self, component: set[State]) -> bool:
        moving = {agent_of(move) for state in component for move, after in self.edges[state] if after in component}
        if not moving:
            return False
        always = set.intersection(*(self.able[state] for state in component))
        return always <= moving
