"""Primitives of the waist as operations of the model, and the meaning of an answer to their caller.

This is the same however a thread's code is run (:mod:`hosts.explorer.threads.automaton`,
:mod:`hosts.explorer.threads.history`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from emu.observe import is_instrument
from emu.waist import BIT, LONG_PAST
from hosts.explorer.model.operations import FENCELESS, OWN_FENCE, SCHEDULED, Op, Operation, in_transaction
from hosts.explorer.threads.deferrable import deferrable_vectors
from hosts.explorer.threads.machine_words import SILENT, World, over_word
from hosts.explorer.threads.memory import Access
from hosts.explorer.threads.protocol import LATE_STORE, RELAXED
from hosts.explorer.threads.sharing import OWN
from hosts.loader.primitives import BITS, LOCKED, VOID
from hosts.loader.program import Program
from hosts.loader.rule.faults import RuleFault

DEADLINE: Final = 2
"""What every deadline ahead looks like: any time may be the one at which it passes."""
_UNSCHEDULED: Final = frozenset(
    {Op.GHOST_READ, Op.GHOST_WRITE, Op.GHOST_ADD, Op.RESET, Op.IN_FLIGHT, Op.ACK, Op.CHOOSE}
) | {Op.YIELD}

ASKED_TWICE: Final = (0,)
"""Arguments of ``run_goes_on`` once all others are silent: the second question is whether the run is over."""


class Primitives(Access):
    """A thread's primitives."""

    def __init__(self, number: int, program: Program, world: World) -> None:
        super().__init__(number, world)
        self.program = program
        self.pointed = self.paused = False
        """The answer is that of an empty point, or of the pause between such a one and the next. What comes right after
        an empty point belongs to its step; that must not be the next point, or one of the two would be none."""
        self.every = 1
        """The next acknowledge takes any vector, not only one whose handler does something."""
        self.issue = self._table()

    def __getstate__(self) -> dict[str, Any]:
        """Return what is learnt, without the table of primitives."""
        return {name: value for name, value in vars(self).items() if name != "issue"}

    def __setstate__(self, known: dict[str, Any]) -> None:
        """Restore what was learnt."""
        vars(self).update(known)
        self.issue = self._table()

    def _table(self) -> dict[str, Callable[..., Operation | None]]:
        """Return the operation of each primitive that may suspend; None: it is done, and ``done`` holds its value."""
        fenceless = {RELAXED + name: issue for name, issue in self._locked(FENCELESS).items()}
        return {
            **self._locked(0),
            **fenceless,
            "READ_ONCE": lambda word: self.read(word, Op.LOAD),
            "smp_load_acquire": lambda word: self.read(word, Op.LOAD),
            "peek": lambda word: self.read(word, Op.GHOST_READ),
            "WRITE_ONCE": lambda word, value: self.write(word, value, Op.STORE),
            "smp_store_release": lambda word, value: self.write(word, value, Op.STORE),
            "mark": lambda word, value: self.write(word, value, Op.GHOST_WRITE),
            LATE_STORE: lambda word, value: _late(self.write(word, value, Op.STORE)),
            "local_read": self.local_read,
            "local_write": self.local_write,
            "smp_mb": lambda: Operation(Op.FENCE),
            "interrupt_point": self._interrupt_point,
            "send_IPI": self._send,
            "apic_pending": lambda: Operation(Op.PENDING),
            "apic_ack": self._acknowledge,
            "choose": lambda n: self.gave(0) if n <= 1 else Operation(Op.CHOOSE, a=n),
            "one_in": lambda n: self.gave(n) if n <= 1 else Operation(Op.CHOOSE, a=2),
            "deadline_passed": self._deadline_passed,
            "run_goes_on": self._run_goes_on,
            "ipis_in_flight": lambda: Operation(Op.IN_FLIGHT),
            "switch_to": lambda prev, next: Operation(Op.FENCE),  # noqa: A006, ARG005 - the waist's names
            "say_silent": lambda: self._tally(SILENT, 1),
            "all_silent": lambda: Operation(Op.QUIESCENT),
        }

    def _locked(self, flags: int) -> dict[str, Callable[..., Operation | None]]:
        """Return the locked operations."""

        def modify(kind: Op, word: int, a: int, b: int = 0) -> Operation | None:
            return self.modify(kind, word, a, b, flags)

        return {
            "xchg": lambda word, value: modify(Op.XCHG, word, value),
            "cmpxchg": lambda word, old, new: modify(Op.CMPXCHG, word, old, new),
            "test_and_set_bit": lambda nr, word: self._bit(modify(Op.OR, word, BIT(nr)), nr),
            "test_and_clear_bit": lambda nr, word: self._bit(modify(Op.AND, word, ~BIT(nr)), nr),
            "set_bit": lambda nr, word: self._void(modify(Op.OR, word, BIT(nr))),
            "clear_bit": lambda nr, word: self._void(modify(Op.AND, word, ~BIT(nr))),
            "atomic_inc": lambda word: self._void(modify(Op.ADD, word, 1)),
            "take_half": lambda word, half: self._half(modify(Op.AND, word, _other_half(half)), half),
        }

    def _value(self, name: str, arguments: Any, answer: int) -> Any:  # noqa: PLR0911 - one for each kind
        """Return the value of a primitive, from the answer of its operation."""
        if name in LOCKED and self.world.words.kind(arguments[LOCKED[name].word]) == OWN:
            self.fenced = True  # the buffer is empty now: do it
            self.issue[name](*arguments)
            return self.done.value
        plain = name.removeprefix(RELAXED)
        if plain in VOID:
            return None
        if plain in BITS:
            return 1 if answer & BIT(arguments[0]) != 0 else 0
        if plain == "take_half":
            return _half_of(answer, arguments[1])
        if name == "apic_ack":
            return self.world.vectors[answer]
        if name == "run_goes_on":
            if arguments == ():
                return 1
            if answer == 0:
                self.own_flag(over_word(self._asks()), 1)
        return answer

    def _half(self, operation: Operation | None, half: int) -> Operation | None:
        if operation is None:
            self.done.value = _half_of(self.done.value, half)
        return operation

    def _bit(self, operation: Operation | None, nr: int) -> Operation | None:
        if operation is None:
            self.done.value = 1 if self.done.value & BIT(nr) != 0 else 0
        return operation

    def _void(self, operation: Operation | None) -> Operation | None:
        return self.gave(None) if operation is None else operation

    def _interrupt_point(self, site: int) -> Operation | None:
        enabled = self.world.machine.pcpus[self.number].irq.enabled
        last = self.program.sites[site].operation == "local_irq_disable"
        if self.private_read(enabled) == 0 or not self.world.has_point(self.number, last=last):
            return self.gave(None)
        every = 1 if last or not self.world.eager else 0
        return Operation(Op.YIELD) if self.pointed else Operation(Op.POINT, a=every)

    def _acknowledge(self) -> Operation | None:
        every, self.every = self.every, 1
        return Operation(Op.ACK, a=every)

    def _send(self, cpu: int, vector: int) -> Operation | None:
        number = self.world.number_of(vector, self._is_deferrable)
        self.world.interrupts(cpu, vector)
        return Operation(Op.SEND, a=cpu, b=number)

    def _is_deferrable(self, vector: int) -> bool:
        """Return whether a vector's handler only counts. Where there are tasks, another one may run behind it."""
        return not self.world.tasks and bool(deferrable_vectors(self.program, (vector,)))

    def _deadline_passed(self, deadline: int) -> Operation | None:
        if deadline in (0, LONG_PAST):
            return self.gave(deadline)
        return Operation(Op.CHOOSE, a=2)

    def _run_goes_on(self) -> Operation | None:
        """Go on as long as one of the other pCPUs has something to do; from then on the run may be over any time."""
        if self.own_flag(over_word(self._asks()), None) != 0:
            return self.gave(0)
        return Operation(Op.GHOST_READ, self.world.words.shared[SILENT])

    def _asks(self) -> int:
        """Return whose run it is that may be over: the task's that runs here, or the thread's own."""
        return max(self.current, self.number) if self.tasks else self.number

    def _is_inside(self) -> bool:
        """Return whether the thread is between the first and the last effect of a delivery, wake or kick."""
        return self.own_value(self.world.machine.pcpus[self.number].irq.inside_depth) != 0

    def _stamped(self, operation: Operation, module: str, where: int) -> Operation:
        """Say where an operation stands and whether others may act before it."""
        eager = operation.kind == Op.SEND and self.world.eager and self._is_inside()
        late = operation.kind == Op.STORE and operation.flags & FENCELESS != 0
        alone = operation.kind == Op.FENCE and operation.a == OWN_FENCE
        begun = in_transaction(module, operation.kind)
        free = operation.kind in _UNSCHEDULED or eager or late or alone or begun
        scheduled = not free and not is_instrument(module)  # what begins says so itself
        flags = operation.flags | (SCHEDULED if scheduled else 0)
        return Operation(operation.kind, operation.word, operation.a, operation.b, flags, where)


class _Now:
    thread: Primitives | None = None


now: Final = _Now()
"""The thread whose code runs."""


def running() -> Primitives:
    """Return the thread whose code runs."""
    assert now.thread is not None  # noqa: S101 - protocol code runs within a thread
    return now.thread


def direct(world: World) -> dict[str, Callable[..., Any]]:
    """Return the primitives that a thread does by itself."""
    mutation = world.mutation
    memory = world.machine.at
    return {
        "local_read": lambda word: running().private_read(word),
        "local_write": lambda word, value: running().private_write(word, value),
        "memory": lambda: memory,
        "this_cpu_ptr": lambda: running().where_it_runs(),
        "mutated": lambda number: 1 if number == mutation else 0,
        "smp_wmb": lambda: None,
        "smp_rmb": lambda: None,
        "cpu_relax": lambda: None,
        "wait_for_interrupt": lambda: None,
        "deadline_after": lambda delta: DEADLINE,  # noqa: ARG005 - may be given by its name
        "open_turn": lambda: 0,
        "rule_fault": _rule_fault,
        "trace": lambda event, argument: None,  # noqa: ARG005 - may be given by their names
    }


def _rule_fault(where: int, value: int, bound: int) -> None:
    raise RuleFault(where, value, bound)


def _late(operation: Operation | None) -> Operation | None:
    """Mark a store as one that belongs to the step before it."""
    return operation._replace(flags=operation.flags | FENCELESS) if operation is not None else None


def _half_of(word: int, half: int) -> int:
    return word >> 32 * half & 0xFFFF_FFFF


def _other_half(half: int) -> int:
    """Return the bits that stay when a half is taken."""
    return 0xFFFF_FFFF if half != 0 else -0x1_0000_0000
