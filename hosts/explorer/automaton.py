"""A thread of the emulated machine as an automaton: its code run from one cut to the next, once for each answer.

A local state is everything that decides the thread's future: for each frame the function, the place in it and the
locals that are read again, with their types; the arguments of the operation that is due; and the words that only this
thread uses. Handlers are frames like others. Nothing is hidden in an interpreter's stack: the loader has given every
call's result a name, and flows keep the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from emu.accounting import WINDOWS
from emu.memory import Array, Struct
from emu.waist import BIT, LONG_PAST
from hosts.explorer.code import INSTRUMENTS, Protocol
from hosts.explorer.flow import ANSWER, RETURN, Endless, Flow
from hosts.explorer.folding import Folded, Role
from hosts.explorer.model import Edge, Place
from hosts.explorer.ops import FENCELESS, OWN_FENCE, SCHEDULED, Kind, Operation
from hosts.explorer.product import signed
from hosts.explorer.words import CONSTANT, OWN
from hosts.explorer.world import SILENT, VECTORS, World, over_word

LONGEST: Final = 200_000
"""Blocks that a thread runs from one operation to the next; more is a loop that never ends."""
DEADLINE: Final = 2
"""What every deadline ahead looks like: any time may be the one at which it passes."""
_UNSCHEDULED: Final = frozenset(
    {Kind.PEEK, Kind.POKE, Kind.TALLY, Kind.RENEW, Kind.IN_FLIGHT, Kind.ACK, Kind.CHOOSE}
) | {Kind.PAUSE}

_FENCELESS: Final = "fenceless_"
LATE_STORE: Final = "late_store"
"""What the audit puts in place of a locked operation (hosts.explorer.weaken): one that waits for no store; and a store
that belongs to the step of the load before it."""

_WORD_OF: Final = dict.fromkeys(("xchg", "cmpxchg", "atomic_inc"), 0) | dict.fromkeys(
    ("test_and_set_bit", "test_and_clear_bit", "set_bit", "clear_bit"), 1
)
"""The locked operations: which of their arguments is the word."""
_VOID: Final = frozenset(
    {
        *("WRITE_ONCE", "smp_store_release", "mark", "set_bit", "clear_bit", "atomic_inc", "smp_mb", "send_IPI"),
        *("interrupt_point", "say_silent"),
    }
)
"""Primitives that give nothing."""
_ASKED_TWICE: Final = (0,)
"""Arguments of ``run_goes_on`` once all others are silent: the second question is whether the run is over."""


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


Frames = list[Frame | Kept]
"""A stack: the last one runs or is about to, the others wait; those that have not run since are still as kept."""
Saved = tuple[tuple[Kept, ...], tuple[int, ...]]


def _top(frames: Frames) -> Frame:
    """Give the frame that runs."""
    frame = frames[-1]
    if isinstance(frame, Kept):
        frame = frames[-1] = frame.thawed()
    return frame


class _Done:
    """What a primitive gave at once, without an operation."""

    value: Any = None


class Automaton:
    """One thread. See :class:`hosts.explorer.model.Thread`."""

    def __init__(self, number: int, protocol: Protocol, driver: str, world: World) -> None:
        self.number = number
        self.protocol = protocol
        self.world = world
        self.pcpu = world.machine.pcpus[number].at
        self.slots = world.slots[number]
        initial = world.words.initial
        self.first: list[int] = []
        """What the own words hold at the start."""
        self.own: list[int] = [initial.get(word, 0) for word in self.slots]
        """The words that are this thread's own, while it runs."""
        self.windows = 0
        self.sighting = -1
        self.vector = -1
        self.fenced = False
        """A locked operation on an own word has drained the buffer."""
        self.pointed = self.paused = False
        """The answer is that of an empty point, or of the pause between such a one and the next. What comes right after
        an empty point belongs to its step; that must not be the next point, or one of the two would be none."""
        self.every = 1
        """The next acknowledge takes any vector, not only one whose handler does something."""
        self.done = _Done()
        self.issue = self._table()
        self.places: dict[tuple[str, int], int] = {}
        self.where: list[tuple[Flow, int]] = []
        self.states: list[Saved] = []
        self.operations: list[Operation] = []
        self.ids: dict[Any, int] = {}
        self.edges: dict[tuple[int, int], Edge] = {}
        self.kept: dict[Any, Kept] = {}
        self.spots = world.spots
        flow = protocol.flows[driver]
        self._settle([Frame(flow, 0, [None] * flow.size)], begin=True)

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
            frames, own = self.states[local]
            self.own = list(own)
            self.windows, self.sighting, self.vector = 0, -1, -1
            kind = self.operations[local].kind
            self.pointed, self.paused = kind == Kind.POINT and not answer, kind == Kind.PAUSE
            self.every = self.operations[local].a if kind == Kind.POINT and answer else 1
            after = self._settle([*frames[:-1], frames[-1].thawed()], answer)
            edge = self.edges[local, answer] = Edge(after, self.windows, self.sighting)
        return edge

    def place(self, where: int) -> Place:
        """Tell people where an operation stands."""
        flow, number = self.where[where]
        call = flow.calls[number]
        return Place(flow.name, flow.file, call.line, call.text)

    # --- running -------------------------------------------------------------------------------------------------

    def _settle(self, frames: Frames, answer: int = 0, *, begin: bool = False) -> int:
        """Run until the next operation; give the number of the local state there."""
        before = _now.thread
        _now.thread = self
        try:
            operation = None if begin else self._answered(frames, answer)
            operation = operation or self._run(frames)
        finally:
            _now.thread = before
        return self._state(frames, operation)

    def _answered(self, frames: Frames, answer: int) -> Operation | None:
        """Give the due operation its answer; give what is asked next if the primitive asks twice."""
        frame = _top(frames)
        call = frame.flow.calls[frame.call]
        arguments = frame.values[ANSWER]
        frame.values[ANSWER] = None
        if call.name == "interrupt_point":
            if answer or self.paused:
                frame.call = -1  # the point is come back to when the handler has run
                if answer:
                    self._call(frames, "common_interrupt", ())
                return None
            value = None
        elif call.name == "run_goes_on" and arguments == () and answer >= 1 - self.world.vcpus:
            frame.values[ANSWER] = _ASKED_TWICE
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
        for _ in range(LONGEST):
            flow, values = frame.flow, frame.values
            code = flow.codes[frame.block](values)
            if code >= 0:
                frame.block = code
            elif code == RETURN:
                frames.pop()
                if not frames:
                    return Operation(Kind.END)
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
                operation = issue(*arguments)
                if operation is not None:
                    return self._placed(operation, flow, number)
                values[ANSWER] = None
                values[call.target] = self.done.value
                frame.block, frame.call = call.after, -1
        flow = frame.flow
        raise Endless(flow.file, flow.calls[0].line if flow.calls else 1, f"{flow.name} does not come to an end")

    def _call(self, frames: Frames, name: str, arguments: Any) -> Frame:
        """Begin a function; the caller's frame waits from now on."""
        frames[-1] = self._keep(frames[-1], pending=False)
        flow = self.protocol.flows[name]
        if len(arguments) == 2 and isinstance(arguments[1], dict):  # noqa: PLR2004 - see hosts.explorer.flow
            arguments = _bound(self.protocol, name, *arguments)
        values = [None, *arguments, *[None] * (flow.size - 1 - len(arguments))]
        missing = flow.arguments - len(arguments)
        if missing:
            values[flow.arguments + 1 - missing : flow.arguments + 1] = flow.defaults[-missing:]
        frame = Frame(flow, 0, values)
        frames.append(frame)
        return frame

    def _is_inside(self) -> bool:
        """Tell whether the thread is between the first and the last effect of a delivery, wake or kick."""
        return self.own_value(self.world.machine.pcpus[self.number].irq.inside_depth) != 0

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

    def _stamped(self, operation: Operation, module: str, where: int) -> Operation:
        """Say where an operation stands and whether others may act before it."""
        eager = operation.kind == Kind.SEND and self.world.eager and self._is_inside()
        late = operation.kind == Kind.STORE and operation.flags & FENCELESS != 0
        alone = operation.kind == Kind.FENCE and operation.a == OWN_FENCE
        free = operation.kind in _UNSCHEDULED or eager or late or alone
        scheduled = not free and module not in INSTRUMENTS
        flags = operation.flags | (SCHEDULED if scheduled else 0)
        return Operation(operation.kind, operation.word, operation.a, operation.b, flags, where)

    def _state(self, frames: Frames, operation: Operation) -> int:
        """Number the local state."""
        if frames:
            frames[-1] = self._keep(frames[-1], pending=True)
        waiting = tuple([frame if isinstance(frame, Kept) else self._keep(frame, pending=False) for frame in frames])
        own = () if operation.kind == Kind.END else self._kept_words()
        found = (*tuple(operation), own, *[frame.number for frame in waiting])
        number = self.ids.get(found)
        if number is None:
            number = self.ids[found] = len(self.states)
            self.states.append((waiting, own))
            self.operations.append(operation)
        return number

    def _kept_words(self) -> tuple[int, ...]:
        """Give the own words, without those at the end that are as they were at the start.

        So a state looks the same before and after further words have become known.
        """
        size = len(self.own)
        if size > len(self.first):
            initial = self.world.words.initial
            self.first += [initial.get(word, 0) for word in list(self.slots)[len(self.first) :]]
        while size and self.own[size - 1] == self.first[size - 1]:
            size -= 1
        return tuple(self.own[:size])

    # --- words ---------------------------------------------------------------------------------------------------

    def read(self, word: int, kind: Kind) -> Operation | None:
        """Read a word: at once if nobody else writes it."""
        role = self.world.folds.of(word)
        if role.role:
            if role.role in _READS_ZERO:
                return self.gave(0)
            if role.role == Role.GENERATION:
                return self.gave(1)
        use = self.world.use(self.number, word, write=False)
        if use == CONSTANT:
            return self.gave(self.world.words.initial.get(word, 0))
        self.world.words.look(word)
        if use == OWN:
            return self.gave(self.own_value(word))
        return Operation(kind, self.world.words.shared[word])

    def write(self, word: int, value: int, kind: Kind) -> Operation | None:
        """Write a word: at once if nobody else uses it."""
        value = signed(value)
        role = self.world.folds.of(word)
        if role.role:
            folded = self._folded_write(role, word, value)
            if folded is None:
                return self.gave(None)
            if isinstance(folded, Operation):
                return folded
            word, value = folded
        if self.world.use(self.number, word, write=True) == OWN:
            self.set_own(word, value)
            return self.gave(None)
        return Operation(kind, self.world.words.shared[word], value)

    def _folded_write(  # noqa: C901, PLR0911, PLR0912 - one branch for each role
        self, role: Folded, word: int, value: int
    ) -> Operation | tuple[int, int] | None:
        """Do what a folded word's role says; give what is left to be written, if anything."""
        match role.role:
            case Role.WINDOW:
                self.windows |= 1 << role.number
            case Role.RECORD if role.number < 0:
                self.vector = value
            case Role.RECORD:
                self.windows |= 1 << len(WINDOWS) + role.number
                if self.sighting < 0:
                    self.sighting = role.number * 256 + (self.vector & 255)
            case Role.PARITY:
                return word, value & 1
            case Role.MAIL:
                return word, min(value, 1)
            case Role.ACKNOWLEDGED:
                return role.other, 0
            case Role.NOTE:
                return word, 1 if value == 1 else 0
            case Role.UNTOLD:
                return word, 2 if value == 2 else 0  # noqa: PLR2004 - one above the generation, which reads 1
            case Role.DEBIT | Role.CREDIT:
                return self._tally(role.other, -value if role.role == Role.DEBIT else value)
            case Role.GENERATION:
                return self._renew(role.number)
            case Role.COUNTER:
                pass
            case _:
                return word, value
        return None

    def _tally(self, word: int, change: int) -> Operation | None:
        if self.world.use(self.number, word, write=True) == OWN:
            self.set_own(word, self.own_value(word) + change)
            return None
        return Operation(Kind.TALLY, self.world.words.shared[word], change)

    def _renew(self, family: int) -> Operation | None:
        for own in self.world.renew(self.number, family):
            self.set_own(own, 0)
        shared = any(word in self.world.words.shared for word in self.world.folds.families[family])
        return Operation(Kind.RENEW, a=family) if shared else None

    def modify(self, kind: Kind, word: int, a: int, b: int = 0, flags: int = 0) -> Operation | None:
        """Do a locked operation; of one on a word that nobody else uses, others notice that it drains the buffer."""
        use = self.world.use(self.number, word, write=True)
        self.world.words.look(word)
        if use != OWN:
            return Operation(kind, self.world.words.shared[word], signed(a), signed(b), flags)
        if not self.fenced and not flags & FENCELESS:
            return Operation(Kind.FENCE, a=OWN_FENCE)
        self.fenced = False
        old = self.own_value(word)
        new = {Kind.XCHG: a, Kind.CMPXCHG: b if old == signed(a) else old, Kind.OR: old | a, Kind.AND: old & a}
        self.set_own(word, signed(new.get(kind, old + a)))
        return self.gave(old)

    def own_value(self, word: int) -> int:
        """Read a word of this thread's own."""
        slot = self.slots.get(word)
        if slot is None or slot >= len(self.own):
            slot = self._slot(word)
        return self.own[slot]

    def set_own(self, word: int, value: int) -> None:
        """Write a word of this thread's own; one that is never read is not kept."""
        if word not in self.world.words.read:
            return
        slot = self.slots.get(word)
        if slot is None or slot >= len(self.own):
            slot = self._slot(word)
        self.own[slot] = value

    def _slot(self, word: int) -> int:
        """Give a word a place among the thread's own."""
        slot = self.slots.setdefault(word, len(self.slots))
        initial = self.world.words.initial
        self.own += [initial.get(each, 0) for each in list(self.slots)[len(self.own) :]]
        return slot

    def gave(self, value: Any) -> Operation | None:
        """Give a value at once: no operation is due."""
        self.done.value = value
        return None

    # --- primitives ----------------------------------------------------------------------------------------------

    def _table(self) -> dict[str, Callable[..., Operation | None]]:
        """Give what each primitive that may suspend asks for; None: it is done, and ``done`` holds its value."""
        fenceless = {_FENCELESS + name: issue for name, issue in self._locked(FENCELESS).items()}
        return {
            **self._locked(0),
            **fenceless,
            "READ_ONCE": lambda word: self.read(word, Kind.LOAD),
            "smp_load_acquire": lambda word: self.read(word, Kind.LOAD),
            "peek": lambda word: self.read(word, Kind.PEEK),
            "WRITE_ONCE": lambda word, value: self.write(word, value, Kind.STORE),
            "smp_store_release": lambda word, value: self.write(word, value, Kind.STORE),
            "mark": lambda word, value: self.write(word, value, Kind.POKE),
            LATE_STORE: lambda word, value: _late(self.write(word, value, Kind.STORE)),
            "smp_mb": lambda: Operation(Kind.FENCE),
            "interrupt_point": self._interrupt_point,
            "send_IPI": self._send,
            "apic_pending": lambda: Operation(Kind.PENDING),
            "apic_ack": self._acknowledge,
            "choose": lambda n: self.gave(0) if n <= 1 else Operation(Kind.CHOOSE, a=n),
            "one_in": lambda n: self.gave(n) if n <= 1 else Operation(Kind.CHOOSE, a=2),
            "deadline_passed": self._deadline_passed,
            "run_goes_on": self._run_goes_on,
            "ipis_in_flight": lambda: Operation(Kind.IN_FLIGHT),
            "say_silent": lambda: self._tally(SILENT, 1),
            "all_silent": lambda: Operation(Kind.QUIET),
        }

    def _locked(self, flags: int) -> dict[str, Callable[..., Operation | None]]:
        """Give the locked operations."""

        def modify(kind: Kind, word: int, a: int, b: int = 0) -> Operation | None:
            return self.modify(kind, word, a, b, flags)

        return {
            "xchg": lambda word, value: modify(Kind.XCHG, word, value),
            "cmpxchg": lambda word, old, new: modify(Kind.CMPXCHG, word, old, new),
            "test_and_set_bit": lambda nr, word: self._bit(modify(Kind.OR, word, BIT(nr)), nr),
            "test_and_clear_bit": lambda nr, word: self._bit(modify(Kind.AND, word, ~BIT(nr)), nr),
            "set_bit": lambda nr, word: self._void(modify(Kind.OR, word, BIT(nr))),
            "clear_bit": lambda nr, word: self._void(modify(Kind.AND, word, ~BIT(nr))),
            "atomic_inc": lambda word: self._void(modify(Kind.ADD, word, 1)),
        }

    def _value(self, name: str, arguments: Any, answer: int) -> Any:
        """Turn an operation's answer into what the primitive gives."""
        if name in _WORD_OF and self.world.words.kind(arguments[_WORD_OF[name]]) == OWN:
            self.fenced = True  # the buffer is empty now: do it
            self.issue[name](*arguments)
            return self.done.value
        if name.removeprefix(_FENCELESS) in ("test_and_set_bit", "test_and_clear_bit"):
            return 1 if answer & BIT(arguments[0]) != 0 else 0
        if name.removeprefix(_FENCELESS) in _VOID:
            return None
        if name == "apic_ack":
            return VECTORS[answer]
        if name == "run_goes_on":
            if arguments == ():
                return 1
            if answer == 0:
                self.own_flag(over_word(self.number), 1)
        return answer

    def _bit(self, operation: Operation | None, nr: int) -> Operation | None:
        if operation is None:
            self.done.value = 1 if self.done.value & BIT(nr) != 0 else 0
        return operation

    def _void(self, operation: Operation | None) -> Operation | None:
        return self.gave(None) if operation is None else operation

    def _interrupt_point(self, site: int) -> Operation | None:
        enabled = self.world.machine.pcpus[self.number].irq.enabled
        last = self.protocol.program.sites[site].operation == "local_irq_disable"
        if self.private_read(enabled) == 0 or not self.world.has_point(self.number, last=last):
            return self.gave(None)
        every = 1 if last or not self.world.eager else 0
        return Operation(Kind.PAUSE) if self.pointed else Operation(Kind.POINT, a=every)

    def _acknowledge(self) -> Operation | None:
        every, self.every = self.every, 1
        return Operation(Kind.ACK, a=every)

    def _send(self, cpu: int, vector: int) -> Operation | None:
        self.world.interrupts(cpu, vector)
        return Operation(Kind.SEND, a=cpu, b=VECTORS.index(vector))

    def _deadline_passed(self, deadline: int) -> Operation | None:
        if deadline in (0, LONG_PAST):
            return self.gave(deadline)
        return Operation(Kind.CHOOSE, a=2)

    def _run_goes_on(self) -> Operation | None:
        """Go on as long as one of the other pCPUs has something to do; from then on the run may be over any time."""
        if self.own_flag(over_word(self.number), None) != 0:
            return self.gave(0)
        return Operation(Kind.PEEK, self.world.words.shared[SILENT])

    def own_flag(self, word: int, value: int | None) -> int:
        """Read a flag of the host's for this thread, or write it."""
        self.world.words.read.add(word)
        if value is not None:
            self.set_own(word, value)
        return self.own_value(word)

    # --- private words -------------------------------------------------------------------------------------------

    def private_read(self, word: int) -> int:
        """Read a word that the protocol calls private."""
        slot = self.slots.get(word)
        if slot is not None and slot < len(self.own):
            return self.own_value(word)
        self._check_private(word, self.read(word, Kind.PEEK))
        value: int = self.done.value
        return value

    def private_write(self, word: int, value: int) -> None:
        """Write a word that the protocol calls private."""
        self._check_private(word, self.write(word, value, Kind.POKE))

    def _check_private(self, word: int, operation: Operation | None) -> None:
        if operation is not None:
            offset = word - self.world.machine.at
            message = f"the word at offset {offset} of the machine is called private and used by two threads"
            raise RuntimeError(message)


_READS_ZERO: Final = frozenset({Role.COUNTER, Role.WINDOW, Role.RECORD, Role.DEBIT, Role.CREDIT, Role.ACKNOWLEDGED})


class _Now:
    thread: Automaton | None = None


_now = _Now()
"""The thread whose code runs."""


def running() -> Automaton:
    """Give the thread whose code runs."""
    assert _now.thread is not None  # noqa: S101 - protocol code runs within a thread
    return _now.thread


def direct(world: World) -> dict[str, Callable[..., Any]]:
    """Give the primitives that a thread does by itself."""
    mutation = world.mutation
    memory = world.machine.at
    return {
        "local_read": lambda word: running().private_read(word),
        "local_write": lambda word, value: running().private_write(word, value),
        "memory": lambda: memory,
        "this_cpu_ptr": lambda: running().pcpu,
        "mutated": lambda number: 1 if number == mutation else 0,
        "smp_wmb": lambda: None,
        "smp_rmb": lambda: None,
        "cpu_relax": lambda: None,
        "wait_for_interrupt": lambda: None,
        "deadline_after": lambda delta: DEADLINE,  # noqa: ARG005 - may be given by its name
        "open_turn": lambda: 0,
        "trace": lambda event, argument: None,  # noqa: ARG005 - may be given by their names
    }


def _late(operation: Operation | None) -> Operation | None:
    """Mark a store as one that belongs to the step before it."""
    return operation._replace(flags=operation.flags | FENCELESS) if operation is not None else None


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
    names = [each.arg for each in protocol.program.trees[name].args.args]
    given = dict(zip(names, positional, strict=False)) | keywords
    flow = protocol.flows[name]
    with_defaults = dict(zip(names[len(names) - len(flow.defaults) :], flow.defaults, strict=True)) | given
    return tuple(with_defaults[each] for each in names)
