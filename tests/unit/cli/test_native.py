"""The door to the native host, without starting anything."""

from __future__ import annotations

import pytest

from emu.expected import policy_by_name
from emu.mutations import MUTATIONS
from emu.scenarios import SCENARIOS
from hosts.cli.errors import Failure
from hosts.cli.native import check_machine, configuration, set_up, users_error
from hosts.native import layout
from hosts.native.outcome import Placement
from hosts.native.region import SharedMemory
from hosts.report.plan import planned
from hosts.report.runner import Request


def request(scenario: str, policy: str, mutation: str | None, pcpus: int) -> Request:
    """Ask for a run."""
    chosen = next(each for each in SCENARIOS if each.name == scenario)
    seeded = next((each for each in MUTATIONS if each.name == mutation), None)
    row = planned(chosen, policy_by_name(policy), seeded, pcpus)
    return Request(row, 0.5, 7, "starvation", "shared")


def test_a_request_becomes_a_configuration() -> None:
    """Time, seed, placement, disturbance; a fabric's fault is the host's to do."""
    made = configuration(request("remote-post", "always-2021", "ipi-lost-counted", 2))
    assert (made.pcpus, made.seconds, made.seed, made.placement) == (2, 0.5, 7, Placement.SHARED)
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
    assert users_error(text, "my.py") == line


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64")])
def test_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    """Exit status 3: x86's memory order is what is raced."""
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(Failure, match="needs Linux on x86-64") as caught:
        check_machine()
    assert caught.value.exit_code == 3
