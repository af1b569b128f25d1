"""Every vector that can be sent has a meaning: a handler, or it is counted and that is all."""

from __future__ import annotations

import pytest

from emu.exits import EXIT_REASON_EXTERNAL_INTERRUPT
from emu.irq import common_interrupt
from emu.nonroot import external_interrupt
from emu.observe.accounting import STRAY_INTERRUPTS
from emu.vectors import DEVICE_VECTOR, POSTED_INTR_VECTOR, RESCHEDULE_VECTOR
from emu.vmx import vmx_handle_exit_irqoff
from emu.workload.setup import power_on
from hosts.sequential import SequentialHost

HANDLED = (POSTED_INTR_VECTOR, DEVICE_VECTOR, RESCHEDULE_VECTOR)


@pytest.fixture
def host() -> SequentialHost:
    """Return a machine with one vCPU that has not started."""
    host = SequentialHost()
    power_on(host.machine, 1, 1, host.poke)
    return host


def strays(host: SequentialHost) -> int:
    """Read the count."""
    return host.load(host.machine.pcpus[0].counters[STRAY_INTERRUPTS])


@pytest.mark.parametrize("vector", range(256))
def test_a_vector_without_a_handler_is_counted_in_root_mode(host: SequentialHost, vector: int) -> None:
    """Those below 32 and the wake-up and nested vectors like any other; it is taken, and interrupts are on again."""
    host.pending.add(vector)
    with host:
        common_interrupt()
    assert strays(host) == (vector not in HANDLED)
    assert not host.pending
    assert host.load(host.machine.pcpus[0].irq.enabled) == 1


@pytest.mark.parametrize("vector", sorted(set(range(256)) - {POSTED_INTR_VECTOR}))
def test_a_vector_without_a_handler_ends_a_stay_and_is_counted_behind_it(host: SequentialHost, vector: int) -> None:
    """As any external interrupt but the notification does."""
    host.pending.add(vector)
    vcpu = host.machine.vcpus[0]
    with host:
        reason = external_interrupt(vcpu)
        assert reason == EXIT_REASON_EXTERNAL_INTERRUPT
        host.store(vcpu.vmcs.vm_exit_reason, reason)
        vmx_handle_exit_irqoff(vcpu)
    assert strays(host) == (vector not in HANDLED)
