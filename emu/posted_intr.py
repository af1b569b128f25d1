"""The posted-interrupt descriptor: PIR and the control word with ON, SN, NV and NDST (fact 1)."""

from __future__ import annotations

from typing import Final

from emu.machine import PiDesc
from emu.waist import BIT, READ_ONCE, clear_bit, set_bit, test_and_clear_bit, test_and_set_bit

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


def pi_set_on(pi_desc: PiDesc) -> None:
    """Set outstanding notification."""
    set_bit(POSTED_INTR_ON, pi_desc.control)


def pi_set_sn(pi_desc: PiDesc) -> None:
    """Set suppress notification: whoever posts without KVM notifies nobody from now on."""
    set_bit(POSTED_INTR_SN, pi_desc.control)


def pi_test_and_clear_sn(pi_desc: PiDesc) -> int:
    """Clear suppress notification; 1 if it was set."""
    return test_and_clear_bit(POSTED_INTR_SN, pi_desc.control)


def pi_is_pir_empty(pi_desc: PiDesc) -> int:
    """Read the PIR, word by word, up to the first that is not empty."""
    pir = pi_desc.pir
    if READ_ONCE(pir[0]) != 0:
        return 0
    if READ_ONCE(pir[1]) != 0:
        return 0
    if READ_ONCE(pir[2]) != 0:
        return 0
    return 1 if READ_ONCE(pir[3]) == 0 else 0


def pi_nv(control: int) -> int:
    """Return the notification vector that a control word names."""
    return control >> NV_SHIFT & 0xFF


def pi_ndst(control: int) -> int:
    """Return the pCPU that a control word names (an x2APIC id)."""
    return control >> NDST_SHIFT & 0xFFFF_FFFF
