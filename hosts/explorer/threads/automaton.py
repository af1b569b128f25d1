"""Thread automaton: the local states of a thread, learnt by running its code once for each answer in each of them.

A local state is everything that decides the thread's future: for each frame the function, the position in it and the
live locals, with their types; the arguments of the operation that is due; and the words that only this thread uses.
Handlers of interrupts are frames like others. Nothing is hidden in an interpreter's stack: the loader has given every
call's result a name (A-normal form), and control-flow graphs keep the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.system import NotTerminating, SourceLocation, Transition
from hosts.explorer.threads.frames import Frame, Frames, SuspendedFrame
from hosts.explorer.threads.machine_words import Touched, World, current_word
from hosts.explorer.threads.primitives import now
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.resume import HANDLER
from hosts.explorer.threads.run_cache import Run, Runs, Start
from hosts.explorer.threads.task_switch import Switching
from hosts.explorer.threads.unbounded_loops import Passed, cycle, let_others_act

SavedState = tuple[tuple[SuspendedFrame, ...], tuple[int, ...]]


class Automaton(Switching):
    """One thread. See :class:`hosts.explorer.model.system.Thread`."""

    ALWAYS_RUNS: ClassVar = False
    """The code is observed while it runs: it is run from each local state, whatever is known from others."""

    def __init__(self, number: int, protocol: Protocol, driver: str, world: World) -> None:
        super().__init__(number, protocol, world)
        self.first: list[int] = []
        """What the own words hold at the start."""
        self.states: list[SavedState] = []
        self.operations: list[Operation] = []
        self.ids: dict[Any, int] = {}
        self.edges: dict[tuple[int, int], Transition] = {}
        self.passed: dict[tuple[int, int], Passed] = {}
        """By edge what was come past, if anything."""
        self.between: dict[int, Touched] = {}
        """By point with another one right behind it: what is done to own words between the two."""
        self.handlers = Touched(set(), set())
        """What handlers of interrupts do to own words, as far as is known."""
        self.runs: Runs[SuspendedFrame] = Runs()
        self.grown = world.words.grown
        flow = protocol.flows[driver]
        self._settle([Frame(flow, 0, [None] * flow.size)], begin=True)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is learnt, without the cache of runs."""
        return {**super().__getstate__(), "runs": Runs()}

    def __len__(self) -> int:
        """Count the local states."""
        return len(self.states)

    def operation(self, local: int) -> Operation:
        """Return what the thread does in a local state."""
        return self.operations[local]

    def step(self, local: int, answer: int) -> Transition:
        """Return the transition that an answer takes."""
        edge = self.edges.get((local, answer))
        if edge is None:
            edge = self.edges[local, answer] = self._learnt(local, answer)
        return edge

    def _learnt(self, local: int, answer: int) -> Transition:
        frames, own = self.states[local]
        operation = self.operations[local]
        kind = operation.kind
        if self.grown != self.world.words.grown:
            self.grown, self.runs = self.world.words.grown, Runs()
        start = (frames[-1].number, kind, operation.a, answer)
        known = self.runs.find(start, frames, own, self.first) if not self.ALWAYS_RUNS else None
        if known is not None:
            run, waiting = known, (*frames[: len(frames) - known.ran], *known.frames)
            after = self._numbered(waiting, self._trimmed(run.written(own, self.first)), run.operation)
        else:
            after, run = self._ran(local, answer, start)
        if run.passed is not None:
            self.passed[local, answer] = run.passed
        interrupted = kind == Op.POINT and answer
        if interrupted or any(frame.flow.name == HANDLER for frame in frames):
            for handlers in (self.handlers, self.world.handlers):
                handlers.reads.update(run.reads)
                handlers.writes.update(run.writes)
        pauses = self.operations[after].kind == Op.YIELD and not self.operations[after].scheduled
        if kind == Op.POINT and not answer and pauses and run.sighting < 0:
            self.between[local] = Touched(run.reads, run.writes)
        return Transition(after, run.windows, run.sighting, run.round)

    def _ran(self, local: int, answer: int, start: Start) -> tuple[int, Run]:
        """Run; return the local state that is reached, and the run as it holds in other states, too."""
        frames, own = self.states[local]
        kind = self.operations[local].kind
        self.own = list(own)
        self.windows, self.sighting, self.vector = 0, -1, -1
        self.round, self.general = False, True
        self.pointed, self.paused = kind == Op.POINT and not answer, kind == Op.YIELD
        self.every = self.operations[local].a if kind == Op.POINT and answer else 1
        self.read_own, self.wrote_own, self.carried, self.found_own = set(), set(), set(), {}
        self.met.clear()
        self.crossed.clear()
        self.untouched = len(frames) - 1
        after = self._settle([*frames[:-1], frames[-1].resumed()], answer)
        run = Run(
            ran=len(frames) - self.untouched,
            frames=self.states[after][0][self.untouched :],
            operation=self.operations[after],
            put={self.slots[word]: self.own[self.slots[word]] for word in self.wrote_own},
            passed=self._passed() if self.crossed or self.met else None,
            reads=self.read_own - self.carried,
            writes=self.wrote_own - self.carried,
            windows=self.windows,
            sighting=self.sighting,
            round=self.round,
        )
        if self.general and run.operation.kind != Op.END and self.grown == self.world.words.grown:
            self.runs.add(start, frames, self.found_own, run)
        return after, run

    def may_wait(self, local: int) -> bool:
        """Return whether taking an interrupt can be deferred to the next point.

        It can if the code in between touches no own word that a handler touches. Left out are the interrupt flag, which
        handlers find on and leave on, and which task it is that runs. Where a handler may let other tasks run, this one
        goes on wherever it is resumed: then the code may touch nothing but words that are its own there too, and not
        ask where it runs, and what handlers do counts wherever they do it.
        """
        self.step(local, 0)
        between = self.between.get(local)
        if between is None:
            return False
        same = {int(self.world.machine.pcpus[self.number].irq.enabled), current_word(self.number)}
        task = self._current_in(local)
        handlers = self.handlers
        if task in self.preempted:
            users = self.world.words.users
            if any(users.get(word) != {task} for word in (between.reads | between.writes) - same):
                return False
            handlers = self.world.handlers
        met = between.reads & handlers.writes | between.writes & (handlers.reads | handlers.writes)
        return met <= same

    def _current_in(self, local: int) -> int:
        """Return the user that the running task is in a local state; -1: none."""
        slot = self.slots.get(current_word(self.number)) if self.tasks else None
        own = self.states[local][1]
        vcpu = own[slot] - 1 if slot is not None and slot < len(own) else -1
        return self.world.pcpus + vcpu if vcpu >= 0 else -1

    @property
    def handled(self) -> int:
        """Count the own words that handlers are known to read and write."""
        everywhere = self.world.handlers if self.tasks else self.handlers
        return len(everywhere.reads) + len(everywhere.writes) + len(self.preempted)

    def give_way(self, local: int) -> NoReturn:
        """Make the loop that a local state lies in schedulable; AbstractionRefuted or NotTerminating."""
        after: dict[int, list[tuple[int, int]]] = {}
        for (before, answer), edge in self.edges.items():
            if not self.operations[before].scheduled:
                after.setdefault(before, []).append((answer, edge.local))
        passed = [self.passed[edge] for edge in cycle(after, local) if edge in self.passed]
        let_others_act(self.world, self.number, Passed.all_of(passed))
        raise NotTerminating(self.place(self.operations[local].where))

    def keeps(self, word: int) -> bool:
        """Return whether the thread can go round a loop of the user's in which a private word never becomes 0."""
        turns = {
            edge for edge, passed in self.passed.items() if any(h.function in self.world.rule for h in passed.heads)
        }
        slot = self.slots.get(word)
        if slot is None or not turns:
            return False
        held = [len(own) > slot and own[slot] != 0 for _frames, own in self.states]
        after: dict[int, list[tuple[int, int]]] = {}
        for (before, answer), edge in self.edges.items():
            if held[before] and held[edge.local]:
                after.setdefault(before, []).append((answer, edge.local))
        return any(turn in cycle(after, turn[0]) for turn in turns)

    def place(self, where: int) -> SourceLocation:
        """Return where an operation stands in the source."""
        flow, number = self.where[where]
        if number < 0:
            return SourceLocation(flow.name, flow.file, flow.heads[-1 - number], "while")
        call = flow.calls[number]
        return SourceLocation(flow.name, flow.file, call.line, call.text)

    # --- running -------------------------------------------------------------------------------------------------

    def _settle(self, frames: Frames, answer: int = 0, *, begin: bool = False) -> int:
        """Run until the next operation; return the number of the local state there."""
        before = now.thread
        now.thread = self
        try:
            operation = None if begin else self._answered(frames, answer)
            operation = operation or self._run(frames)
        finally:
            now.thread = before
        return self._state(frames, operation)

    def _state(self, frames: Frames, operation: Operation) -> int:
        """Number the local state."""
        if frames:
            frames[-1] = self._keep(frames[-1], pending=True)
        waiting = tuple(
            [frame if isinstance(frame, SuspendedFrame) else self._keep(frame, pending=False) for frame in frames]
        )
        return self._numbered(waiting, () if operation.kind == Op.END else self._kept_words(), operation)

    def _numbered(self, waiting: tuple[SuspendedFrame, ...], own: tuple[int, ...], operation: Operation) -> int:
        found = (*tuple(operation), own, *[frame.number for frame in waiting])
        number = self.ids.get(found)
        if number is None:
            number = self.ids[found] = len(self.states)
            self.states.append((waiting, own))
            self.operations.append(operation)
        return number

    def _kept_words(self) -> tuple[int, ...]:
        """Return the private words as a local state holds them."""
        if len(self.own) > len(self.first):
            initial = self.world.words.initial
            self.first += [initial.get(word, 0) for word in list(self.slots)[len(self.first) :]]
        return self._trimmed(self.own)

    def _trimmed(self, own: Sequence[int]) -> tuple[int, ...]:
        """Return own words without those at the end that are as they were at the start.

        So a state looks the same before and after further words have become known.
        """
        size = len(own)
        while size and own[size - 1] == self.first[size - 1]:
            size -= 1
        return tuple(own[:size])
