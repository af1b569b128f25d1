"""What others do to a soak while it races: garbage at full rate, a thief of its address, a second soak, a stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from bench.soaking import PATIENCE, Soaking, eventually, is_good, state_of

from hosts.runs.verdict import Verdict
from tests.harness.driven import sockets_of

STOPPED_SECONDS = 3.0
POLICY = "always-2021"
SHORT = ("--each", "1s", "--scenario", "remote-post", "--policy", POLICY, "--place", "unpinned", "--seed", "1")

pytestmark = pytest.mark.timeout(6 * PATIENCE)

FLOOD = """
import os, sys, zmq
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.set_hwm(1000)
push.connect(sys.argv[1])
frames = [b"", b"x", os.urandom(40), os.urandom(41), os.urandom(3000), bytes(1 << 20)]
while True:
    for frame in frames:
        push.send(frame)
"""


@pytest.fixture
def soak() -> Iterator[Soaking]:
    """Begin a soak, and wait until it races."""
    with Soaking(*SHORT) as made:
        made.start()
        made.next_good_run()
        yield made


def addresses_of(pids: list[int]) -> list[str]:
    """Return the addresses that pCPUs listen at: just forked, one still has its fork server's socket, too."""
    return sorted(f"ipc://{name}" for name in sockets_of(pids) if name.startswith("@pirace-"))


def address_of_a_pcpu(soak: Soaking) -> str:
    """Wait until a pCPU listens; return its address."""
    found: list[str] = []

    def look() -> bool:
        with contextlib.suppress(OSError):  # it is just ending
            found[:] = addresses_of(soak.of_role("pCPU"))
        return bool(found)

    assert eventually(look)
    return found[0]


def ignored(run: dict[str, Any]) -> bool:
    """Return whether frames were counted that are none of the run's."""
    return is_good(run) and any(" ignored " in note for note in run["notes"])


def assert_sound(runs: list[dict[str, Any]]) -> None:
    """Nothing was found that is not there; the accountings agree; nobody crashed."""
    for run in runs:
        if run["record"] == "run" and run["verdict"] != Verdict.CANCELLED:
            assert run["verdict"] != Verdict.CRASH, run["reason"]
            assert run["verdict"] != Verdict.VIOLATION or run["task"]["mutation"] is not None, run["reason"]
            assert run["disagreements"] == []


@pytest.mark.slow
def test_garbage_at_full_rate_is_only_counted(soak: Soaking) -> None:
    """Empty, short, long and a megabyte: a note of the run, which is what it would have been."""
    flooded: list[dict[str, Any]] = []
    while not flooded:  # a run may be over before the first frame has come
        address = address_of_a_pcpu(soak)
        flood = subprocess.Popen([sys.executable, "-c", FLOOD, address])
        try:
            run = soak.next_good_run()
        finally:
            flood.kill()
            flood.wait()
        flooded += [run] if ignored(run) else []
    print(flooded[0]["verdict"], flooded[0]["notes"])
    assert not ignored(soak.next_good_run())
    soak.stop()
    assert_sound(soak.runs)
    assert soak.left() == []


def stopped_pcpu(soak: Soaking) -> tuple[int, str]:
    """Stop a pCPU that listens, so that it does not end meanwhile; return its process id and its address."""
    while True:
        pid = soak.await_role("pCPU")[0]
        with contextlib.suppress(OSError):  # it has just ended
            os.kill(pid, signal.SIGSTOP)
            eventually(lambda pid=pid: state_of(pid) in "TZX")  # type: ignore[misc]
            if found := addresses_of([pid]):
                return pid, found[0]
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_an_address_in_use_cannot_be_taken(soak: Soaking) -> None:
    """A second process that binds it is refused; one that listens at it as a pCPU sends gets nothing."""
    context = zmq.Context()
    try:
        pid, address = stopped_pcpu(soak)
        with context.socket(zmq.PULL) as thief, context.socket(zmq.PULL) as listener:
            with pytest.raises(zmq.ZMQError) as refused:
                thief.bind(address)
            assert refused.value.errno == zmq.EADDRINUSE
            listener.connect(address)  # PULL to PULL: libzmq takes no such peer
            os.kill(pid, signal.SIGCONT)
            soak.next_good_run()
            assert listener.poll(0) == 0
    finally:
        context.destroy(linger=0)
    soak.stop()
    assert_sound(soak.runs)
    assert not any(ignored(run) for run in soak.runs)
    assert soak.left() == []


@pytest.mark.slow
def test_two_soaks_at_once_do_not_meet(soak: Soaking) -> None:
    """On two folders, with the same seed: each as if alone, but for the processors."""
    with Soaking(*SHORT) as other:
        other.start()
        for each in (soak, other, soak, other):
            each.next_good_run()
        ours, theirs = set(soak.processes()), set(other.processes())
        assert ours
        assert theirs
        assert not ours & theirs
        other.stop()
        assert other.left() == []
        soak.next_good_run()  # the end of one is not the other's
        assert_sound(other.runs)
    soak.stop()
    assert_sound(soak.runs)
    assert not any(ignored(run) for run in soak.runs)
    assert soak.left() == []


@pytest.mark.parametrize("who", ["worker", pytest.param("everybody", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_what_is_stopped_for_seconds_goes_on(soak: Soaking, who: str) -> None:
    """The supervisor alone while its pCPUs race, and the whole soak as a machine's pause has it: no death, no alarm."""
    soak.await_role("pCPU")
    held = soak.of_role("worker") if who == "worker" else soak.processes()
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)  # what is tested
    for pid in reversed(held):
        os.kill(pid, signal.SIGCONT)
    run = soak.next_good_run()
    print(run["notes"])
    soak.next_good_run()
    soak.stop()
    assert_sound(soak.runs)
    assert all(run["attempts"] == 1 for run in soak.runs if run["record"] == "run")
    assert soak.left() == []
