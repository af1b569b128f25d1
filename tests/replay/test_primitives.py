"""The conformance suite on the replay host: what each primitive means, and which ones drain the store buffer.

The tables are those of the suite for the other hosts. Here nothing is a matter of luck: the director lets no
store reach memory before it must.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from emu.machine import Machine
from emu.waist import set_host
from hosts.explorer.witness import Witness
from hosts.explorer.world import BASE
from hosts.replay.crew import Crew
from hosts.replay.host import ReplayHost, Setting
from hosts.replay.memory import Memory
from hosts.replay.messages import Did, Drain, Run
from hosts.replay.program import cast_of
from hosts.sequential import SequentialHost, signed
from tests.conformance.test_store_buffering import DOES_NOT, DRAINS
from tests.conformance.test_words import FUNCTIONS, numbers
from tests.replay.witnesses import program

pytestmark = pytest.mark.timeout(120)

# --- which ones drain --------------------------------------------------------------------------------------------

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
    """Let two processes run side by side, draining a store only where one cannot go on; give what each saw."""
    witness = shape(operation)
    with Crew(witness, cast_of(witness, program())) as crew:
        stands = {0: "before an operation", 1: "before an operation"}
        while set(stands.values()) != {"at its end"}:
            for side in (0, 1):
                if stands[side] == "before an operation":
                    stands[side] = crew.tell(side, Run(())).stands
                elif stands[side] == "before an operation that has to wait":
                    stands[side] = crew.tell(side, Drain()).stands
        first, second = (crew.memory.read(BASE + word) - 1 for word in SEEN)
        return first, second


@pytest.mark.parametrize("operation", DRAINS.values(), ids=DRAINS.keys())
def test_it_drains_the_store_buffer(operation: str) -> None:
    """It is not done before the store has reached memory, whatever its outcome; so both sides see it."""
    assert seen_by_both(operation) == (1, 1)


@pytest.mark.parametrize("operation", DOES_NOT.values(), ids=DOES_NOT.keys())
def test_it_leaves_the_store_buffer_alone(operation: str) -> None:
    """Both sides miss each other's store."""
    assert seen_by_both(operation) == (0, 0)


def test_an_ipi_leaves_behind_the_stores() -> None:
    """Linux fences before the ICR write."""
    assert seen_by_both("send_IPI(0, 0xf2)") == (1, 1)


# --- what each means ---------------------------------------------------------------------------------------------


class AtOnce:
    """A schedule for one: an operation that has to wait lets the buffer drain by itself."""

    def __init__(self, host: ReplayHost) -> None:
        """Stand in for the director of ``host``."""
        self.host = host
        self.kinds: set[str] = set()

    def before(self, *, possible: Callable[[], bool], **_: bool) -> None:
        """Make the operation possible."""
        while not possible():
            self.host.drain()

    def did(self, operation: Did) -> None:
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


@pytest.fixture(scope="module")
def memory() -> Iterator[Memory]:
    """Make a region of a test's own."""
    made = Memory()
    yield made
    made.close()


def host_of(memory: Memory, pcpus: int, shared: dict[int, str]) -> ReplayHost:
    """Make the host of pCPU 0."""
    setting = Setting(0, pcpus, buffer=4, overtake=False, shared=shared, interrupted=False, places={})
    host = ReplayHost(setting, memory, NoIpis(), lambda: None)
    host.turns = AtOnce(host)
    return host


def host_with(memory: Memory, *, shared: bool) -> ReplayHost:
    """Make a host for which four words of a PIR are shared, or none."""
    at = memory.machine.vcpus[1].pi_desc.pir
    return host_of(memory, 1, {at[i]: f"pir[{i}]" for i in range(4)} if shared else {})


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "private"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_means_what_it_means_on_the_plain_host(memory: Memory, name: str, shared: bool) -> None:  # noqa: FBT001
    """Result and memory agree, for shared words through the store buffer as for others at once."""
    plain, host = SequentialHost(), host_with(memory, shared=shared)
    at = memory.machine.vcpus[1].pi_desc.pir
    assert plain.machine.vcpus[1].pi_desc.pir == at
    for word, a, b in list(numbers(len(name)))[::40]:
        for i in range(4):
            memory.write(at[i], word * (2 * i + 1))
            plain.store(at[i], signed(word * (2 * i + 1)))
        results = []
        for each in (plain, host):
            before = set_host(each)
            try:
                results.append(FUNCTIONS[name](at[0], a, b))
            finally:
                set_host(before)
        while len(host.buffer):
            host.drain()
        assert results[0] == results[1], (word, a, b)
        assert [memory.read(at[i]) for i in range(4)] == [plain.load(at[i]) for i in range(4)], (word, a, b)


def test_a_load_sees_the_own_store_first(memory: Memory) -> None:
    """The newest one that waits, and memory again when all have drained."""
    host, word = host_with(memory, shared=True), memory.machine.vcpus[1].pi_desc.pir[0]
    memory.write(word, 1)
    host.store(word, 2)
    host.store(word, 3)
    assert (host.load(word), host.peek(word), memory.read(word)) == (3, 3, 1)
    host.drain()
    assert (host.load(word), memory.read(word)) == (3, 2)
    host.drain()
    assert (host.load(word), memory.read(word)) == (3, 3)


def test_another_pcpus_mark_stands_behind_its_stores(memory: Memory) -> None:
    """While its buffer holds anything, an instrument of another pCPU takes it for inside."""
    mark = memory.machine.pcpus[1].marks.inside
    host = host_of(memory, 2, {mark: "inside"})
    memory.write(mark, 4)
    assert host.peek(mark) == 4
    memory.write(memory.host.cpus[1].waiting, 1)
    assert host.peek(mark) == 5
    memory.write(memory.host.cpus[1].waiting, 0)
    assert host.peek(mark) == 4
