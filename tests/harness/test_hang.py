"""Real pCPUs that make no progress, and real ones that are kept from making any."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.harness import roots
from tests.harness.driven import GONE_SECONDS, UP_SECONDS, Driven, eventually

LONG = 60.0

pytestmark = pytest.mark.timeout(3 * UP_SECONDS)


@pytest.mark.parametrize(
    ("role", "how"), [(roots.DEAF, "ran for"), pytest.param(roots.ASLEEP, "slept for", marks=pytest.mark.slow)]
)
def test_a_hang_ends_the_run_and_is_kept(root: Path, role: int, how: str) -> None:
    """Not waited for: the run would last a minute. Stacks and the kernel's facts of each pCPU are there."""
    with Driven(root, role, 2, LONG, hang_seconds=0.4) as driven:
        pids = driven.event("up")["pids"]
        outcome = driven.outcome()
        assert how in outcome["crash"]
        assert "without a heartbeat" in outcome["crash"]
        assert outcome["hung"] != []
        assert outcome["seconds"] < LONG / 2
        stacks, facts = outcome["evidence"]["stacks.txt"], outcome["evidence"]["proc.txt"]
        for pid in pids:
            assert f"process {pid}" in stacks
            assert f"thread {pid}" in facts
        assert stacks.count("pcpu.py") >= len(pids)
        assert "State:" in facts
        driven.leaves_nothing()


def test_a_stopped_pcpu_is_not_hung(root: Path) -> None:
    """It is stopped for many times what makes a hang, and continued: the run goes on to its end, with a label."""
    with Driven(root, roots.SPIN, 2, 3.0, hang_seconds=0.2) as driven:
        pids = driven.event("up")["pids"]
        os.kill(pids[1], signal.SIGSTOP)
        time.sleep(2.0)  # what is tested is that nothing happens meanwhile
        os.kill(pids[1], signal.SIGCONT)
        outcome = driven.outcome()
        assert (outcome["hung"], outcome["crash"], outcome["stalled"]) == ([], None, [1])
        assert any("pCPU 1 was stopped for" in label for label in outcome["labels"])


@pytest.mark.slow
def test_a_pcpu_that_is_stopped_at_the_end_is_waited_for(root: Path) -> None:
    """The bound on coming to an end is one on time that it was let run."""
    with Driven(root, roots.SPIN, 2, 1.0, stop_seconds=1.0, hang_seconds=0.2) as driven:
        pids = driven.event("up")["pids"]
        os.kill(pids[0], signal.SIGSTOP)
        time.sleep(3.0)  # past the run's end and the bound
        assert driven.process.poll() is None, driven.outcome()
        os.kill(pids[0], signal.SIGCONT)
        outcome = driven.outcome()
        assert (outcome["stuck"], outcome["crash"]) == ([], None)
        assert any("pCPU 0 was stopped for" in label for label in outcome["labels"])


def test_a_pcpu_that_is_stopped_for_good_is_no_crash(root: Path) -> None:
    """It is ended when all patience is over; what only an end tells is not told."""
    with Driven(root, roots.SPIN, 2, 0.3, stop_seconds=0.3, hang_seconds=0.2) as driven:
        os.kill(driven.event("up")["pids"][0], signal.SIGSTOP)
        outcome = driven.outcome()
        assert (outcome["halted"], outcome["stalled"]) == ([0], [0])
        assert (outcome["stuck"], outcome["crash"], outcome["undelivered"]) == ([], None, [])


def test_a_stopped_supervisor_alarms_nobody(root: Path) -> None:
    """What it did not see it does not judge."""
    with Driven(root, roots.SPIN, 2, 3.0, hang_seconds=0.2) as driven:
        driven.event("up")
        os.kill(driven.process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(driven.process.pid, signal.SIGCONT)
        outcome = driven.outcome()
        assert (outcome["hung"], outcome["crash"]) == ([], None)
        assert any("supervisor was kept from running" in label for label in outcome["labels"])


def test_a_fault_leaves_its_stack(root: Path) -> None:
    """A stray access in compiled code."""
    with Driven(root, roots.CRASH, 1, LONG) as driven:
        outcome = driven.outcome()
        assert "was killed by SIGSEGV" in outcome["crash"]
        assert "Segmentation fault" in outcome["evidence"]["stacks.txt"]
        assert eventually(lambda: not driven.processes(), GONE_SECONDS)
