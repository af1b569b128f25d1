"""SPIN on ``posted.pml``: the checker it generates, compiled and run, and what that printed."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.options import BenchError, MissingError
from emu.workload.program import GUEST_ARM_LATER, GUEST_CPUID, GUEST_HLT
from hosts.explorer.threads.harness import Scope

MODEL: Final = Path(__file__).with_name("posted.pml")
POLICIES: Final = {"kick-2016": 0, "skip-running-2020": 1, "always-2021": 2, "elide-self-2022": 3}
MUTATIONS: Final = {
    "no-fastpath-sync": "NO_FASTPATH_SYNC",
    "no-entry-sync": "NO_ENTRY_SYNC",
    "no-entry-barrier": "NO_ENTRY_BARRIER",
    "no-wait-barrier": "NO_WAIT_BARRIER",
    "early-return-on-empty-pir": "EARLY_RETURN",
    "pir-harvested-plainly": "PIR_HARVESTED_PLAINLY",
    "pir-set-plainly": "PIR_SET_PLAINLY",
    "rvi-not-written": "RVI_NOT_WRITTEN",
    "self-ipi-not-elided": "SELF_IPI_NOT_ELIDED",
}
COLUMNS: Final = {
    "FIRST": ((), ("post:0x34",), ("post:0x34", "post:0xf6"), ("post:0x34", "post:0x34")),
    "SECOND": ((), ("post:0x35",)),
    "DEVICE": ((), ("device",)),
    "KICKS": ((), ("kick",)),
}
"""What the model's senders can do: the place in the row is the number that the model is given."""
DEEPEST: Final = 10_000_000
MEGABYTE: Final = 1 << 20
POINTER: Final = 8
"""Bytes of one place in SPIN's hash table."""

COUNT: Final = r"(?<![\d.+])(\d[\d.]*(?:e\+\d+)?)"
"""How SPIN prints a count: one of a hundred million and more with six digits after the point and an exponent."""


@dataclass(frozen=True)
class Checked:
    """What a run of SPIN's checker says."""

    states: int
    transitions: int
    depth: int
    seconds: float
    vector: int
    """Bytes of the state vector, as SPIN prints it."""
    stored: float
    """Megabytes that the states took in its store, its own compression and overhead included, the table not."""
    errors: int
    complete: bool
    fired: str = ""
    """The check that did, if one did."""
    building: float = 0.0
    """Seconds to generate and compile the checker; not in ``seconds``."""

    @property
    def cold(self) -> Checked:
        """Return the same with the seconds that a scope takes the first time, when there is no checker for it."""
        return replace(self, seconds=self.building + self.seconds)

    @property
    def rate(self) -> float:
        """Return states a second."""
        return self.states / max(self.seconds, 0.01)

    @property
    def bytes_per_state(self) -> float:
        """Return bytes a stored state, with one place of the table for each, as if the table were full."""
        return self.stored * MEGABYTE / self.states + POINTER


def find() -> None:
    """Make sure that there is a SPIN and a compiler."""
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise MissingError(f"{tool} is not installed (apt install {tool})")


def defines(scope: Scope, policy: str, mutation: str | None, buffer: int, only: str = "") -> list[str]:
    """Set in the model what is checked, one check ``only`` or all; BenchError if the model has no such scope."""
    left = list(scope.acts)
    made = {"POLICY": POLICIES[policy], "DEPTH": buffer}
    for name, rows in COLUMNS.items():
        found = next((i for i, row in enumerate(rows) if row in left), 0)
        made[name] = found
        if found:
            left.remove(rows[found])
    if left or scope.vcpus != 1 or not {GUEST_CPUID, GUEST_HLT} <= set(scope.guest):
        raise BenchError(f"{MODEL.name} has no scope {scope}")
    made["SLOW_HANDLERS"] = int(scope.slow_handlers)
    made["TIMERS"] = scope.timers if GUEST_ARM_LATER in scope.guest else 0
    if only:
        made["ONLY"] = int(only.removeprefix("C"))
    return [f"-D{name}={value}" for name, value in made.items()] + ([f"-D{MUTATIONS[mutation]}"] if mutation else [])


def check(wanted: list[str], *, table_bits: int, megabytes: int, patience: float) -> Checked:
    """Generate, compile (gcc -O2, safety, partial-order reduction on, exact storage) and run the checker."""
    with tempfile.TemporaryDirectory(prefix="pirace-spin-") as folder:
        before = time.monotonic()
        run(["spin", "-a", *wanted, str(MODEL)], folder)
        run(["gcc", "-O2", "-w", "-DSAFETY", "-DNOCLAIM", f"-DMEMLIM={megabytes}", "-o", "pan", "pan.c"], folder)
        building = time.monotonic() - before
        return parse(pan([f"{folder}/pan", "-n", f"-m{DEEPEST}", f"-w{table_bits}"], folder, patience), building)


def run(command: list[str], folder: str) -> None:
    """Run a tool that has to succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{command[0]}: {(done.stdout + done.stderr).strip()[-500:]}")


def pan(command: list[str], folder: str, patience: float) -> str:
    """Run the checker; interrupted, it still says how far it has come."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
    return said


def parse(said: str, building: float = 0.0) -> Checked:
    """Read what the checker printed."""

    def number(pattern: str) -> float:
        found = re.search(pattern, said)
        if found is None:
            raise BenchError(f"the checker did not say {pattern!r}: {said.strip()[-500:]}")
        return float(found[1])

    fired = re.search(r"assertion violated \((\d+)==0\)", said)
    actual = re.search(r"([\d.]+)\s+actual memory usage for states", said)
    return Checked(
        states=int(number(rf"{COUNT} states, stored")),
        transitions=int(number(rf"{COUNT} transitions")),
        depth=int(number(r"depth reached (\d+)")),
        seconds=number(r"elapsed time ([\d.e+-]+) seconds"),
        vector=int(number(r"State-vector (\d+) byte")),
        stored=float(actual[1]) if actual else number(r"([\d.]+)\s+equivalent memory usage for states"),
        errors=int(number(r"errors: (\d+)")),
        complete="Search not completed" not in said,
        fired=f"C{fired[1]}" if fired else "",
        building=building,
    )
