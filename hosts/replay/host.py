"""The waist on one process of a replay: every visible operation is executed when the schedule says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from emu.machine import Machine
from emu.observe.accounting import RECORD, RECORD_WORDS
from emu.waist import LONG_PAST, local_read, local_write
from hosts.explorer.model.operations import Op
from hosts.explorer.threads.primitives import DEADLINE
from hosts.explorer.threads.task_switch import NOT_SUSPENDED
from hosts.kernel_names import vector_text
from hosts.loader.rule.faults import RuleFault
from hosts.replay.interfaces import Ipis, Schedule
from hosts.replay.memory import Memory
from hosts.replay.operations import Operations, nothing
from hosts.replay.scheduling_points import Diverged
from hosts.replay.setting import Setting
from hosts.word64 import BASE, signed


class ReplayHost:
    """One pCPU's primitives."""

    def __init__(self, setting: Setting, memory: Memory, apic: Ipis, interrupt: Callable[[], None]) -> None:
        """``interrupt`` is the program's common_interrupt. :meth:`follow` gives the schedule afterwards."""
        self.setting = setting
        self.shared = memory
        self.machine: Machine = memory.machine
        self.apic = apic
        self.operations = Operations(setting, memory)
        self.buffer = self.operations.buffer
        self._every = True
        """The next acknowledge takes any vector, not only one whose handler does something."""
        self.interrupt = interrupt
        self._pcpu = self.machine.pcpus[setting.cpu]
        self._own = memory.host.cpus[setting.cpu]
        self._mutation = memory.read(self.machine.config.mutation)
        config = self.machine.config
        self._others = setting.pcpus - (memory.read(config.task_pcpus) or memory.read(config.vcpus))
        """pCPUs that run no vCPU."""
        self._over = False

    def follow(self, schedule: Schedule) -> None:
        """Take the order of the operations, and the answers of choices, from a schedule."""
        self._schedule = self.operations.schedule = schedule

    # --- shared words --------------------------------------------------------------------------------------------

    def load(self, word: int) -> int:
        """Read a word, the own store buffer first."""
        return self.operations.read(Op.LOAD, word)

    def store(self, word: int, value: int) -> None:
        """Write a word through the store buffer."""
        self.operations.write(Op.STORE, word, value)

    def xchg(self, word: int, value: int) -> int:
        """Exchange."""
        return self.operations.modify(Op.XCHG, word, lambda _: value, value)

    def cmpxchg(self, word: int, old: int, new: int) -> int:
        """Compare and exchange."""
        return self.operations.modify(Op.CMPXCHG, word, lambda found: new if found == signed(old) else found, old, new)

    def fetch_or(self, word: int, bits: int) -> int:
        """Set bits."""
        return self.operations.modify(Op.OR, word, lambda found: found | bits, bits)

    def fetch_and(self, word: int, bits: int) -> int:
        """Keep bits."""
        return self.operations.modify(Op.AND, word, lambda found: found & bits, bits)

    def fetch_add(self, word: int, value: int) -> int:
        """Add."""
        return self.operations.modify(Op.ADD, word, lambda found: found + value, value)

    def fence(self) -> None:
        """Wait until the own buffer is empty."""
        self._schedule.called()
        self.operations.perform(Op.FENCE, nothing, wait=True)

    def peek(self, word: int) -> int:
        """Read a word for an instrument, or what the protocol calls private: a plain load if others use that, too."""
        local = sys._getframe(1).f_code is local_read.__code__  # noqa: SLF001 - the waist makes no other difference
        return self.look(word, local=local)

    def look(self, word: int, *, local: bool) -> int:
        """Read a word as above; ``local``: it is private."""
        if local and word in self.setting.single_writer:
            self._schedule.called()
            return self.buffer.load(word)
        return self.operations.read(Op.LOAD if local else Op.GHOST_READ, word)

    def poke(self, word: int, value: int) -> None:
        """Write a mark, straight into memory (see :meth:`_seen`), or a private word: a plain store if others use it."""
        local = sys._getframe(1).f_code is local_write.__code__  # noqa: SLF001
        self.put(word, value, local=local)

    def put(self, word: int, value: int, *, local: bool) -> None:
        """Write a word as above; ``local``: it is private."""
        if local and word in self.setting.single_writer and self.buffer.load(word) == signed(value):
            self._schedule.called()  # what it holds is put there once more, and nobody else puts anything there
            return
        self.operations.write(Op.STORE if local else Op.GHOST_WRITE, word, value)

    # --- where and who -------------------------------------------------------------------------------------------

    def memory(self) -> int:
        """Return the machine's address."""
        return BASE

    def this_cpu(self) -> int:
        """Return the own pCPU."""
        return self._pcpu.at

    def mutated(self, number: int) -> int:
        """Return whether this mutation is the selected one."""
        return 1 if number == self._mutation else 0

    def rule_fault(self, where: int, value: int, bound: int) -> None:
        """Raise RuleFault."""
        raise RuleFault(where, value, bound)

    def trace(self, event: int, argument: int) -> None:
        """Do nothing: the scheduler's own account says more."""

    # --- interrupts ----------------------------------------------------------------------------------------------

    def interrupt_point(self, site: int) -> None:
        """Take what is pending, as long as the flag is on."""
        while self.takes_interrupt(site) != 0:
            self.interrupt()

    def takes_interrupt(self, site: int) -> int:
        """Return whether an interrupt is to be taken at an interrupt point."""
        self._schedule.called()
        if self.setting.points is not None and site not in self.setting.points:
            return 0
        if not self.setting.interrupted or self.shared.read(self._pcpu.irq.enabled) == 0:
            return 0
        if self.operations.at_point:  # a point right behind another one is a step of its own, as in the explorer
            self.operations.perform(Op.YIELD, lambda: 0)
        every = not self.setting.eager or site in self.setting.last_points
        deferrable = frozenset() if every else self.setting.deferrable
        if self.operations.perform(Op.POINT, partial(self._pending, deferrable), a=int(every)) == 0:
            return 0
        self._every = every
        return 1

    def _pending(self, deferrable: frozenset[int] = frozenset()) -> int:
        return int(self.apic.pending(deferrable))

    def send_IPI(self, cpu: int, vector: int) -> None:
        """Send an IPI, behind all stores unless it may overtake them."""
        self._schedule.called()

        def do() -> int:
            self.apic.send(cpu, vector)
            return 0

        self.operations.perform(Op.SEND, do, 0, cpu, vector, wait=not self.setting.overtake)

    def apic_pending(self) -> int:
        """Return whether a vector is pending."""
        self._schedule.called()
        return self.operations.perform(Op.PENDING, self._pending)

    def apic_ack(self) -> int:
        """Take the highest pending vector."""
        self._schedule.called()
        every, self._every = self._every, True
        deferrable = frozenset() if every else self.setting.deferrable
        return self.operations.perform(Op.ACK, lambda: self.apic.acknowledge(deferrable), a=int(every))

    def wait_for_interrupt(self) -> None:
        """Do nothing: the next test of the condition is an operation of its own."""
        self._schedule.called()

    def cpu_relax(self) -> None:
        """Do nothing, as above."""
        self._schedule.called()

    def ipis_in_flight(self) -> int:
        """Return whether an IPI is under way."""
        self._schedule.called()
        return self.operations.perform(Op.IN_FLIGHT, lambda: int(self.apic.in_flight() != 0))

    # --- tasks ---------------------------------------------------------------------------------------------------

    def switch_to(self, prev: int, next: int) -> None:  # noqa: A002 - the waist's name
        """Refuse: a process that switches tasks has another waist (:class:`hosts.replay.tasks.Tasks`)."""
        raise Diverged(f"the code switches tasks ({prev:#x}, {next:#x}), and the scope has none")

    def exchange_contexts(self, prev: int, saved: int, next: int) -> int:  # noqa: A002
        """Write the number of the own log into ``prev`` behind a full barrier; return the number in ``next``.

        ``next`` holds 0 from then on: its task runs.
        """
        self.fence()
        self.operations.write(Op.GHOST_WRITE, prev, saved)
        return self.operations.exchange_within(next, 0)

    def note_not_suspended(self) -> None:
        """Record that a task was resumed that runs, as the explorer sights it: no pCPU could go on."""
        records, base = self._pcpu.records, NOT_SUSPENDED * RECORD_WORDS
        self.shared.write(records[base + RECORD.index("vector")], -1)
        for counter in (records[base + RECORD.index("count")], self._pcpu.sightings):
            self.shared.write(counter, self.shared.read(counter) + 1)

    def answered_again(self) -> None:
        """Record that a task has been answered from its log: its code goes on."""
        self._schedule.goes_on()

    # --- environment ---------------------------------------------------------------------------------------------

    def choose(self, n: int) -> int:
        """Return the witness's answer."""
        self._schedule.called()
        return 0 if n <= 1 else self.operations.perform(Op.CHOOSE, lambda: self._schedule.answer(n), a=n)

    def one_in(self, n: int) -> int:
        """Return the witness's answer."""
        self._schedule.called()
        return n if n <= 1 else self.operations.perform(Op.CHOOSE, lambda: self._schedule.answer(2), a=2)

    def deadline_after(self, delta: int) -> int:  # noqa: ARG002 - any time may be the one
        """Return a deadline ahead."""
        return DEADLINE

    def deadline_passed(self, deadline: int) -> int:
        """Return the witness's answer, for a deadline ahead."""
        self._schedule.called()
        if deadline in (0, LONG_PAST):
            return deadline
        return self.operations.perform(Op.CHOOSE, lambda: self._schedule.answer(2), a=2)

    def run_goes_on(self) -> int:
        """Return 1 until all pCPUs without a vCPU are silent; from then on the witness's answer."""
        answer = self.run_goes_on_for(over=self._over)
        self._over = answer == 0
        return answer

    def run_goes_on_for(self, *, over: bool) -> int:
        """Answer as above to somebody who has been told 0 before (``over``), or has not."""
        self._schedule.called()
        if over:
            return 0
        if self._silent() < self._others:
            return 1
        return self.operations.perform(Op.CHOOSE, lambda: self._schedule.answer(2), a=2)

    def open_turn(self) -> int:
        """Return 0, no turn: the witness says when each thread acts."""
        return 0

    def next_turn(self, seen: int) -> int:  # noqa: ARG002 - as above
        """Return 0, no turn."""
        return 0

    def say_silent(self) -> None:
        """Record that this pCPU starts nothing more."""
        self._schedule.called()
        self.shared.write(self._own.silent, 1)

    def all_silent(self) -> int:
        """Return whether all are silent, no store is buffered and no IPI is under way to this pCPU."""
        self._schedule.called()
        return self.operations.perform(Op.QUIESCENT, self._quiet)

    def _silent(self) -> int:
        return sum(self.shared.read(self.shared.host.cpus[i].silent) for i in range(self.setting.pcpus))

    def _quiet(self) -> int:
        waiting = any(self.shared.read(self.shared.host.cpus[i].waiting) for i in range(self.setting.pcpus))
        return int(self._silent() == self.setting.pcpus and not waiting and self.apic.in_flight() == 0)

    # --- what moves between the operations -----------------------------------------------------------------------

    def drain(self) -> tuple[str, int]:
        """Flush the oldest store to memory."""
        if len(self.buffer) == 0:
            raise Diverged("no store waits in the buffer")
        word, value = self.buffer.drain()
        return self.setting.shared[word], value

    def arrive(self, vector: int) -> None:
        """Deliver an IPI."""
        if not self.apic.arrive(vector):
            raise Diverged(f"no IPI with vector {vector_text(vector)} is under way")

    def waiting(self) -> int:
        """Count the stores in the buffer."""
        return len(self.buffer)

    def sightings(self) -> int:
        """Count what this pCPU's checkers have recorded."""
        return self.shared.read(self._pcpu.sightings)
