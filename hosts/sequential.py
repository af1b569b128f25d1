"""The sequential host: one pCPU, plain Python, no time. It runs traces, and tests compare other hosts with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.waist import set_host
from hosts.loader.rule.faults import RuleFault
from hosts.word64 import BASE, signed

TICKS = 100
"""Ticks of the clock for each look at it."""


class SequentialHost:
    """One pCPU over a list of words. IPIs to itself arrive at once; IPIs to others are kept in ``sent``."""

    def __init__(self, choose: Callable[[int], int] = lambda n: 0, turns: int = 1) -> None:  # noqa: ARG005
        """Make a machine of zeroes; ``choose`` draws, ``turns`` limits the run."""
        self.words = [0] * (Machine.nbytes // WORD_BYTES)
        self.machine = Machine(BASE)
        self.pick = choose
        self.turns = turns
        self.turn = 0
        self.asked = 0
        self.now = 1
        self.silent = 0
        self.mutation = 0
        self.pending: set[int] = set()
        self.sent: list[tuple[int, int]] = []
        self.interrupt: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        """Become the current host."""
        self._before = set_host(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the previous host."""
        set_host(self._before)

    def load(self, word: int) -> int:
        """Read a word."""
        return self.words[(word - BASE) // WORD_BYTES]

    def store(self, word: int, value: int) -> None:
        """Write a word."""
        self.words[(word - BASE) // WORD_BYTES] = signed(value)

    def xchg(self, word: int, value: int) -> int:
        """Exchange."""
        old = self.load(word)
        self.store(word, value)
        return old

    def cmpxchg(self, word: int, old: int, new: int) -> int:
        """Compare and exchange."""
        found = self.load(word)
        if found == signed(old):
            self.store(word, new)
        return found

    def fetch_or(self, word: int, bits: int) -> int:
        """Set bits."""
        return self.xchg(word, self.load(word) | bits)

    def fetch_and(self, word: int, bits: int) -> int:
        """Keep bits."""
        return self.xchg(word, self.load(word) & bits)

    def fetch_add(self, word: int, value: int) -> int:
        """Add."""
        return self.xchg(word, self.load(word) + value)

    def fence(self) -> None:
        """Do nothing: one pCPU sees its own stores."""

    def peek(self, word: int) -> int:
        """Read a word."""
        return self.load(word)

    def poke(self, word: int, value: int) -> None:
        """Write a word."""
        self.store(word, value)

    def memory(self) -> int:
        """Return the machine's address."""
        return BASE

    def this_cpu(self) -> int:
        """Return pCPU 0."""
        return self.machine.pcpus[0].at

    def interrupt_point(self, site: int) -> None:  # noqa: ARG002 - the waist's signature
        """Take what is pending if the flag is on."""
        while self.pending and self.load(self.machine.pcpus[0].irq.enabled):
            self.interrupt()

    def send_IPI(self, cpu: int, vector: int) -> None:
        """Pend it here, or note it."""
        self.sent.append((cpu, vector))
        if cpu == 0:
            self.pending.add(vector)

    def apic_pending(self) -> int:
        """Look into the pending set."""
        return 1 if self.pending else 0

    def apic_ack(self) -> int:
        """Take the highest."""
        vector = max(self.pending)
        self.pending.discard(vector)
        return vector

    def wait_for_interrupt(self) -> None:
        """Let time pass."""
        self.now += 1

    def switch_to(self, prev: int, next: int) -> None:  # noqa: A002 - the waist's name
        """Refuse it: one call stack runs one task."""
        raise NotImplementedError(f"one pCPU in plain Python runs one task: {prev:#x}, {next:#x}")

    def cpu_relax(self) -> None:
        """Let time pass."""
        self.now += 1

    def choose(self, n: int) -> int:
        """Draw."""
        return self.pick(n)

    def one_in(self, n: int) -> int:
        """Draw."""
        return 1 if n != 0 and self.choose(n) == 0 else 0

    def deadline_after(self, delta: int) -> int:
        """Count ticks."""
        return self.now + delta

    def deadline_passed(self, deadline: int) -> int:
        """Compare ticks; looking at the clock takes a while."""
        self.now += TICKS
        return 1 if self.now >= deadline else 0

    def run_goes_on(self) -> int:
        """Return 1 as often as there are turns: a guest asks once for each."""
        self.asked += 1
        return 1 if self.asked <= self.turns else 0

    def open_turn(self) -> int:
        """Return the next number."""
        self.turn += 1
        return self.turn

    def next_turn(self, seen: int) -> int:
        """Return turns until they are used up."""
        return seen + 1 if seen < self.turns else 0

    def ipis_in_flight(self) -> int:
        """Return 0: they arrive at once."""
        return 0

    def say_silent(self) -> None:
        """Note it."""
        self.silent = 1

    def all_silent(self) -> int:
        """Return the note."""
        return self.silent

    def mutated(self, number: int) -> int:
        """Compare with the selected one."""
        return 1 if number == self.mutation else 0

    def rule_fault(self, where: int, value: int, bound: int) -> None:
        """Raise it."""
        raise RuleFault(where, value, bound)

    def trace(self, event: int, argument: int) -> None:
        """Do nothing: a trace of one pCPU sees every call."""
