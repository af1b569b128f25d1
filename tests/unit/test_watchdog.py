"""What the watchdog calls a hang, on processes and clocks that are made up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hosts.native.memory.region import SharedMemory
from hosts.native.process import watchdog
from hosts.native.process.watchdog import Watchdog
from hosts.procfs import ThreadStat, main_thread

LIMIT = 2.0
LOOK = 0.1


@dataclass
class World:
    """Two pCPUs, what the kernel says of them, and what the host below steals."""

    memory: SharedMemory
    now: float = 0.0
    threads: dict[int, ThreadStat] = field(default_factory=dict)
    stolen: dict[int, float] = field(default_factory=dict)
    moved: int = 0
    beating: tuple[int, ...] = ()

    def pass_time(self, cpu: int, state: str, ran: float, waited: float) -> None:
        """Let a pCPU spend a look's time with something."""
        before = self.threads.get(cpu, ThreadStat("R", cpu, 0.0, 0.0))
        self.threads[cpu] = ThreadStat(state, cpu, before.ran + ran, before.waited + waited)
        if cpu in self.beating:
            beat = self.memory.host.cpus[cpu].heartbeat
            self.memory.write(beat, self.memory.read(beat) + 1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a world instead of /proc."""
    with SharedMemory() as memory:
        made = World(memory)
        monkeypatch.setattr(watchdog, "main_thread", made.threads.get)
        monkeypatch.setattr(watchdog, "stolen_seconds", lambda: dict(made.stolen))
        yield made


BUSY = ("R", LOOK, 0.0)
STARVED = ("R", 0.0, LOOK)
ASLEEP = ("S", 0.0, 0.0)
STOPPED = ("T", 0.0, 0.0)
DISK = ("D", 0.0, 0.0)


def watch(
    world: World,
    seconds: float,
    spends: dict[int, tuple[str, float, float]],
    *,
    stolen: float = 0.0,
    gap: float = LOOK,
    advancing: bool = False,
) -> tuple[dict[int, str], Watchdog, float]:
    """Watch until somebody hangs or the time is over; give who, the watchdog, and when."""
    dog = Watchdog(world.memory, LIMIT, (lambda _memory: world.moved) if advancing else None)
    until = world.now + seconds
    while world.now < until:
        for cpu, (state, ran, waited) in spends.items():
            world.pass_time(cpu, state, ran, waited)
            world.stolen[cpu] = world.stolen.get(cpu, 0.0) + stolen
        hung = dog.look(world.now, {cpu: cpu for cpu in spends})
        if hung:
            return hung, dog, world.now
        world.now += gap
    return {}, dog, world.now


def test_a_pcpu_that_runs_without_a_heartbeat_hangs(world: World) -> None:
    """After so much time on a processor, not before; the other one is not blamed."""
    world.beating = (0,)
    hung, dog, when = watch(world, 10.0, {0: BUSY, 1: BUSY})
    assert list(hung) == [1]
    assert LIMIT <= when <= LIMIT + 0.5
    assert dog.stalled == {1}


def test_a_heartbeat_is_enough(world: World) -> None:
    """However long it runs."""
    world.beating = (0, 1)
    assert watch(world, 10.0, {0: BUSY, 1: BUSY})[0] == {}


@pytest.mark.parametrize("spent", [STARVED, STOPPED, DISK])
def test_who_is_not_let_run_does_not_hang(world: World, spent: tuple[str, float, float]) -> None:
    """It is noted that its heartbeat stood still, and why."""
    world.beating = (0,)
    hung, dog, _ = watch(world, 60.0, {0: BUSY, 1: spent})
    assert hung == {}
    assert dog.stalled == {1}


def test_the_labels_say_who_was_stopped_and_who_starved(world: World) -> None:
    """With the time that it took."""
    _, dog, _ = watch(world, 5.0, {0: STOPPED, 1: STARVED})
    labels = dog.labels(5.0)
    assert labels[0] == "pCPU 0 was stopped for 5.0 s"
    assert labels[1].startswith("pCPU 1 got no processor for ")
    assert labels[2] == "pCPU 1 waited 5.0 s for a processor"


def test_a_stolen_processor_does_not_count(world: World) -> None:
    """The guest's kernel believes that its thread ran; the host below says that it did not."""
    assert watch(world, 60.0, {0: BUSY}, stolen=LOOK)[0] == {}


def test_who_sleeps_without_a_heartbeat_hangs_later(world: World) -> None:
    """No sleep of a pCPU is longer than some milliseconds."""
    hung, _, when = watch(world, 60.0, {0: ASLEEP})
    assert list(hung) == [0]
    assert watchdog.ASLEEP * LIMIT <= when <= watchdog.ASLEEP * LIMIT + 0.5


def test_a_watchdog_that_was_away_judges_nobody_by_it(world: World) -> None:
    """Its looks are a minute apart, as in a machine that is suspended: each stands for a fifth of a second."""
    minute = ("R", 60.0, 0.0)
    hung, dog, _ = watch(world, 60.0 * 9, {0: minute}, gap=60.0)
    assert hung == {}
    assert "the supervisor was kept from running for 480.0 s" in dog.labels(540.0)


def test_pcpus_that_wait_for_each_other_for_ever_hang(world: World) -> None:
    """They have a heartbeat, but nothing moves."""
    world.beating = (0, 1)
    hung, _, when = watch(world, 10.0, {0: BUSY, 1: ("S", LOOK / 10, 0.0)}, advancing=True)
    assert list(hung) == [0, 1]
    assert watchdog.STILL * LIMIT <= when <= watchdog.STILL * LIMIT + 0.5


@pytest.mark.parametrize("spent", [STOPPED, STARVED, DISK])
def test_a_machine_that_waits_for_one_who_is_not_let_run_does_not_hang(
    world: World, spent: tuple[str, float, float]
) -> None:
    """All others run and nothing moves, as it must."""
    world.beating = (0,)
    assert watch(world, 60.0, {0: BUSY, 1: spent}, advancing=True)[0] == {}


def test_a_machine_that_moves_now_and_then_does_not_hang(world: World) -> None:
    """Every three seconds of a loaded machine."""
    world.beating = (0, 1)
    dog = Watchdog(world.memory, LIMIT, lambda _memory: int(world.now / 3))
    for _ in range(600):
        for cpu in (0, 1):
            world.pass_time(cpu, *BUSY)
        assert dog.look(world.now, {0: 0, 1: 1}) == {}
        world.now += LOOK


def test_a_halted_pcpu_is_no_excuse(world: World) -> None:
    """It could have run."""
    world.beating = (0, 1)
    assert list(watch(world, 10.0, {0: BUSY, 1: ASLEEP}, advancing=True)[0]) == [0, 1]


def test_without_a_limit_nobody_hangs(world: World) -> None:
    """As for tests and benches that spin without a heartbeat."""
    dog = Watchdog(world.memory, 0.0, None)
    for _ in range(1000):
        world.pass_time(0, *BUSY)
        world.now += LOOK
        assert dog.look(world.now, {0: 0}) == {}


def test_this_process_can_be_looked_at() -> None:
    """The kernel's files are where they are thought to be."""
    seen = main_thread(os.getpid())
    assert seen is not None
    assert seen.state == "R"
    assert seen.processor in range(os.cpu_count() or 1)
    assert seen.ran > 0
    assert main_thread(2**22 + 1) is None
