"""The posted-interrupt descriptor: PIR and the control word with ON, SN, NV and NDST (fact 1)."""

from __future__ import annotations

from typing import Final

from emu.machine import PiDesc
from emu.waist import BIT, READ_ONCE, clear_bit, test_and_set_bit

POSTED_INTR_ON: Final = 0
POSTED_INTR_SN: Final = 1
NV_SHIFT: Final = 16
NDST_SHIFT: Final = 32


def pi_control(notification_vector: int, destination: int) -> int:
    """Compose a control word with ON and SN clear: NV in bits 16-23, NDST (an x2APIC id) in bits 32-63."""
    return notification_vector << NV_SHIFT | destination << NDST_SHIFT


def pi_test_and_set_pir(vector: int, pi_desc: PiDesc) -> int:
    """Set the request bit of a vector; 1 if it was set already."""
    return test_and_set_bit(vector & 63, pi_desc.pir[vector >> 6])


def pi_test_and_set_on(pi_desc: PiDesc) -> int:
    """Set outstanding notification; 1 if it was set already. Its setter owes the vCPU a look (fact 2.4)."""
    return test_and_set_bit(POSTED_INTR_ON, pi_desc.control)


def pi_test_on(pi_desc: PiDesc) -> int:
    """Read outstanding notification, plainly."""
    return READ_ONCE(pi_desc.control) & BIT(POSTED_INTR_ON)


def pi_clear_on(pi_desc: PiDesc) -> None:
    """Clear outstanding notification and nothing else of the control word."""
    clear_bit(POSTED_INTR_ON, pi_desc.control)
