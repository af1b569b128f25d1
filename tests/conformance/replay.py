"""The replay host under the conformance suite. Nothing is a matter of luck: no store reaches memory before it must."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emu.machine import Machine
from emu.memory import Word
from emu.waist import READ_ONCE, WRITE_ONCE, mark, set_host, switch_to, this_cpu_ptr
from hosts.explorer.counterexample.witness import Witness
from hosts.replay.host import ReplayHost
from hosts.replay.memory import Memory
from hosts.replay.messages import Drain, Executed, Run
from hosts.replay.processes import ReplayProcesses
from hosts.replay.program import ReplayProgram, replay_program
from hosts.replay.setting import Setting
from hosts.word64 import BASE
from tests.conformance.primitives import FUNCTIONS
from tests.replay.witnesses import program

# --- what a primitive means --------------------------------------------------------------------------------------


class AtOnce:
    """A schedule for one: an operation that has to wait lets the buffer drain by itself."""

    def __init__(self, host: ReplayHost) -> None:
        """Stand in for the scheduler of ``host``."""
        self.host = host
        self.kinds: set[str] = set()

    def before(self, *, possible: Callable[[], bool], **_: bool) -> None:
        """Make the operation possible."""
        while not possible():
            self.host.drain()

    def executed(self, operation: Executed) -> None:
        """Note it."""
        self.kinds.add(operation.kind)

    def answer(self, below: int) -> int:  # noqa: ARG002
        """Choose the first."""
        return 0

    def called(self) -> None:
        """Count nothing."""


class NoIpis:
    """A local APIC to which nothing comes."""

    def send(self, target: int, vector: int) -> None:
        """Drop it."""

    def in_flight(self, kind: int | None = None) -> int:  # noqa: ARG002
        """Say none."""
        return 0

    def arrive(self, vector: int) -> bool:  # noqa: ARG002
        """Say no."""
        return False

    def pending(self) -> bool:
        """Say no."""
        return False

    def acknowledge(self) -> int:
        """Say none."""
        return 0


def host_of(memory: Memory, pcpus: int, shared: dict[int, str]) -> ReplayHost:
    """Make the host of pCPU 0."""
    setting = Setting(0, pcpus, buffer=4, overtake=False, shared=shared, interrupted=False, functions={})
    host = ReplayHost(setting, memory, NoIpis(), lambda: None)
    host.follow(AtOnce(host))
    return host


def host_with(memory: Memory, *, shared: bool) -> ReplayHost:
    """Make a host for which four words of a PIR are shared, or none."""
    at = memory.machine.vcpus[1].pi_desc.pir
    return host_of(memory, 1, {at[i]: f"pir[{i}]" for i in range(4)} if shared else {})


class Words:
    """Calls one of the suite's functions; a store in the buffer reaches memory before the words are read."""

    every = 40

    def __init__(self, name: str, *, shared: bool) -> None:
        """Take one of the functions, on words that others share or nobody does."""
        self.memory = Memory()
        self.host = host_with(self.memory, shared=shared)
        self.at = self.memory.machine.vcpus[1].pi_desc.pir
        self.function = FUNCTIONS[name]

    def call(self, words: Sequence[int], a: int, b: int) -> tuple[int, dict[int, int]]:
        """Return the result, and the four words."""
        for i, word in enumerate(words):
            self.memory.write(self.at[i], word)
        before = set_host(self.host)
        try:
            result = self.function(self.at[0], a, b)
        finally:
            set_host(before)
        while len(self.host.buffer):
            self.host.drain()
        return result, {i: self.memory.read(self.at[i]) for i in range(len(words))}

    def end(self) -> None:
        """Return the memory back."""
        self.memory.close()


# --- which ones drain the store buffer ---------------------------------------------------------------------------

PIR = Machine(0).vcpus[0].pi_desc.pir
X, Y, SCRATCH = PIR[0], PIR[1], (PIR[2], PIR[3])
SEEN = (Machine(0).vcpus[0].requests, Machine(0).vcpus[1].requests)

SIDE = """
def thread_{side}():
    scratch = {scratch}
    WRITE_ONCE({mine}, 1)
    {operation}
    seen = READ_ONCE({other})
    mark({note}, 1 + seen)
"""


def shape(operation: str) -> Witness:
    """Make store buffering around an operation: no steps yet, but all that two processes need."""
    config = Machine(0).config
    words = ((X, Y), (Y, X))
    drivers = {
        f"thread_{side}": SIDE.format(
            side=side,
            scratch=BASE + SCRATCH[side],
            mine=BASE + words[side][0],
            other=BASE + words[side][1],
            note=BASE + SEEN[side],
            operation=operation,
        )
        for side in (0, 1)
    }
    shared = {X: "x", Y: "y", SCRATCH[0]: "scratch0", SCRATCH[1]: "scratch1"}
    return Witness(
        scenario="", policy="", mutation="", scope="", model="tso", buffer=4, overtake=False, check="", vector=-1,
        threads=("0", "1"), drivers=drivers, initial={config.pcpus: 2, config.vcpus: 2}, shared=shared, interrupted=(),
        interrupted_last=(), eager=False,
        steps=(), states=(), sources={},
    )  # fmt: skip


def seen_by_both(operation: str) -> tuple[int, int]:
    """Let two processes run side by side, draining a store only where one cannot go on; return what each saw."""
    witness = shape(operation)
    return seen(witness, replay_program(witness, program()))


def seen(witness: Witness, code: ReplayProgram) -> tuple[int, int]:
    """Let two processes run; return what each saw."""
    with ReplayProcesses(witness, code) as processes:
        position = {0: "before an operation", 1: "before an operation"}
        while set(position.values()) != {"at its end"}:
            for side in (0, 1):
                if position[side] == "before an operation":
                    position[side] = processes.execute(side, Run(())).position
                elif position[side] == "before an operation that has to wait":
                    position[side] = processes.execute(side, Drain()).position
        first, second = (processes.memory.read(BASE + word) - 1 for word in SEEN)
        return first, second


def both_missed(operation: str) -> bool:
    """Return whether neither has seen the other's write; one alone cannot have missed it."""
    return neither(seen_by_both(operation))


def neither(sides: tuple[int, int]) -> bool:
    """Return whether both sides saw nothing."""
    assert sides in ((0, 0), (1, 1))
    return sides == (0, 0)


def idle_task() -> None:
    """Write, and resume a task."""
    mine, own, other, _ = words_of_side()
    WRITE_ONCE(mine, 1)
    switch_to(own, other)


def idle_task_alone() -> None:
    """Write, and do what the task would do."""
    mine, _, _, note = words_of_side()
    WRITE_ONCE(mine, 1)
    look(mine, note)


def resumed_task() -> None:
    """Read, and go back."""
    mine, own, other, note = words_of_side()
    look(mine, note)
    switch_to(other, own)


def look(mine: Word, note: Word) -> None:
    """Publish what the other side has written."""
    found = READ_ONCE(Word(BASE + Y if mine == BASE + X else BASE + X))
    mark(note, 1 + found)


def words_of_side() -> tuple[Word, Word, Word, Word]:
    """Return a side's word, its two contexts, and its note."""
    side = 0 if this_cpu_ptr() == Machine(BASE).pcpus[0].at else 1
    mine, first = (X, Y)[side], CONTEXTS[2 * side]
    return Word(BASE + mine), Word(BASE + first), Word(BASE + first + 8), Word(BASE + SEEN[side])


CONTEXTS = tuple(Machine(0).vcpus[1].pi_desc.pir[i] for i in range(4))


def both_missed_around_a_switch(*, switch: bool) -> bool:
    """Return whether two tasks that are resumed behind the sides' writes miss them, or without a switch."""
    code = ReplayProgram(
        drivers=(idle_task if switch else idle_task_alone,) * 2,
        interrupt=idle_task,
        functions={},
        last_points=frozenset(),
        files=(),
        deferrable=frozenset(),
        task=resumed_task,
        contexts=tuple(BASE + CONTEXTS[i] for i in (1, 3)),
    )
    return neither(seen(shape("pass"), code))
