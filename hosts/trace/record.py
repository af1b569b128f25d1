"""Recorder of a trace: runs the functions on one pCPU and records calls and stores, with the state at each step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

from emu.memory import WORD_BYTES
from emu.observe.accounting import CHECKS, IPIS_ELIDED, NOTIFICATIONS_SPURIOUS, RECORD_WORDS
from emu.observe.ghost import TOLD_NOBODY, WHOM
from emu.posted_intr import POSTED_INTR_ON
from hosts.kernel_names import MODES, vector_text
from hosts.loader.program import Program
from hosts.sequential import SequentialHost
from hosts.trace.names import is_shown, label
from hosts.word64 import BASE, signed

TICKS: Final = 1500
"""Ticks of the clock for each look at it: a timer that is armed ahead expires at the second look."""
LONGEST: Final = 300_000
"""Calls after which a trace is given up; historic policies take far fewer."""

TRIGGER: Final = "kvm_vcpu_trigger_posted_interrupt"


def mode_name(mode: int) -> str:
    """Return the name of a mode without the suffix that all have; a number that is no mode as it is."""
    return MODES.get(mode, str(mode)).removesuffix("_GUEST_MODE")


class EndlessStoryError(Exception):
    """The trace does not end: the rule loops, or never wakes the vCPU."""


@dataclass(frozen=True)
class State:
    """The state at a step."""

    interrupts: int
    preempt_count: int
    mode: str
    running: str
    pir: tuple[int, ...]
    on: int
    rvi: int


@dataclass
class Step:
    """One line: a call, or a store of the mode."""

    depth: int
    function: str
    """The function's own name; for a store, the function that did it."""
    label: str
    state: State
    notes: list[str] = field(default_factory=list)
    is_leaf: bool = True


class TracedHost(SequentialHost):
    """The sequential host, with a recorder of its operations."""

    def __init__(self, choose: Callable[[int], int], turns: int) -> None:
        super().__init__(choose, turns)
        self.program: Program | None = None
        self.recorder: Recorder | None = None
        self.interrupt_at: tuple[str, str] | None = None
        """Function and operation before which ``interrupt_vector`` arrives, once."""
        self.interrupt_vector = 0

    def state(self) -> State:
        """Return the state of the machine."""
        irq, vcpu = self.machine.pcpus[0].irq, self.machine.vcpus[0]
        pir = [self.load(vcpu.pi_desc.pir[i]) for i in range(4)]
        return State(
            interrupts=self.load(irq.enabled),
            preempt_count=self.load(irq.preempt_count),
            mode=mode_name(self.load(vcpu.mode)),
            running="vcpu0" if self.load(irq.running_vcpu) == vcpu.at else "-",
            pir=tuple(vector for vector in range(256) if pir[vector >> 6] >> (vector & 63) & 1),
            on=self.load(vcpu.pi_desc.control) >> POSTED_INTR_ON & 1,
            rvi=self.load(vcpu.vmcs.rvi),
        )

    def store(self, word: int, value: int) -> None:
        """Write a shared word."""
        super().store(word, value)
        if self.recorder is not None and word == self.machine.vcpus[0].mode:
            self.recorder.stored_mode(value)

    def poke(self, word: int, value: int) -> None:
        """Write a private word; the writes of instruments are recorded."""
        self.words[(word - BASE) // WORD_BYTES] = signed(value)
        if self.recorder is not None:
            self.recorder.noted(word)

    def send_IPI(self, cpu: int, vector: int) -> None:
        """Send."""
        super().send_IPI(cpu, vector)
        if self.recorder is not None:
            self.recorder.note(f"sent: IPI {vector_text(vector)} to pCPU {cpu}")

    def run_goes_on(self) -> int:
        """Count how often the guest asks: once for each turn."""
        self.turn += 1
        return 1 if self.turn <= self.turns else 0

    def deadline_passed(self, deadline: int) -> int:
        """Compare; the clock advances in large steps."""
        self.now += TICKS
        return 1 if self.now >= deadline else 0

    def interrupt_point(self, site: int) -> None:
        """Let the interrupt of the trace arrive at its place, and take what is pending."""
        assert self.program is not None  # noqa: S101 - whoever loads functions says where from
        here = self.program.sites[site]
        if (here.function, here.operation) == self.interrupt_at:
            self.interrupt_at = None
            self.pending.add(self.interrupt_vector)
        super().interrupt_point(site)


def _where(function: FunctionType) -> str:
    """Name the file and the line of a function."""
    return f"{Path(function.__code__.co_filename).name}:{function.__code__.co_firstlineno}"


class Recorder:
    """Records what happens between the call of a root function and its return."""

    def __init__(self, host: TracedHost, program: Program, root: str, *, everything: bool = False) -> None:
        self.steps: list[Step] = []
        self._host = host
        self._root = root
        self._names: dict[CodeType, str] = {
            function.__code__: name
            for name, function in program.functions.items()
            if everything or is_shown(name, function.__module__, users=name in program.rule)
        }
        self._where = {name: _where(program.functions[name]) for name in program.rule}
        self._root_code = program.functions[root].__code__
        self._open: list[Step] = []
        self._calls = 0
        self.over = False
        cpu = host.machine.pcpus[0]
        self._says: dict[int, str] = {cpu.records[i * RECORD_WORDS]: f"{name} fires" for i, name in enumerate(CHECKS)}
        own = host.machine.own_marks[0]
        for i, check in enumerate(program.own.own_checks):
            self._says[own.records[i * RECORD_WORDS]] = f"{check.name} fires"
        for i, window in enumerate(program.own.own_windows):
            self._says[own.windows[i]] = f"enters {window.name}"
        self._says[cpu.counters[NOTIFICATIONS_SPURIOUS]] = "nothing to do: spurious"
        self._told = cpu.told
        self._elided = cpu.counters[IPIS_ELIDED]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what is called inside."""
        self._host.recorder = self
        before = sys.getprofile()
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(before)
            self._host.recorder = None

    def _profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        if self.over or event not in ("call", "return"):
            return
        self._calls += 1
        if self._calls > LONGEST:
            raise EndlessStoryError
        name = self._names.get(frame.f_code)
        if name is None or not (self._open or frame.f_code is self._root_code):
            return
        if event == "call":
            self._called(name, frame)
        else:
            self._returned()

    def _called(self, name: str, frame: FrameType) -> None:
        state = self._host.state()
        where = f" [{self._where[name]}]" if name in self._where else ""
        step = self._append(name, label(name, frame.f_locals, state.rvi) + where)
        self._open.append(step)

    def _returned(self) -> None:
        step = self._open.pop()
        if step.is_leaf:
            step.state = self._host.state()
        if step.function == TRIGGER and self._host.load(self._told) & WHOM == TOLD_NOBODY:
            self._note_trigger("nobody told")
        self.over = not self._open

    def _append(self, function: str, text: str) -> Step:
        if self._open:
            self._open[-1].is_leaf = False
        step = Step(len(self._open), function, text, self._host.state())
        self.steps.append(step)
        return step

    def stored_mode(self, value: int) -> None:
        """Record a store of the mode."""
        if self._open and not self.over:
            self._append(self._open[-1].function, f"vcpu->mode = {mode_name(value)}_GUEST_MODE")

    def note(self, text: str) -> None:
        """Add a note to the innermost step."""
        if self._open and not self.over:
            self._open[-1].notes.append(text)

    def noted(self, word: int) -> None:
        """Add a note of what an instrument has counted."""
        if word in self._says:
            self.note(self._says[word])
        elif word == self._elided:
            self._note_trigger("elided: no IPI")

    def _note_trigger(self, text: str) -> None:
        """Add a note of the outcome to the last call of the rule."""
        triggers = [step for step in self.steps if step.function == TRIGGER]
        if triggers and not self.over:
            triggers[-1].notes = [text]
