"""Probes of the scheduler: switches, migration, the wake-up list, posts that meet them."""

from __future__ import annotations

from typing import Final

from emu.lapic_regs import apic_find_highest_irr, apic_ppr
from emu.machine import Vcpu, this_pcpu
from emu.observe.accounting import (
    LEFT_WITH_IPI,
    MIGRATED,
    MIGRATIONS,
    ON_REPAIRED,
    ON_SET_AT_PUT,
    POSTED_WHILE_LOADING,
    PREEMPTED_BEFORE_SLEEP,
    SWITCHES,
)
from emu.observe.ghost import begin_effects, count, end_effects, window
from emu.observe.snapshot import any_pir
from emu.posted_intr import POSTED_INTR_ON, pi_nv
from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from emu.waist import BIT, apic_pending, ipis_in_flight, local_read, local_write, mark, peek

ON_WAS_SET: Final = 1
PIR_WAS_EMPTY: Final = 2
POSTED_WITHOUT_ON: Final = 3
"""What the descriptor held when a vCPU was about to be loaded."""


def probe_sched_out(vcpu: Vcpu) -> None:
    """A vCPU's task is about to leave its pCPU; if it sleeps, publish for instruments what would have to wake it."""
    count(SWITCHES)
    between = this_pcpu().between_check_and_sleep
    if local_read(vcpu.sched.on_rq) != 0:
        if local_read(between) != 0:
            window(PREEMPTED_BEFORE_SLEEP)
    else:
        above = apic_ppr(vcpu) & 0xF0 if local_read(vcpu.guest.rflags_if) != 0 else 0xF0
        mark(vcpu.sleeps_above, above)
        mark(vcpu.sleeps_with, apic_find_highest_irr(vcpu) + 1)
    local_write(between, 0)
    if apic_pending() != 0 or ipis_in_flight() != 0:
        window(LEFT_WITH_IPI)


def probe_pi_load(vcpu: Vcpu, cpu: int) -> int:
    """A vCPU is about to be loaded, perhaps on another pCPU than before; return what :func:`probe_pi_loaded` needs."""
    if peek(vcpu.cpu) != cpu:
        count(MIGRATIONS)
        window(MIGRATED)
    if peek(vcpu.pi_desc.control) & BIT(POSTED_INTR_ON) != 0:
        return ON_WAS_SET
    return PIR_WAS_EMPTY if any_pir(vcpu.pi_desc.pir) == 0 else POSTED_WITHOUT_ON


def probe_pi_loaded(vcpu: Vcpu, before: int) -> None:
    """It is loaded: ON may have been set for what was posted while SN was, or somebody has posted meanwhile."""
    if before != ON_WAS_SET and peek(vcpu.pi_desc.control) & BIT(POSTED_INTR_ON) != 0:
        window(ON_REPAIRED if before == POSTED_WITHOUT_ON else POSTED_WHILE_LOADING)


def probe_pi_put(vcpu: Vcpu) -> None:
    """A vCPU is put off its pCPU: if it blocks with ON set, a wake-up is due at once."""
    control = peek(vcpu.pi_desc.control)
    if pi_nv(control) == POSTED_INTR_WAKEUP_VECTOR and control & BIT(POSTED_INTR_ON) != 0:
        window(ON_SET_AT_PUT)


def probe_wakeup_begin() -> None:
    """The handler of the wake-up vector begins."""
    begin_effects()
    local_write(this_pcpu().in_wakeup_handler, 1)


def probe_wakeup_end() -> None:
    """It ends."""
    local_write(this_pcpu().in_wakeup_handler, 0)
    end_effects()
