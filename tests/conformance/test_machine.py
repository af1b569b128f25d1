"""The whole protocol, compiled, does step for step what it does on the plain host.

One pCPU with nobody to race is deterministic: the same draws must leave the same machine, all its words, whatever the
scenario, rule or mutation. The compiled side has a sequential host of its own, twenty lines over private words; it
calls handlers from within interrupt points, as symbols can.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from emu import waist
from emu.expected import policy_by_name
from emu.machine import Machine
from emu.memory import WORD_BYTES, Struct, word, words
from emu.mutations import MUTATIONS, Mutation
from emu.waist import BIT, fls64, memory, mutated
from emu.workload.scenarios import SCENARIOS, Scenario
from emu.workload.setup import choose_race, power_on
from hosts.compiler.unit import Unit
from hosts.compiler.variants import unmutated
from hosts.loader.program import Program, load_program
from hosts.native.codegen.intrinsics import fetch_or, load_private, local_address, shift_right_unsigned, store_private
from hosts.sequential import TICKS, SequentialHost
from hosts.word64 import BASE, signed
from tests.compiled import Compiled, unit_of

# Translating the protocol takes 10 s of processor time, optimising it 4 s; other tests may want the same processors.
pytestmark = pytest.mark.timeout(240)

TURNS = 60
STEPS = 10_000
"""Looks at the clock, far more than so many turns take: a mutation may hang the machine, on both hosts alike."""

POLICIES = ["kick-2016", "skip-running-2020", "always-2021", "elide-self-2022"]
ALONE = [scenario for scenario in SCENARIOS if scenario.pcpus == 1]
MULTIPLIER, INCREMENT = 6364136223846793005, 1442695040888963407


class Host(Struct):
    """The words of the compiled sequential host."""

    random = word()
    now = word()
    turn = word()
    asked = word()
    silent = word()
    sent = word()
    """A number that depends on each IPI sent and on their order."""
    traced = word()
    """A number that depends on each event and on their order."""
    pending = words(4)


def host() -> Host:
    """Return the host's words."""
    return Host(local_address())


def tick(ticks: int) -> int:
    """Let time pass."""
    now = load_private(host().now) + ticks
    store_private(host().now, now)
    return now


def choose(n: int) -> int:
    """Draw."""
    drawn = load_private(host().random) * MULTIPLIER + INCREMENT
    store_private(host().random, drawn)
    return shift_right_unsigned(drawn, 33) % n


def one_in(n: int) -> int:
    """Draw."""
    return 1 if n != 0 and choose(n) == 0 else 0


def this_cpu_ptr() -> int:
    """Return pCPU 0."""
    return Machine(memory()).pcpus[0].at


def interrupt_point(site: int) -> None:
    """Take what is pending if the flag is on."""
    while apic_pending() != 0 and load_private(Machine(memory()).pcpus[0].irq.enabled) != 0:
        common_interrupt()  # noqa: F821 - the program's


def send_IPI(cpu: int, vector: int) -> None:
    """Pend it here, or note it."""
    store_private(host().sent, load_private(host().sent) * 31 + cpu * 256 + vector)
    if cpu == 0:
        at = host().pending[vector >> 6]
        store_private(at, load_private(at) | BIT(vector & 63))


def apic_pending() -> int:
    """Look into the pending set."""
    for i in range(4):
        if load_private(host().pending[i]) != 0:
            return 1
    return 0


def apic_ack() -> int:
    """Take the highest."""
    i = 3
    while load_private(host().pending[i]) == 0:
        i -= 1
    bits = load_private(host().pending[i])
    store_private(host().pending[i], bits & ~BIT(fls64(bits) - 1))
    return i * 64 + fls64(bits) - 1


def wait_for_interrupt() -> None:
    """Let time pass."""
    tick(1)


def cpu_relax() -> None:
    """Let time pass."""
    tick(1)


def deadline_after(delta: int) -> int:
    """Count ticks."""
    return load_private(host().now) + delta


def deadline_passed(deadline: int) -> int:
    """Compare ticks."""
    return 1 if tick(TICKS) >= deadline else 0


def run_goes_on() -> int:
    """Say yes as often as there are turns: a guest asks once for each."""
    asked = load_private(host().asked) + 1
    store_private(host().asked, asked)
    return 1 if asked <= TURNS else 0


def open_turn() -> int:
    """Return the next number."""
    store_private(host().turn, load_private(host().turn) + 1)
    return load_private(host().turn)


def next_turn(seen: int) -> int:
    """Return turns until they are used up."""
    return seen + 1 if seen < TURNS else 0


def ipis_in_flight() -> int:
    """Say no."""
    return 0


def say_silent() -> None:
    """Note it."""
    store_private(host().silent, 1)


def all_silent() -> int:
    """Return the note back."""
    return load_private(host().silent)


def switch_to(prev: int, next: int) -> None:  # noqa: A002 - the waist's name
    """Spoil the number that is compared: no scenario here runs tasks."""
    store_private(host().sent, -1)


def trace(event: int, argument: int) -> None:
    """Note it."""
    store_private(host().traced, load_private(host().traced) * 31 + argument * 256 + event)


def live() -> int:
    """Live the life of pCPU 0, in the variant that the native host lives it in."""
    if mutated(0) != 0:
        live_unmutated()
    else:
        pcpu_thread()  # noqa: F821 - the program's
    return 0


@unmutated
def live_unmutated() -> None:
    """Live it where no seeded bug is selected."""
    pcpu_thread()  # noqa: F821 - the program's


class Stuck(Exception):  # noqa: N818 - an outcome
    """The plain host has run far longer than so many turns take."""


class Plain(SequentialHost):
    """The plain host with the compiled one's draws and account."""

    def __init__(self, seed: int) -> None:
        super().__init__(self.draw, TURNS)
        self.random = seed
        self.steps = 0
        self.traced = 0

    def draw(self, n: int) -> int:
        """Draw as :func:`choose` does."""
        self.random = (self.random * MULTIPLIER + INCREMENT) % (1 << 64)
        return (self.random >> 33) % n

    def deadline_passed(self, deadline: int) -> int:
        """Count looks at the clock."""
        self.count_step()
        return super().deadline_passed(deadline)

    def cpu_relax(self) -> None:
        """Count rests."""
        self.count_step()
        super().cpu_relax()

    def wait_for_interrupt(self) -> None:
        """Count waits."""
        self.count_step()
        super().wait_for_interrupt()

    def choose(self, n: int) -> int:
        """Count draws."""
        self.count_step()
        return super().choose(n)

    def trace(self, event: int, argument: int) -> None:
        """Note it as :func:`trace` does."""
        self.traced = signed(self.traced * 31 + argument * 256 + event)

    def count_step(self) -> None:
        """End what does not end by itself."""
        self.steps += 1
        if self.steps > STEPS:
            raise Stuck

    def sent_number(self) -> int:
        """Say what was sent as :func:`send_IPI` does."""
        number = 0
        for cpu, vector in self.sent:
            number = signed(number * 31 + cpu * 256 + vector)
        return number


@pytest.fixture(scope="module")
def program() -> Program:
    """Load the protocol."""
    return load_program(mutations=MUTATIONS)


@pytest.fixture(scope="module")
def compiled(program: Program) -> Compiled:
    """Compile it over the sequential host."""
    names = {**program.namespace, **globals()}
    own = {name: value for name, value in globals().items() if isinstance(value, FunctionType)}
    instead = {getattr(waist, name): moved(value, names) for name, value in own.items() if hasattr(waist, name)}
    names |= {function.__name__: function for function in instead.values()}
    names["live_unmutated"] = moved(live_unmutated, names)
    return Compiled({"live": moved(live, names)}, Machine.nbytes // WORD_BYTES, instead)


def moved(function: Any, names: dict[str, Any]) -> Callable[..., Any]:
    """Return the function with other globals."""
    if function.__module__ != __name__:
        return function
    copy = FunctionType(function.__code__, names, function.__name__)
    copy.__module__, copy.__annotations__ = __name__, function.__annotations__
    copy.__dict__.update(function.__dict__)
    return copy


def run_plain(program: Program, scenario: Scenario, policy: str, mutation: Mutation | None, seed: int) -> Plain:
    """Run on the plain host."""
    plain = Plain(seed)
    with plain:
        power_on(plain.machine, 1, 1, plain.store)
        plain.interrupt = program.functions["common_interrupt"]
        plain.mutation = mutation.number if mutation else 0
        choose_race(plain.machine, scenario, policy_by_name(policy).number, mutation, plain.store)
        program.functions["pcpu_thread"]()
    return plain


def run_compiled(compiled: Compiled, scenario: Scenario, policy: str, mutation: Mutation | None, seed: int) -> Host:
    """Run compiled code; return the host's words as indices into its private words."""
    compiled.words[:] = 0
    compiled.local[:] = 0
    machine, own = Machine(compiled.base), Host(0)

    def poke(at: int, value: int) -> None:
        compiled.words[(at - compiled.base) // WORD_BYTES] = value

    power_on(machine, 1, 1, poke)
    choose_race(machine, scenario, policy_by_name(policy).number, mutation, poke)
    compiled.local[own.random // WORD_BYTES] = signed(seed)
    compiled.local[own.now // WORD_BYTES] = 1
    compiled.live()
    return own


def differences(compiled: Compiled, plain: Plain) -> list[tuple[int, int, int]]:
    """Return offset and contents of words that differ; addresses within the machine may, by where it lies."""
    found = []
    for i in (compiled.words != plain.words).nonzero()[0].tolist():
        ours, theirs = int(compiled.words[i]), plain.words[i]
        if not (BASE <= theirs < BASE + Machine.nbytes and ours - compiled.base == theirs - BASE):
            found.append((i * WORD_BYTES, ours, theirs))
    return found


@pytest.mark.parametrize("mutation", [None, *MUTATIONS], ids=lambda one: one.name if one else "none")
@pytest.mark.parametrize("policy", POLICIES)
def test_compiled_machine_is_the_plain_machine(
    program: Program, compiled: Compiled, policy: str, mutation: Mutation | None
) -> None:
    """Every word, every draw, every tick and every IPI agrees at the end of a run."""
    draw = random.Random(policy + str(mutation))
    for scenario in ALONE:
        seed = draw.getrandbits(63)
        try:
            plain = run_plain(program, scenario, policy, mutation, seed)
        except Stuck:
            continue
        own = run_compiled(compiled, scenario, policy, mutation, seed)
        assert differences(compiled, plain) == []
        account = {
            own.random: signed(plain.random),
            own.now: plain.now,
            own.turn: plain.turn,
            own.silent: plain.silent,
            own.sent: plain.sent_number(),
            own.traced: plain.traced,
        }
        assert {at: int(compiled.local[at // WORD_BYTES]) for at in account} == account
        assert plain.steps > TURNS


def lines_of(assembly: str) -> list[str]:
    """Return the lines of an assembler text, blanks normalised, without comments."""
    return [" ".join(line.partition("#")[0].split()) for line in assembly.splitlines()]


def repeated(unit: Unit, code: list[str]) -> int:
    """Count the compare-and-exchanges that LLVM has added: its loop for an operation that has no instruction."""
    asked = re.findall(r"= cmpxchg ", str(unit.module()))
    return sum(line.startswith("lock cmpxchg") for line in code) - len(asked)


def test_the_protocol_has_no_hidden_fence_and_no_loop_for_an_operation(compiled: Compiled) -> None:
    """In the whole program's machine code each locked instruction is one that the source asks for, and stands alone.

    LLVM would write a read-modify-write whose old value is used as ``cmpxchg`` and a jump back.
    """
    code = lines_of(compiled.unit.assembly())
    assert not [line for line in code if line.startswith(("mfence", "lfence", "sfence", "cpuid"))]
    locked = {re.sub(r"[^a-z ]", "", line.partition(" (")[0]).split()[1] for line in code if line.startswith("lock")}
    assert locked <= {"cmpxchgq", "btsq", "btrq", "orq", "andq", "orl", "incq", "decq", "addq", "xaddq"}
    assert repeated(compiled.unit, code) == 0
    assert "btsq" in locked


def test_a_loop_for_an_operation_would_be_seen() -> None:
    """What LLVM makes of a fetch-and-or whose old value is used is such a loop."""
    unit = unit_of({"takes_bits": takes_bits})
    assert repeated(unit, lines_of(unit.assembly())) == 1


def takes_bits(at: int, bits: int) -> int:
    """Set bits and use what was there."""
    return fetch_or(at, bits)
