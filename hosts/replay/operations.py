"""The operations of one process on shared words, each executed when the schedule says so.

What an operation means is :mod:`hosts.explorer.model.semantics`'s; here it is done to real memory. Only words that the
witness lists as shared are operations. The instruments keep their real counters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from emu.observe import is_instrument
from hosts.explorer.model.operations import LOCKED, OWN_FENCE, Op, in_transaction
from hosts.replay.buffer import StoreBuffer
from hosts.replay.interfaces import Schedule
from hosts.replay.memory import Memory
from hosts.replay.messages import Executed
from hosts.replay.setting import ProgramFunction, Setting
from hosts.word64 import signed

UNSCHEDULED: Final = frozenset({Op.GHOST_READ, Op.GHOST_WRITE, Op.IN_FLIGHT, Op.ACK, Op.CHOOSE, Op.YIELD})
"""What always belongs to the step of the operation before (as hosts.explorer.threads.automaton has it)."""


class Operations:
    """The operations of one process, its store buffer included."""

    schedule: Schedule
    """Assigned after the construction: the schedule in turn flushes this process's stores and delivers its IPIs."""

    def __init__(self, setting: Setting, memory: Memory) -> None:
        """The words are those of ``memory``; the operations are in the order of :attr:`schedule`."""
        self._setting = setting
        self._memory = memory
        machine = memory.machine
        self._pcpu = machine.pcpus[setting.cpu]
        self.buffer = StoreBuffer(memory, memory.host.cpus[setting.cpu].waiting, setting.buffer)
        self.at_point = False
        """The last operation was an interrupt point at which nothing was pending."""
        self._inside_of: dict[int, int] = {machine.pcpus[i].marks.inside: i for i in range(setting.pcpus)}

    def perform(
        self,
        kind: Op,
        do: Callable[[], int],
        word: int = 0,
        a: int = 0,
        b: int = 0,
        *,
        wait: bool = False,
        within: bool = False,
    ) -> int:
        """Execute an operation when it is due. ``wait``: only with an empty buffer; ``within``: in the step before."""
        function, line = self._running_function()
        eager = kind == Op.SEND and self._setting.eager and self._memory.read(self._pcpu.irq.inside_depth) != 0
        own_fence = kind == Op.FENCE and a == OWN_FENCE
        begins = kind == Op.GHOST_WRITE and word in self._inside_of and a & 1 != 0
        part = within or in_transaction(function.module, kind) or is_instrument(function.module)
        free = kind in UNSCHEDULED or eager or own_fence or part
        may = lambda: self._possible(kind, wait=wait)  # noqa: E731 - asked as often as the schedule wants to know
        self.schedule.before(
            scheduled=begins or not free, point=kind == Op.POINT, begins=begins, sends=kind == Op.SEND, possible=may
        )
        answer = do()
        self.at_point = kind == Op.POINT and answer == 0
        name = self._setting.shared[word] if word else ""
        self.schedule.executed(
            Executed(kind.written, name, signed(a), signed(b), answer, function.name, function.file, line)
        )
        return answer

    def _possible(self, kind: Op, *, wait: bool) -> bool:
        if kind == Op.STORE:
            return not self.buffer.full
        return not wait or len(self.buffer) == 0

    def _running_function(self) -> tuple[ProgramFunction, int]:
        """Return the function of the program that is running, and its line."""
        frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to the caller
        while frame.f_code not in self._setting.functions:
            if frame.f_back is None:
                return ProgramFunction("", "", ""), 0
            frame = frame.f_back
        return self._setting.functions[frame.f_code], frame.f_lineno

    def read(self, kind: Op, word: int) -> int:
        """Read a word; an operation if others share it."""
        self.schedule.called()
        if word not in self._setting.shared:
            return self._memory.read(word)
        return self.perform(kind, lambda: self._seen(kind, word), word)

    def _seen(self, kind: Op, word: int) -> int:
        """Return what this pCPU sees in a word. Another's *inside* mark stands behind the stores that wait there."""
        value = self.buffer.load(word)
        owner = self._inside_of.get(word, self._setting.cpu)
        if kind != Op.GHOST_READ or owner == self._setting.cpu:
            return value
        return value | 1 if self._memory.read(self._memory.host.cpus[owner].waiting) else value

    def write(self, kind: Op, word: int, value: int) -> None:
        """Write a word: a store through the buffer, anything else straight into memory."""
        self.schedule.called()
        write = self.buffer.store if kind == Op.STORE else self._memory.write
        if word not in self._setting.shared:
            self._memory.write(word, value)
            return

        def do() -> int:
            write(word, value)
            return 0

        self.perform(kind, do, word, value)

    def modify(self, kind: Op, word: int, change: Callable[[int], int], a: int, b: int = 0) -> int:
        """Execute a locked operation: meanwhile no other process touches memory."""
        assert kind in LOCKED  # noqa: S101
        self.schedule.called()

        def do() -> int:
            found = self._memory.read(word)
            self._memory.write(word, change(found))
            return found

        if word not in self._setting.shared:
            self.perform(Op.FENCE, nothing, a=OWN_FENCE, wait=True)  # it drains the buffer whoever uses its word
            return do()
        return self.perform(kind, do, word, a, b, wait=True)

    def exchange_within(self, word: int, value: int) -> int:
        """Exchange a word in the step before, whose fence has emptied the buffer; return what it held."""
        self.schedule.called()

        def do() -> int:
            found = self._memory.read(word)
            self._memory.write(word, value)
            return found

        return self.perform(Op.XCHG, do, word, value, within=True) if word in self._setting.shared else do()


def nothing() -> int:
    """Do nothing, as a fence with an empty buffer does."""
    return 0
