"""The waist on one process of a replay: every operation that others can notice waits for its turn.

What each operation means is :mod:`hosts.explorer.model.semantics`'s; here it is done to real memory and real sockets.
Only words that the witness lists as shared are operations. The instruments keep their real counters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import Final, Protocol

from emu.machine import Machine
from emu.observe import is_instrument
from emu.waist import LONG_PAST, local_read, local_write
from hosts.explorer.model.operations import LOCKED, OWN_FENCE, Kind
from hosts.explorer.threads.machine_words import BASE
from hosts.explorer.threads.primitives import DEADLINE
from hosts.loader.rule.faults import RuleFault
from hosts.replay.buffer import StoreBuffer
from hosts.replay.memory import Memory
from hosts.replay.messages import Did
from hosts.replay.scheduling_points import Diverged
from hosts.sequential import signed
from hosts.vectors import vector_text

UNSCHEDULED: Final = frozenset({Kind.PEEK, Kind.POKE, Kind.IN_FLIGHT, Kind.ACK, Kind.CHOOSE, Kind.PAUSE})
"""What always belongs to the step of the operation before (as hosts.explorer.threads.automaton has it)."""


@dataclass(frozen=True)
class Place:
    """A function of the program, by its code."""

    function: str
    file: str
    module: str


class Ipis(Protocol):
    """The local APIC (:class:`hosts.replay.apic.Apic`)."""

    def send(self, target: int, vector: int) -> None:
        """Let an IPI leave."""

    def in_flight(self, kind: int | None = None) -> int:
        """Count the IPIs under way to this pCPU."""

    def arrive(self, vector: int) -> bool:
        """Let one arrive."""

    def pending(self, late: frozenset[int] = frozenset()) -> bool:
        """Tell whether a vector is pending, apart from those that may be taken later."""

    def acknowledge(self, late: frozenset[int] = frozenset()) -> int:
        """Take the highest, apart from those."""


class Schedule(Protocol):
    """Whose turn it is (:class:`hosts.replay.scheduling_points.Turns`)."""

    def before(self, *, scheduled: bool, point: bool, begins: bool, possible: Callable[[], bool]) -> None:
        """Come back when the operation may be done."""

    def did(self, operation: Did) -> None:
        """Note what was done."""

    def answer(self, below: int) -> int:
        """Give the answer of a choice."""

    def called(self) -> None:
        """Note a call of a primitive."""


@dataclass(frozen=True)
class Setting:
    """What a process has to know of the witness."""

    cpu: int
    pcpus: int
    buffer: int
    overtake: bool
    shared: Mapping[int, str]
    """Names of the shared words, by address."""
    interrupted: bool
    """Somebody sends IPIs to this thread."""
    places: Mapping[CodeType, Place]
    points: frozenset[int] | None = None
    """The only sites at which interrupts are taken; None: all."""
    eager: bool = False
    """An IPI of a delivery leaves in the step before (see hosts.explorer.threads.machine_words)."""
    last_points: frozenset[int] = frozenset()
    """The sites that end an open window."""
    late: frozenset[int] = frozenset()
    """Vectors that only those take, if ``eager``: their handlers do nothing."""
    alone: frozenset[int] = frozenset()
    """Shared words that this pCPU alone writes, always by ``local_write``: it knows what they hold."""


class ReplayHost:
    """One pCPU's primitives."""

    def __init__(self, setting: Setting, memory: Memory, apic: Ipis, interrupt: Callable[[], None]) -> None:
        """``interrupt`` is the program's common_interrupt. The turns are given afterwards, see :attr:`turns`."""
        self.setting = setting
        self.shared = memory
        self.machine: Machine = memory.machine
        self.apic = apic
        self.turns: Schedule
        self._pointed = False
        """The last operation was an interrupt point at which nothing was pending."""
        self._every = True
        """The next acknowledge takes any vector, not only one whose handler does something."""
        self._interrupt = interrupt
        self._pcpu = self.machine.pcpus[setting.cpu]
        self._own = memory.host.cpus[setting.cpu]
        self.buffer = StoreBuffer(memory, self._own.waiting, setting.buffer)
        self._mutation = memory.read(self.machine.config.mutation)
        self._others = setting.pcpus - memory.read(self.machine.config.vcpus)
        """pCPUs that run no vCPU."""
        self._owner: dict[int, int] = {self.machine.pcpus[i].marks.inside: i for i in range(setting.pcpus)}
        self._over = False

    # --- operations ----------------------------------------------------------------------------------------------

    def _operation(
        self, kind: Kind, do: Callable[[], int], word: int = 0, a: int = 0, b: int = 0, *, wait: bool = False
    ) -> int:
        """Do an operation in its turn. ``wait``: only with an empty buffer."""
        place, line = self._place()
        eager = kind == Kind.SEND and self.setting.eager and self.shared.read(self._pcpu.irq.inside_depth) != 0
        alone = kind == Kind.FENCE and a == OWN_FENCE
        begins = kind == Kind.POKE and word in self._owner and a & 1 != 0
        free = kind in UNSCHEDULED or eager or alone or is_instrument(place.module)
        may = lambda: self._possible(kind, wait=wait)  # noqa: E731 - asked as often as the turn wants to know
        self.turns.before(scheduled=begins or not free, point=kind == Kind.POINT, begins=begins, possible=may)
        answer = do()
        self._pointed = kind == Kind.POINT and answer == 0
        name = self.setting.shared[word] if word else ""
        self.turns.did(Did(kind.name, name, signed(a), signed(b), answer, place.function, place.file, line))
        return answer

    def _possible(self, kind: Kind, *, wait: bool) -> bool:
        if kind == Kind.STORE:
            return not self.buffer.full
        return not wait or len(self.buffer) == 0

    def _place(self) -> tuple[Place, int]:
        """Find out which of the program's functions is at work, and on which line."""
        frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to the caller
        while frame.f_code not in self.setting.places:
            if frame.f_back is None:
                return Place("", "", ""), 0
            frame = frame.f_back
        return self.setting.places[frame.f_code], frame.f_lineno

    def _read(self, kind: Kind, word: int) -> int:
        self.turns.called()
        if word not in self.setting.shared:
            return self.shared.read(word)
        return self._operation(kind, lambda: self._seen(kind, word), word)

    def _seen(self, kind: Kind, word: int) -> int:
        """Give what this pCPU sees in a word. Another's *inside* mark stands behind the stores that wait there."""
        value = self.buffer.load(word)
        owner = self._owner.get(word, self.setting.cpu)
        if kind == Kind.PEEK and owner != self.setting.cpu and self.shared.read(self.shared.host.cpus[owner].waiting):
            return value | 1
        return value

    def _write(self, kind: Kind, word: int, value: int) -> None:
        self.turns.called()
        write = self.buffer.store if kind == Kind.STORE else self.shared.write
        if word not in self.setting.shared:
            self.shared.write(word, value)
            return

        def do() -> int:
            write(word, value)
            return 0

        self._operation(kind, do, word, value)

    def _modify(self, kind: Kind, word: int, change: Callable[[int], int], a: int, b: int = 0) -> int:
        """Do a locked operation: in its turn nobody else touches memory."""
        assert kind in LOCKED  # noqa: S101
        self.turns.called()

        def do() -> int:
            found = self.shared.read(word)
            self.shared.write(word, change(found))
            return found

        if word not in self.setting.shared:
            self._operation(Kind.FENCE, _nothing, a=OWN_FENCE, wait=True)  # it drains the buffer whoever uses its word
            return do()
        return self._operation(kind, do, word, a, b, wait=True)

    # --- shared words --------------------------------------------------------------------------------------------

    def load(self, word: int) -> int:
        """Read a word, the own store buffer first."""
        return self._read(Kind.LOAD, word)

    def store(self, word: int, value: int) -> None:
        """Write a word through the store buffer."""
        self._write(Kind.STORE, word, value)

    def xchg(self, word: int, value: int) -> int:
        """Exchange."""
        return self._modify(Kind.XCHG, word, lambda _: value, value)

    def cmpxchg(self, word: int, old: int, new: int) -> int:
        """Compare and exchange."""
        return self._modify(Kind.CMPXCHG, word, lambda found: new if found == signed(old) else found, old, new)

    def fetch_or(self, word: int, bits: int) -> int:
        """Set bits."""
        return self._modify(Kind.OR, word, lambda found: found | bits, bits)

    def fetch_and(self, word: int, bits: int) -> int:
        """Keep bits."""
        return self._modify(Kind.AND, word, lambda found: found & bits, bits)

    def fetch_add(self, word: int, value: int) -> int:
        """Add."""
        return self._modify(Kind.ADD, word, lambda found: found + value, value)

    def fence(self) -> None:
        """Wait until the own buffer is empty."""
        self.turns.called()
        self._operation(Kind.FENCE, _nothing, wait=True)

    def peek(self, word: int) -> int:
        """Read a word for an instrument, or what the protocol calls private: a plain load if others use that, too."""
        local = sys._getframe(1).f_code is local_read.__code__  # noqa: SLF001 - the waist makes no other difference
        if local and word in self.setting.alone:
            self.turns.called()
            return self.buffer.load(word)
        return self._read(Kind.LOAD if local else Kind.PEEK, word)

    def poke(self, word: int, value: int) -> None:
        """Write a mark, straight into memory (see :meth:`_seen`), or a private word: a plain store if others use it."""
        local = sys._getframe(1).f_code is local_write.__code__  # noqa: SLF001
        if local and word in self.setting.alone and self.buffer.load(word) == signed(value):
            self.turns.called()  # what it holds is put there once more, and nobody else puts anything there
            return
        self._write(Kind.STORE if local else Kind.POKE, word, value)

    # --- where and who -------------------------------------------------------------------------------------------

    def memory(self) -> int:
        """Give the machine's address."""
        return BASE

    def this_cpu(self) -> int:
        """Give the own pCPU."""
        return self._pcpu.at

    def mutated(self, number: int) -> int:
        """Compare with the selected one."""
        return 1 if number == self._mutation else 0

    def rule_fault(self, where: int, value: int, bound: int) -> None:
        """Raise it."""
        raise RuleFault(where, value, bound)

    def trace(self, event: int, argument: int) -> None:
        """Do nothing: the director's own account says more."""

    # --- interrupts ----------------------------------------------------------------------------------------------

    def interrupt_point(self, site: int) -> None:
        """Take what is pending, as long as the flag is on."""
        self.turns.called()
        if self.setting.points is not None and site not in self.setting.points:
            return
        while self.setting.interrupted and self.shared.read(self._pcpu.irq.enabled) != 0:
            if self._pointed:  # a point right behind another one is a step of its own, as in the explorer
                self._operation(Kind.PAUSE, lambda: 0)
            every = not self.setting.eager or site in self.setting.last_points
            late = frozenset() if every else self.setting.late
            if self._operation(Kind.POINT, partial(self._pending, late), a=int(every)) == 0:
                return
            self._every = every
            self._interrupt()

    def _pending(self, late: frozenset[int] = frozenset()) -> int:
        return int(self.apic.pending(late))

    def send_IPI(self, cpu: int, vector: int) -> None:
        """Let it leave, behind all stores unless it may overtake them."""
        self.turns.called()

        def do() -> int:
            self.apic.send(cpu, vector)
            return 0

        self._operation(Kind.SEND, do, 0, cpu, vector, wait=not self.setting.overtake)

    def apic_pending(self) -> int:
        """Look into the pending set."""
        self.turns.called()
        return self._operation(Kind.PENDING, self._pending)

    def apic_ack(self) -> int:
        """Take the highest."""
        self.turns.called()
        every, self._every = self._every, True
        late = frozenset() if every else self.setting.late
        return self._operation(Kind.ACK, lambda: self.apic.acknowledge(late), a=int(every))

    def wait_for_interrupt(self) -> None:
        """Do nothing: looking again is an operation of its own."""
        self.turns.called()

    def cpu_relax(self) -> None:
        """Do nothing, as above."""
        self.turns.called()

    def ipis_in_flight(self) -> int:
        """Tell whether one is under way."""
        self.turns.called()
        return self._operation(Kind.IN_FLIGHT, lambda: int(self.apic.in_flight() != 0))

    # --- environment ---------------------------------------------------------------------------------------------

    def choose(self, n: int) -> int:
        """Take the witness's answer."""
        self.turns.called()
        return 0 if n <= 1 else self._operation(Kind.CHOOSE, lambda: self.turns.answer(n), a=n)

    def one_in(self, n: int) -> int:
        """Take the witness's answer."""
        self.turns.called()
        return n if n <= 1 else self._operation(Kind.CHOOSE, lambda: self.turns.answer(2), a=2)

    def deadline_after(self, delta: int) -> int:  # noqa: ARG002 - any time may be the one
        """Give a deadline ahead."""
        return DEADLINE

    def deadline_passed(self, deadline: int) -> int:
        """Take the witness's answer, for a deadline ahead."""
        self.turns.called()
        if deadline in (0, LONG_PAST):
            return deadline
        return self._operation(Kind.CHOOSE, lambda: self.turns.answer(2), a=2)

    def run_goes_on(self) -> int:
        """Go on until all pCPUs without a vCPU are silent; from then on take the witness's answer."""
        self.turns.called()
        if self._over:
            return 0
        if self._silent() < self._others:
            return 1
        answer = self._operation(Kind.CHOOSE, lambda: self.turns.answer(2), a=2)
        self._over = answer == 0
        return answer

    def open_turn(self) -> int:
        """Give none: everybody acts when the witness says so."""
        return 0

    def next_turn(self, seen: int) -> int:  # noqa: ARG002 - as above
        """Give none."""
        return 0

    def say_silent(self) -> None:
        """Note it."""
        self.turns.called()
        self.shared.write(self._own.silent, 1)

    def all_silent(self) -> int:
        """Tell whether all are, nothing waits in a buffer and nothing is under way to this pCPU."""
        self.turns.called()
        return self._operation(Kind.QUIET, self._quiet)

    def _silent(self) -> int:
        return sum(self.shared.read(self.shared.host.cpus[i].silent) for i in range(self.setting.pcpus))

    def _quiet(self) -> int:
        waiting = any(self.shared.read(self.shared.host.cpus[i].waiting) for i in range(self.setting.pcpus))
        return int(self._silent() == self.setting.pcpus and not waiting and self.apic.in_flight() == 0)

    # --- what moves between the operations -----------------------------------------------------------------------

    def drain(self) -> tuple[str, int]:
        """Let the oldest store reach memory."""
        if len(self.buffer) == 0:
            raise Diverged("no store waits in the buffer")
        word, value = self.buffer.drain()
        return self.setting.shared[word], value

    def arrive(self, vector: int) -> None:
        """Let an IPI arrive."""
        if not self.apic.arrive(vector):
            raise Diverged(f"no IPI with vector {vector_text(vector)} is under way")

    def waiting(self) -> int:
        """Count the stores in the buffer."""
        return len(self.buffer)

    def sightings(self) -> int:
        """Count what this pCPU's checkers have recorded."""
        return self.shared.read(self._pcpu.sightings)


def _nothing() -> int:
    return 0
