"""Repair of a sighting, so that the run goes on: the one instrument that calls the machine. The workload calls it."""

from __future__ import annotations

from emu.machine import Vcpu
from emu.posted_intr import POSTED_INTR_ON
from emu.vmx_intr import vmx_sync_pir_to_irr
from emu.waist import set_bit


def put_right(vcpu: Vcpu) -> None:
    """Deliver what was owed."""
    set_bit(POSTED_INTR_ON, vcpu.pi_desc.control)
    vmx_sync_pir_to_irr(vcpu)
