"""The door to the native host, without starting anything."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from emu.expected import policy_by_name
from emu.mutations import MUTATIONS
from emu.workload.scenarios import SCENARIOS
from hosts.errors import Failure
from hosts.loader.rule.blame import compiler_error
from hosts.native.memory import layout
from hosts.native.memory.region import SharedMemory
from hosts.native.process.configuration import AffinityMode
from hosts.native.process.outcome import Outcome
from hosts.resource_limits import lack_in
from hosts.runs.native_runner import NativeRunner, check_machine, configuration, set_up
from hosts.runs.plan import planned
from hosts.runs.runner import Request

if TYPE_CHECKING:
    from hosts.native.process.supervisor import Supervisor


def request(scenario: str, policy: str, mutation: str | None, pcpus: int) -> Request:
    """Ask for a run."""
    chosen = next(each for each in SCENARIOS if each.name == scenario)
    seeded = next((each for each in MUTATIONS if each.name == mutation), None)
    row = planned(chosen, policy_by_name(policy), seeded, pcpus)
    return Request(row, 0.5, 7, "starvation", "shared")


def test_a_request_becomes_a_configuration() -> None:
    """Time, seed, placement, disturbance; a fabric's fault is the host's to do."""
    made = configuration(request("remote-post", "always-2021", "ipi-lost-counted", 2))
    assert (made.pcpus, made.seconds, made.seed, made.placement) == (2, 0.5, 7, AffinityMode.SHARED)
    assert (made.regime, made.fabric_fault) == (layout.REGIME_STARVATION, layout.FAULT_AFTER_COUNT)
    assert configuration(request("remote-post", "always-2021", None, 2)).fabric_fault == layout.FAULT_NONE


def test_what_is_raced_is_written_into_the_machine() -> None:
    """vCPUs, policy, mutation."""
    with SharedMemory() as memory:
        set_up(memory, request("all-to-all", "elide-self-2022", "rvi-not-written", 3))
        config = memory.machine.config
        assert [memory.read(word) for word in (config.pcpus, config.vcpus, config.policy, config.mutation)] == [
            3,
            3,
            3,
            26,
        ]


@dataclass
class FakeSupervisor:
    """Ends each run as it is told."""

    endings: list[dict[str, Any] | OSError]

    def run(self, *_: object, **__: object) -> Outcome:
        """Run nothing."""
        ending = self.endings.pop(0)
        if isinstance(ending, OSError):
            raise ending
        with SharedMemory() as memory:
            return Outcome(memory.copy(), overhead=0.0, workers=(), **ending)


class NotWatched:
    """Wants nothing."""

    def enough(self, _words: Any) -> bool:
        """Never."""
        return False

    def progress(self, _words: Any, _seconds: float) -> None:
        """Show nothing."""


DEAD: dict[str, Any] = {"seconds": 0.0, "crash": "pCPU 1 was killed by SIGABRT\nstack"}
RAN: dict[str, Any] = {"seconds": 0.5}


def runs_until_failure(*endings: dict[str, Any] | OSError) -> tuple[int, Failure]:
    """Run one after another; give how many were, and what the user is told then."""
    supervisor = FakeSupervisor([*endings])
    runner = NativeRunner(cast("Supervisor", supervisor))

    def run_all() -> None:
        for _ in endings:
            runner.run(request("remote-post", "always-2021", None, 2), NotWatched())

    with pytest.raises(Failure) as told:
        run_all()
    return len(endings) - len(supervisor.endings), told.value


@pytest.mark.parametrize(
    ("endings", "runs", "told"),
    [
        ([{**DEAD, "lacking": True}], 1, "cannot start a machine: pCPU 1 was killed by SIGABRT"),
        ([DEAD, DEAD, RAN, DEAD, DEAD, DEAD, RAN], 6, "cannot start a machine: pCPU 1 was killed by SIGABRT"),
        ([RAN, OSError(errno.EFBIG, "File too large")], 2, "no room for a machine: File too large"),
    ],
)
def test_a_limit_ends_everything_in_one_line(endings: list[dict[str, Any] | OSError], runs: int, told: str) -> None:
    """Exit status 3; a machine that did not come up for another reason is a row, and three in a row are enough."""
    done, failure = runs_until_failure(*endings)
    assert (done, str(failure), failure.exit_code) == (runs, told, 3)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "Too many open files (src/ipc_listener.cpp:297)\nFatal Python error: Aborted",
            "Too many open files (src/ipc_l",
        ),
        ("Traceback\n  File x\nRuntimeError: can't start new thread\n", "RuntimeError: can't start new thread"),
        ("MemoryError\n", "MemoryError"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "BlockingIOError: [Errno 11]"),
        ("Fatal Python error: Segmentation fault", ""),
        ("", ""),
    ],
)
def test_last_words_say_what_was_lacking(text: str, line: str) -> None:
    """Of libzmq, or the interpreter; a plain fault says nothing of the kind."""
    assert lack_in(text).startswith(line)
    assert bool(lack_in(text)) is bool(line)


NUMBA = """my.py:26: user_rule: Failed in nopython mode pipeline (step: nopython frontend)
Cannot unify Vcpu and Literal[int](5) for 'x.2', defined at my.py (30)

File "my.py", line 30:
def mixed(vcpu, vec):
    <source elided>

During: typing of assignment at my.py (30)"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (NUMBA, "my.py:30: cannot be compiled: Cannot unify Vcpu and Literal[int](5) for 'x.2', defined at my.py (30)"),
        ("my.py:4: rule: calls itself and has no annotations", "my.py:4: rule: calls itself and has no annotations"),
    ],
)
def test_the_compilers_many_lines_become_one(text: str, line: str) -> None:
    """Where, and why."""
    assert compiler_error(text, "my.py") == line


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64")])
def test_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    """Exit status 3: x86's memory order is what is raced."""
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(Failure, match="needs Linux on x86-64") as caught:
        check_machine()
    assert caught.value.exit_code == 3
