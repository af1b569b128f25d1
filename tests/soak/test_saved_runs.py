"""The mapped file of a real run: whole after SIGKILL of everybody, and with what led up to a violation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hosts.native.memory.layout import RUNNING
from hosts.soak.postmortem import dump
from hosts.soak.postmortem.dump import PHASES
from hosts.soak.postmortem.machine_image import READABLE_EVENTS, MachineImage
from tests.harness.driven import GONE_SECONDS, TOP, UP_SECONDS, eventually

# The program may have to be compiled first, which takes 20 s of processor time.
pytestmark = pytest.mark.timeout(200)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start races, each in a session of its own; whatever happens, nothing of them is left."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(TOP)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.drive_race", *map(str, arguments)],
            env=environment,
            cwd=TOP,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        kill_all(process)


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a driver, its fork server and its pCPUs at once."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.communicate(timeout=UP_SECONDS)


def line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read what a driver says next."""
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


def test_the_image_of_a_killed_run_has_its_final_state(tmp_path: Path, start: Start) -> None:
    """Supervisor, fork server and pCPUs are killed at once: state, counters and the last events of each are there."""
    process = start(tmp_path / "machine", "remote-post", "always-2021", "none", 2, 60)
    up = line(process)
    kill_all(process)
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in up["pids"]), GONE_SECONDS)
    saved = MachineImage.open(tmp_path / "machine")
    told = dump.decoded(saved)
    assert (told["policy"], told["mutation"], told["seed"], told["sighted_by"]) == ("always-2021", None, 7, None)
    assert [cpu["pid"] for cpu in told["pcpus"]] == up["pids"]
    assert {cpu["phase"] for cpu in told["pcpus"]} == {PHASES[RUNNING]}
    assert told["pcpus"][0]["counters"]["rounds"] >= up["rounds"]
    assert told["pcpus"][1]["counters"]["posts"] > 0
    assert (told["vcpus"][0]["descriptor"]["nv"], told["vcpus"][0]["descriptor"]["ndst"]) == (0xF2, 0)
    for cpu in (0, 1):
        events = saved.events(cpu)
        assert len(events) == READABLE_EVENTS
        assert all(b.sequence == a.sequence + 1 and b.turn >= a.turn for a, b in pairwise(events))
        assert told["turn"] - 2 <= events[-1].turn <= told["turn"] + 1
    seen = {each.name for cpu in (0, 1) for each in saved.events(cpu)}
    assert seen >= {"kvm_entry", "kvm_exit", "kvm_apicv_accept_irq"}


def test_entries_and_exits_alternate(tmp_path: Path, start: Start) -> None:
    """The vCPU's ring is its own thread's order of events: between two entries there is one exit."""
    process = start(tmp_path / "machine", "remote-post", "elide-self-2022", "none", 2, 0.3)
    process.wait(UP_SECONDS * 4)
    names = [each.name for each in MachineImage.open(tmp_path / "machine").events(0)]
    steps = [name for name in names if name in ("kvm_entry", "kvm_exit")]
    assert len(steps) > READABLE_EVENTS // 3
    assert all(a != b for a, b in pairwise(steps))


def test_what_led_up_to_the_first_violation_outlasts_the_run(tmp_path: Path, start: Start) -> None:
    """The fastpath re-enters without a sync: the elided self-post is stranded, and the run goes on for long after."""
    process = start(tmp_path / "machine", "tscdeadline-immed", "elide-self-2022", "no-fastpath-sync", 1, 0.3)
    process.wait(UP_SECONDS * 4)
    saved = MachineImage.open(tmp_path / "machine")
    before = saved.events_sighted(0)
    assert saved.sighted_by == 0
    assert before[-1].name == "sighting"
    assert [each.name for each in before].count("sighting") == 1
    assert before[-1].sequence < saved.events(0)[0].sequence
    post, entry = (
        next(i for i in reversed(range(len(before))) if before[i].name == name)
        for name in ("kvm_apicv_accept_irq", "kvm_entry")
    )
    assert post < entry
    assert before[entry].text() == "kvm_entry: RVI none"
    (pcpu,) = dump.decoded(saved)["pcpus"]
    assert {seen["check"] for seen in pcpu["sightings"]} <= {"C1", "C7"}
    assert "the first violation was seen by cpu 0" in dump.text(saved)
