"""What a sender notes of the ON that it turned on, for C7: untold until the rule has told somebody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emu.observe.ghost import TOLD_NOBODY, TOLD_OTHER
from emu.workload.setup import power_on
from hosts.loader.program import Program, load_program
from hosts.sequential import SequentialHost


@pytest.fixture(scope="module")
def program() -> Program:
    """Load the protocol."""
    return load_program()


@pytest.fixture
def host() -> Iterator[SequentialHost]:
    """Return a machine whose pCPU 0 posts to a vCPU that it does not run, in the third generation of ON."""
    host = SequentialHost(choose=lambda _: 0, turns=1)
    with host:
        power_on(host.machine, 2, 1, host.store)
        host.store(host.machine.vcpus[0].pi_desc.software[0], 3)
        yield host


@pytest.mark.parametrize(("told", "noted"), [(TOLD_NOBODY, 4), (TOLD_OTHER, 0)])
def test_an_on_counts_as_untold_until_somebody_is_told(
    program: Program, host: SequentialHost, told: int, noted: int
) -> None:
    """From the moment at which the rule begins; when it has ended, only if it told nobody."""
    vcpu, cpu = host.machine.vcpus[0], host.machine.pcpus[0]
    before = program.functions["probe_trigger_begin"](vcpu, 3)
    assert host.load(vcpu.untold[0]) == 4
    assert host.load(cpu.told) == TOLD_NOBODY
    host.store(cpu.told, told)
    program.functions["probe_trigger_end"](vcpu, before)
    assert host.load(vcpu.untold[0]) == noted
    assert host.load(cpu.told) == 0


def test_an_on_of_an_unknown_generation_is_let_pass(program: Program, host: SequentialHost) -> None:
    """Somebody cleared ON between the sender's look and its turning ON on: no promise is laid to its charge."""
    vcpu = host.machine.vcpus[0]
    before = program.functions["probe_trigger_begin"](vcpu, 2)
    program.functions["probe_trigger_end"](vcpu, before)
    assert host.load(vcpu.untold[0]) == 0
