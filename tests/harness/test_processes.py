"""What pCPU processes are to each other and to others: strangers, bounded, placed where they were told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hosts.native.fabric import wire
from hosts.native.memory.layout import FAULT_AFTER_COUNT, FAULT_BEFORE_COUNT, REGIME_DELAYS, REGIME_STARVATION
from hosts.native.runtime.send import UNDER_WAY
from tests.choice import slow_but
from tests.harness import roots
from tests.harness.driven import TOP, UP_SECONDS, Driven, sockets_of

NOBODY = 65_534

pytestmark = pytest.mark.timeout(2 * UP_SECONDS)


def outcome(root: Path, role: int, pcpus: int, seconds: float, **options: Any) -> dict[str, Any]:
    """Run one configuration in a driver of its own."""
    with Driven(root, role, pcpus, seconds, **options) as driven:
        return driven.outcome()


def assert_sound(result: dict[str, Any]) -> None:
    """All came to their end, all that was sent arrived, nothing else did."""
    assert (result["crash"], result["stuck"], result["undelivered"]) == (None, [], [])
    assert set(result["exit_codes"]) == {0}
    assert set(result["bad_frames"]) == {0}


@pytest.mark.parametrize("placement", slow_but(["pinned", "shared"], ["pinned", "shared", "unpinned"]))
def test_every_frame_of_a_flood_arrives(root: Path, placement: str) -> None:
    """Each sends to all, itself included, as fast as the bound on what is under way lets it."""
    result = outcome(root, roots.FLOOD, 3, 0.5, argument=0xF2, placement=placement)
    assert_sound(result)
    assert sum(result["taken"]) == sum(result["results"]) + 9  # and the nine last words


def test_runs_at_the_same_time_do_not_meet(root: Path) -> None:
    """Two floods side by side: no frame of one reaches the other."""
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(outcome, root, roots.FLOOD, 2, 1.0, argument=0xF2) for _ in range(2)]
        for run in runs:
            assert_sound(run.result())


def test_one_supervisor_runs_one_configuration_after_another(root: Path) -> None:
    """Each with fresh memory, addresses and token."""
    result = outcome(root, roots.FLOOD, 2, 0.2, argument=0xF2, repeats=4)
    assert_sound(result)


def test_modules_of_the_current_folder_are_not_imported(root: Path, tmp_path: Path) -> None:
    """Whoever starts a run in it may have a file there that bears the name of a module."""
    for name in ("array", "selectors", "queue"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')\n", encoding="ascii")
    assert_sound(outcome(root, roots.RING, 1, 0.3, folder=tmp_path))


@pytest.mark.timeout(3 * UP_SECONDS)
@pytest.mark.slow
def test_thirty_two_pcpus_run_and_end(root: Path) -> None:
    """However few processors there are; each halts, is woken and wakes the next."""
    result = outcome(root, roots.RING, 32, 1.0)
    assert_sound(result)
    assert min(result["results"]) > 0


def test_each_vector_that_there_is_can_be_sent(root: Path) -> None:
    """Those below 32 too, whatever a real APIC makes of them: no first or last frame is taken for one."""
    result = outcome(root, roots.EVERY, 2, 0.1)
    assert_sound(result)
    assert result["results"] == [sum(range(256))] * 2


def test_a_send_waits_when_its_target_takes_nothing(root: Path) -> None:
    """What is under way on one connection is bounded, and all of it arrives in the end."""
    result = outcome(root, roots.MUTE, 2, 0.5)
    assert_sound(result)
    assert result["throttled"][0] > 0
    assert result["results"][0] <= UNDER_WAY + 2


def test_an_ipi_to_oneself_takes_the_same_way(root: Path) -> None:
    """One pCPU alone: its own PUSH to its own PULL."""
    result = outcome(root, roots.RING, 1, 0.3)
    assert_sound(result)
    assert result["results"][0] > 0


def test_notifications_dropped_before_the_count_were_never_sent(root: Path) -> None:
    """The fabric's first fault: the books agree, the frames are missing."""
    result = outcome(root, roots.FLOOD, 2, 0.3, argument=0xF2, fabric_fault=FAULT_BEFORE_COUNT, fault_one_in=16)
    assert_sound(result)
    assert min(result["faulted"]) > 0
    assert sum(result["taken"]) == sum(result["results"]) + 4 - sum(result["faulted"])


def test_notifications_dropped_after_the_count_are_missed_at_the_end(root: Path) -> None:
    """The fabric's second fault: sent, never taken, and the markers tell so."""
    result = outcome(root, roots.FLOOD, 2, 0.3, argument=0xF2, fabric_fault=FAULT_AFTER_COUNT, fault_one_in=16)
    assert result["crash"] is None
    assert {kind for _, _, kind in result["undelivered"]} == {0}
    assert min(result["faulted"]) > 0


def test_what_is_sent_after_the_last_word_is_in_no_book(root: Path) -> None:
    """The markers do not cover it: it may arrive or not, and neither is a loss."""
    assert_sound(outcome(root, roots.LATE, 3, 0.2))


def test_the_faults_touch_notifications_only(root: Path) -> None:
    """A kick is never dropped."""
    result = outcome(root, roots.FLOOD, 2, 0.2, argument=0xFD, fabric_fault=FAULT_AFTER_COUNT, fault_one_in=1)
    assert_sound(result)
    assert result["faulted"] == [0, 0]


@pytest.mark.parametrize("regime", [REGIME_DELAYS, pytest.param(REGIME_STARVATION, marks=pytest.mark.slow)])
def test_disturbed_pcpus_lose_nothing(root: Path, regime: int) -> None:
    """Stalls hit both sides of a flood and of the turns."""
    assert_sound(outcome(root, roots.FLOOD, 2, 0.5, argument=0xF2, regime=regime))
    result = outcome(root, roots.TURNS, 2, 0.5, regime=regime)
    assert_sound(result)
    assert min(result["stalls"]) > 0


@pytest.mark.parametrize("pcpus", slow_but([2], [2, 5]))
def test_every_turn_reaches_every_actor(root: Path, pcpus: int) -> None:
    """Also the last one, opened just before the stop was seen: all have taken the same turn at the end."""
    result = outcome(root, roots.TURNS, pcpus, 0.5)
    assert_sound(result)
    assert len(set(result["results"])) == 1


def test_pinned_pcpus_are_pinned_and_their_io_threads_are_not(root: Path) -> None:
    """Libzmq's own thread must be free to go where there is room."""
    allowed = sorted(os.sched_getaffinity(0))
    with Driven(root, roots.SPIN, 2, 5.0) as driven:
        for cpu, pid in enumerate(driven.event("up")["pids"]):
            threads = {int(thread.name): os.sched_getaffinity(int(thread.name)) for thread in tasks(pid)}
            assert threads.pop(pid) == {allowed[cpu % len(allowed)]}
            assert all(affinity == set(allowed) for affinity in threads.values())


def tasks(pid: int) -> list[Path]:
    """List a process's threads."""
    return list(Path(f"/proc/{pid}/task").iterdir())


def test_a_further_pcpu_costs_less_than_ten_megabytes(root: Path) -> None:
    """Of private memory, at 16 pCPUs, sockets to all included."""
    with Driven(root, roots.SPIN, 16, 5.0) as driven:
        pids = driven.event("up")["pids"]
        assert max(private_bytes(pid) for pid in pids) < 10e6


def private_bytes(pid: int) -> int:
    """Return the memory that a process shares with nobody."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(map(int, re.findall(r"^Private_(?:Clean|Dirty):\s*(\d+)", text, re.MULTILINE)))


FORGER = """
import os, sys, zmq
address, uid = sys.argv[1], int(sys.argv[2])
if uid >= 0:
    os.setgroups([]), os.setgid(uid), os.setuid(uid)
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.connect(address)
for _ in range(100):
    push.send(bytes.fromhex(sys.argv[3]))
push.close(linger=1000)
context.term()
"""


@pytest.mark.parametrize("uid", slow_but([NOBODY], [-1, NOBODY]))
def test_another_user_cannot_put_a_frame_into_a_run(root: Path, uid: int) -> None:
    """Its connection is refused; the same frames from the same user arrive, are counted and ignored."""
    if uid >= 0 and os.getuid() != 0:
        pytest.skip("only root can take another uid")
    frame = wire.encode(wire.Frame(1, 0, 0, 0xF2, 1)).hex()
    with Driven(root, roots.LISTEN, 1, 3.0, argument=100) as driven:
        (name,) = sockets_of(driven.event("up")["pids"])
        command = [sys.executable, "-c", FORGER, f"ipc://{name}", str(uid), frame]
        subprocess.run(command, check=True, timeout=UP_SECONDS, cwd=TOP)
        result = driven.outcome()
        assert result["bad_frames"] == [100 if uid < 0 else 0]
        assert result["results"] == [0]
