"""A thread of the emulated machine as an automaton: its code run from one cut to the next, once for each answer.

A local state is everything that decides the thread's future: for each frame the function, the place in it and the
locals that are read again, with their types; the arguments of the operation that is due; and the words that only this
thread uses. Handlers are frames like others. Nothing is hidden in an interpreter's stack: the loader has given every
call's result a name, and flows keep the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple, NoReturn

from emu.memory import Array, Struct
from hosts.explorer.model.operations import SCHEDULED, Kind, Operation
from hosts.explorer.model.system import Edge, NotTerminating, Place
from hosts.explorer.threads.cfg import Endless, Flow
from hosts.explorer.threads.live_variables import ANSWER, RETURN
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.memory import Unexplorable
from hosts.explorer.threads.primitives import ASKED_TWICE, Primitives, now
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.run_cache import Run, Runs, Start
from hosts.explorer.threads.unbounded_loops import Head, Passed, cycle, let_others_act
from hosts.loader.syntax.language import LoaderError

HANDLER: Final = "common_interrupt"
REFUSED: Final = "decides when its own pCPU takes interrupts: that another one writes it cannot be explored"
LONGEST: Final = 1_000_000
"""Blocks that a thread runs from one operation to the next; more is a loop that never ends."""


class Frame:
    """A frame that runs."""

    __slots__ = ("block", "call", "flow", "values")

    def __init__(self, flow: Flow, block: int, values: list[Any], call: int = -1) -> None:
        self.flow = flow
        self.block = block
        self.values = values
        self.call = call
        """The number of the call under way, or -1."""


class Kept(NamedTuple):
    """A frame that waits: equal ones are one object. Dead locals are gone from it."""

    number: int
    place: int
    """Equal for frames that stand at the same place in the code."""
    flow: Flow
    block: int
    values: tuple[Any, ...]
    call: int

    def thawed(self) -> Frame:
        """Give a frame that goes on from here."""
        return Frame(self.flow, self.block, list(self.values), self.call)


class Touched(NamedTuple):
    """Own words that a piece of code reads and writes."""

    reads: set[int]
    writes: set[int]


Frames = list[Frame | Kept]
"""A stack: the last one runs or is about to, the others wait; those that have not run since are still as kept."""
Saved = tuple[tuple[Kept, ...], tuple[int, ...]]


def _top(frames: Frames) -> Frame:
    """Give the frame that runs."""
    frame = frames[-1]
    if isinstance(frame, Kept):
        frame = frames[-1] = frame.thawed()
    return frame


class Automaton(Primitives):
    """One thread. See :class:`hosts.explorer.model.system.Thread`."""

    ALWAYS_RUNS: ClassVar = False
    """Somebody looks on while the code runs: it is run from each local state, whatever is known from others."""

    def __init__(self, number: int, protocol: Protocol, driver: str, world: World) -> None:
        super().__init__(number, protocol.program, world)
        self.protocol = protocol
        self.first: list[int] = []
        """What the own words hold at the start."""
        self.places: dict[tuple[str, int], int] = {}
        self.where: list[tuple[Flow, int]] = []
        self.states: list[Saved] = []
        self.operations: list[Operation] = []
        self.ids: dict[Any, int] = {}
        self.edges: dict[tuple[int, int], Edge] = {}
        self.kept: dict[Any, Kept] = {}
        self.spots = world.spots
        self.round = False
        """The run to the next operation came round: by a ``while``, or back to an interrupt point."""
        self.crossed: set[Head] = set()
        """Loops that were come round since the last operation."""
        self.passed: dict[tuple[int, int], Passed] = {}
        """By edge what was come past, if anything."""
        self.between: dict[int, Touched] = {}
        """By point with another one right behind it: what is done to own words between the two."""
        self.handlers = Touched(set(), set())
        """What handlers of interrupts do to own words, as far as is known."""
        self.runs: Runs[Kept] = Runs()
        self.untouched = 0
        """Of the frames that waited when the run began: how many wait still, and have not been looked at."""
        flow = protocol.flows[driver]
        self._settle([Frame(flow, 0, [None] * flow.size)], begin=True)

    def __getstate__(self) -> dict[str, Any]:
        """Give what is known; what only helps to learn more is learnt again."""
        return {**super().__getstate__(), "runs": Runs()}

    def __len__(self) -> int:
        """Count the local states."""
        return len(self.states)

    def operation(self, local: int) -> Operation:
        """Give what the thread does in a local state."""
        return self.operations[local]

    def step(self, local: int, answer: int) -> Edge:
        """Give where an answer leads."""
        edge = self.edges.get((local, answer))
        if edge is None:
            edge = self.edges[local, answer] = self._learnt(local, answer)
        return edge

    def _learnt(self, local: int, answer: int) -> Edge:
        frames, own = self.states[local]
        operation = self.operations[local]
        kind = operation.kind
        start = (frames[-1].number, kind, operation.a, answer)
        known = self.runs.find(start, frames, own, self.first) if not self.ALWAYS_RUNS else None
        if known is not None:
            run, waiting = known, (*frames[: len(frames) - known.ran], *known.frames)
            after = self._numbered(waiting, self._trimmed(run.written(own, self.first)), run.operation)
        else:
            after, run = self._ran(local, answer, start)
        if run.passed is not None:
            self.passed[local, answer] = run.passed
        interrupted = kind == Kind.POINT and answer
        if interrupted or any(frame.flow.name == HANDLER for frame in frames):
            self.handlers.reads.update(run.reads)
            self.handlers.writes.update(run.writes)
        pauses = self.operations[after].kind == Kind.PAUSE and not self.operations[after].scheduled
        if kind == Kind.POINT and not answer and pauses and run.sighting < 0:
            self.between[local] = Touched(run.reads, run.writes)
        return Edge(after, run.windows, run.sighting, run.round)

    def _ran(self, local: int, answer: int, start: Start) -> tuple[int, Run]:
        """Run; give the local state that this leads to, and what may be said of it from other states, too."""
        frames, own = self.states[local]
        kind = self.operations[local].kind
        self.own = list(own)
        self.windows, self.sighting, self.vector = 0, -1, -1
        self.round, self.general = False, True
        self.pointed, self.paused = kind == Kind.POINT and not answer, kind == Kind.PAUSE
        self.every = self.operations[local].a if kind == Kind.POINT and answer else 1
        self.read_own, self.wrote_own, self.found_own = set(), set(), {}
        self.met.clear()
        self.crossed.clear()
        self.untouched = len(frames) - 1
        after = self._settle([*frames[:-1], frames[-1].thawed()], answer)
        run = Run(
            ran=len(frames) - self.untouched,
            frames=self.states[after][0][self.untouched :],
            operation=self.operations[after],
            put={self.slots[word]: self.own[self.slots[word]] for word in self.wrote_own},
            passed=self._passed() if self.crossed or self.met else None,
            reads=self.read_own,
            writes=self.wrote_own,
            windows=self.windows,
            sighting=self.sighting,
            round=self.round,
        )
        if self.general and run.operation.kind != Kind.END:
            self.runs.add(start, frames, self.found_own, run)
        return after, run

    def may_wait(self, local: int) -> bool:
        """Tell whether an interrupt might as well be taken at the next point: what is between does not meet a handler.

        The interrupt flag is left out: handlers find it on and leave it on.
        """
        self.step(local, 0)
        between = self.between.get(local)
        if between is None:
            return False
        flag = {int(self.world.machine.pcpus[self.number].irq.enabled)}
        met = between.reads & self.handlers.writes | between.writes & (self.handlers.reads | self.handlers.writes)
        return met <= flag

    @property
    def handled(self) -> int:
        """Count the own words that handlers are known to read and write."""
        return len(self.handlers.reads) + len(self.handlers.writes)

    def give_way(self, local: int) -> NoReturn:
        """See to it that others get their turn in the loop that a local state lies in."""
        after: dict[int, list[tuple[int, int]]] = {}
        for (before, answer), edge in self.edges.items():
            if not self.operations[before].scheduled:
                after.setdefault(before, []).append((answer, edge.local))
        passed = [self.passed[edge] for edge in cycle(after, local) if edge in self.passed]
        let_others_act(self.world, self.number, Passed.all_of(passed))
        raise NotTerminating(self.place(self.operations[local].where))

    def keeps(self, word: int) -> bool:
        """Tell whether the thread can go round in a loop of the user's with an own word that never becomes zero."""
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

    def place(self, where: int) -> Place:
        """Tell people where an operation stands."""
        flow, number = self.where[where]
        if number < 0:
            return Place(flow.name, flow.file, flow.heads[-1 - number], "while")
        call = flow.calls[number]
        return Place(flow.name, flow.file, call.line, call.text)

    # --- running -------------------------------------------------------------------------------------------------

    def _settle(self, frames: Frames, answer: int = 0, *, begin: bool = False) -> int:
        """Run until the next operation; give the number of the local state there."""
        before = now.thread
        now.thread = self
        try:
            operation = None if begin else self._answered(frames, answer)
            operation = operation or self._run(frames)
        finally:
            now.thread = before
        return self._state(frames, operation)

    def _answered(self, frames: Frames, answer: int) -> Operation | None:
        """Give the due operation its answer; give what is asked next if the primitive asks twice."""
        frame = _top(frames)
        if frame.call < 0:
            return None  # it paused where a loop begins anew
        call = frame.flow.calls[frame.call]
        arguments = frame.values[ANSWER]
        frame.values[ANSWER] = None
        if call.name == "interrupt_point":
            if answer or self.paused:
                frame.call = -1  # the point is come back to when the handler has run
                if answer:
                    self.round = True
                    self._call(frames, HANDLER, ())
                return None
            value = None
        elif call.name == "run_goes_on" and arguments == () and answer >= 1 - self.world.vcpus:
            frame.values[ANSWER] = ASKED_TWICE
            return self._placed(Operation(Kind.CHOOSE, a=2), frame.flow, frame.call)
        else:
            value = self._value(call.name, arguments, answer)
        frame.values[call.target] = value
        frame.block, frame.call = call.after, -1
        return None

    def _run(self, frames: Frames) -> Operation:
        """Run blocks until an operation is due."""
        self.protocol.lines.turns = 0
        frame = _top(frames)
        for done in range(LONGEST):
            if done == LONGEST // 2:  # what is passed from here on belongs to a loop that never ends
                self.crossed.clear()
                self.met.clear()
            flow, values = frame.flow, frame.values
            code = flow.codes[frame.block](values)
            if code >= 0:
                back = code <= frame.block and code in flow.heads
                frame.block = code
                if back and self._pauses(flow, code):
                    return self._placed(Operation(Kind.PAUSE, flags=SCHEDULED), flow, -1 - code)
            elif code == RETURN:
                frames.pop()
                if not frames:
                    return Operation(Kind.END)
                self.untouched = min(self.untouched, len(frames) - 1)
                frame = _top(frames)
                if frame.call >= 0:
                    call = frame.flow.calls[frame.call]
                    frame.values[call.target] = values[ANSWER]
                    frame.block, frame.call = call.after, -1
            else:
                number = -2 - code
                call = flow.calls[number]
                arguments = values[ANSWER]
                frame.call = number
                issue = self.issue.get(call.name)
                if issue is None:
                    values[ANSWER] = None
                    frame = self._call(frames, call.name, arguments)
                    continue
                operation = self._issued(issue, arguments, flow, call.line)
                if operation is not None:
                    return self._placed(operation, flow, number)
                values[ANSWER] = None
                values[call.target] = self.done.value
                frame.block, frame.call = call.after, -1
        flow = frame.flow
        let_others_act(self.world, self.number, self._passed())
        raise Endless(flow.file, flow.calls[0].line if flow.calls else 1, f"{flow.name} does not come to an end")

    def _issued(
        self, issue: Callable[..., Operation | None], arguments: tuple[Any, ...], flow: Flow, line: int
    ) -> Operation | None:
        try:
            return issue(*arguments)
        except Unexplorable as word:
            raise LoaderError(flow.file, line, f"{word} {REFUSED}") from None

    def _pauses(self, flow: Flow, head: int) -> bool:
        """Note that a loop begins anew; tell whether others may act there."""
        self.round = True
        self.crossed.add(Head(flow.file, flow.heads[head], flow.name, head))
        return (flow.name, head) in self.world.breathers

    def _passed(self) -> Passed:
        return Passed(frozenset(self.crossed), frozenset(self.met))

    def _call(self, frames: Frames, name: str, arguments: Any) -> Frame:
        """Begin a function; the caller's frame waits from now on."""
        frames[-1] = self._keep(frames[-1], pending=False)
        flow = self.protocol.flows[name]
        if len(arguments) == 2 and isinstance(arguments[1], dict):  # noqa: PLR2004 - see hosts.explorer.threads.cfg
            arguments = _bound(self.protocol, name, *arguments)
        values = [None, *arguments, *[None] * (flow.size - 1 - len(arguments))]
        missing = flow.arguments - len(arguments)
        if missing:
            values[flow.arguments + 1 - missing : flow.arguments + 1] = flow.defaults[-missing:]
        frame = Frame(flow, 0, values)
        frames.append(frame)
        return frame

    def _keep(self, frame: Frame | Kept, *, pending: bool) -> Kept:
        """Give a frame as it waits, without dead locals; ``pending``: its operation is due, the arguments are kept."""
        if isinstance(frame, Kept):
            return frame
        flow, values, call = frame.flow, frame.values, frame.call
        if self.world.forget:
            live: Sequence[int] = flow.live_in_call[call] if call >= 0 else flow.live[frame.block]
        else:
            live = range(1, flow.size)
        arguments = values[ANSWER] if pending and call >= 0 else None
        key = (flow.name, frame.block, call, _typed(arguments), *[_typed(values[slot]) for slot in live])
        found = self.kept.get(key)
        if found is None:
            kept = [None] * len(values)
            for slot in live:
                kept[slot] = values[slot]
            kept[ANSWER] = arguments
            spot = self.spots.setdefault((flow.name, frame.block, call), len(self.spots))
            found = self.kept[key] = Kept(len(self.kept), spot, flow, frame.block, tuple(kept), call)
        return found

    def _placed(self, operation: Operation, flow: Flow, number: int) -> Operation:
        key = (flow.name, number)
        if key not in self.places:
            self.places[key] = len(self.where)
            self.where.append((flow, number))
        return self._stamped(operation, flow.module, self.places[key])

    def _state(self, frames: Frames, operation: Operation) -> int:
        """Number the local state."""
        if frames:
            frames[-1] = self._keep(frames[-1], pending=True)
        waiting = tuple([frame if isinstance(frame, Kept) else self._keep(frame, pending=False) for frame in frames])
        return self._numbered(waiting, () if operation.kind == Kind.END else self._kept_words(), operation)

    def _numbered(self, waiting: tuple[Kept, ...], own: tuple[int, ...], operation: Operation) -> int:
        found = (*tuple(operation), own, *[frame.number for frame in waiting])
        number = self.ids.get(found)
        if number is None:
            number = self.ids[found] = len(self.states)
            self.states.append((waiting, own))
            self.operations.append(operation)
        return number

    def _kept_words(self) -> tuple[int, ...]:
        """Give the own words as they are kept."""
        if len(self.own) > len(self.first):
            initial = self.world.words.initial
            self.first += [initial.get(word, 0) for word in list(self.slots)[len(self.first) :]]
        return self._trimmed(self.own)

    def _trimmed(self, own: Sequence[int]) -> tuple[int, ...]:
        """Give own words without those at the end that are as they were at the start.

        So a state looks the same before and after further words have become known.
        """
        size = len(own)
        while size and own[size - 1] == self.first[size - 1]:
            size -= 1
        return tuple(own[:size])


def _typed(value: Any) -> Any:
    """Give a key for a local's value that tells types apart: True is not 1."""
    if value.__class__ is int or value is None:
        return value
    if isinstance(value, Struct):
        return (value.__class__.__name__, value.at)
    if isinstance(value, tuple):
        return ("tuple", *(_typed(item) for item in value))
    if isinstance(value, Array):
        return ("Array", value.of, value.at)
    return (value.__class__.__name__, value if isinstance(value, type) else getattr(value, "at", value))


def _bound(protocol: Protocol, name: str, positional: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """Put keyword arguments where they belong."""
    flow = protocol.flows[name]
    names = flow.names
    given = dict(zip(names, positional, strict=False)) | keywords
    with_defaults = dict(zip(names[len(names) - len(flow.defaults) :], flow.defaults, strict=True)) | given
    return tuple(with_defaults[each] for each in names)
