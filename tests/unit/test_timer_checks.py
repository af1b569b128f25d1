"""C11 and C12 by hand: what each sees, and that the test driver's tick is not the guest's timer."""

from __future__ import annotations

import pytest

from emu.kvm_host import TASK_ASLEEP
from emu.lapic import (
    apic_timer_fn,
    cancel_hv_timer,
    kvm_apic_inject_pending_timer_irqs,
    kvm_lapic_switch_to_sw_timer,
    kvm_set_lapic_tscdeadline_msr,
)
from emu.machine import Vcpu
from emu.observe.accounting import C11, C12, CHECKS, RECORD_WORDS
from emu.observe.checkers import check_sleep, check_stay
from emu.observe.probes.processor import probe_vm_entry
from emu.observe.probes.root import probe_asleep
from emu.observe.timers import TIMER_ARMED, TIMER_IDLE
from emu.waist import LONG_PAST
from emu.workload.liveness import TICK_VECTOR, liveness_timer
from emu.workload.setup import power_on
from hosts.sequential import SequentialHost

FAR = 1 << 40


@pytest.fixture
def host() -> SequentialHost:
    """Return a machine with one vCPU, whose timers and signals are checked."""
    host = SequentialHost()
    power_on(host.machine, 1, 1, host.poke)
    host.poke(host.machine.config.timer_checks, 1)
    host.poke(host.machine.config.signals, 1)
    return host


def fired(host: SequentialHost, check: int) -> int:
    """Return how often a check has fired."""
    assert len(CHECKS) > check
    return host.load(host.machine.pcpus[0].records[check * RECORD_WORDS])


def arm(host: SequentialHost, deadline: int) -> Vcpu:
    """Let the guest arm its timer; return the vCPU."""
    vcpu = host.machine.vcpus[0]
    host.poke(vcpu.apic.tscdeadline, deadline)
    kvm_set_lapic_tscdeadline_msr(vcpu, deadline)
    return vcpu


def test_a_deadline_that_is_backed_is_sound(host: SequentialHost) -> None:
    """By the preemption timer in the guest, by the host's timer asleep."""
    with host:
        vcpu = arm(host, FAR)
        probe_vm_entry(vcpu)
        kvm_lapic_switch_to_sw_timer(vcpu)
        assert probe_asleep(vcpu) == 1
    assert (fired(host, C11), host.load(vcpu.timer_watch)) == (0, TIMER_ARMED)


def test_a_deadline_that_nothing_backs_is_seen_at_entry_and_asleep(host: SequentialHost) -> None:
    """Once each: what was lost is forgotten."""
    with host:
        vcpu = arm(host, FAR)
        cancel_hv_timer(vcpu)
        probe_vm_entry(vcpu)
        probe_vm_entry(vcpu)
        assert fired(host, C11) == 1
        vcpu = arm(host, FAR)
        assert probe_asleep(vcpu) == 0
    assert fired(host, C11) == 2


def test_a_preemption_timer_that_stays_armed_is_seen(host: SequentialHost) -> None:
    """B23: nothing is open that it could be for."""
    with host:
        host.poke(host.machine.vcpus[0].vmcs.preemption_timer_armed, 1)
        probe_vm_entry(host.machine.vcpus[0])
    assert fired(host, C11) == 1


def test_a_timer_is_injected_once_and_not_before_it_is_due(host: SequentialHost) -> None:
    """One that lies behind is injected as it is armed; a second time, or ahead of time, C11 fires."""
    with host:
        vcpu = arm(host, LONG_PAST)
        assert (fired(host, C11), host.load(vcpu.timer_watch)) == (0, TIMER_IDLE)
        kvm_apic_inject_pending_timer_irqs(vcpu)
        assert fired(host, C11) == 1
        vcpu = arm(host, FAR)
        kvm_apic_inject_pending_timer_irqs(vcpu)
    assert fired(host, C11) == 2


def test_a_timer_that_is_due_and_wakes_nobody_is_seen(host: SequentialHost) -> None:
    """Nothing is posted yet, so that C2 has nothing to say of it."""
    with host:
        vcpu = arm(host, FAR)
        kvm_lapic_switch_to_sw_timer(vcpu)
        host.poke(vcpu.apic.tscdeadline, LONG_PAST)
        host.poke(vcpu.wait.state, TASK_ASLEEP)
        apic_timer_fn(vcpu)
        assert check_sleep(vcpu) == 1
        assert probe_asleep(vcpu) == 0
    assert fired(host, C11) == 1


def test_the_drivers_tick_leaves_the_guests_timer_alone(host: SequentialHost) -> None:
    """It is a post, and none as long as a deadline is open."""
    vcpu = host.machine.vcpus[0]
    with host:
        arm(host, FAR)
        kvm_lapic_switch_to_sw_timer(vcpu)
        liveness_timer(vcpu)
        assert host.load(vcpu.pi_desc.pir[TICK_VECTOR >> 6]) == 0
        assert host.load(vcpu.apic.tscdeadline) == FAR
        host.poke(vcpu.timer_watch, TIMER_IDLE)
        liveness_timer(vcpu)
    assert host.load(vcpu.pi_desc.pir[TICK_VECTOR >> 6]) != 0
    assert host.load(vcpu.apic.tscdeadline) == FAR


def test_a_signal_that_nobody_heeds_is_seen_in_the_guest_and_asleep(host: SequentialHost) -> None:
    """Once each: it is taken then."""
    vcpu = host.machine.vcpus[0]
    with host:
        for check in (check_stay, check_sleep):
            before = fired(host, C12)
            host.poke(vcpu.signal_pending, 1)
            check(vcpu)
            check(vcpu)
            assert fired(host, C12) == before + 1
