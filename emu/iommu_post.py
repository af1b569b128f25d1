"""The IOMMU (VT-d): posting an interrupt to a descriptor (fact 1; the order of its steps is from memory).

The hardware does it in one transaction over the whole line; so does the explorer. Where it runs for real it is two
locked operations: the PIR bit, then one cmpxchg on the control word. That loses nothing: the bit is there before ON is,
as it is for KVM's own senders, so whoever clears ON reads the PIR behind it. And it invents nothing but a notification:
if the target has harvested the bit in between, ON is set with an empty PIR, which is legal.
"""

from __future__ import annotations

from emu.cpu import apic_send_IPI
from emu.machine import Vcpu
from emu.posted_intr import POSTED_INTR_ON, POSTED_INTR_SN, pi_ndst, pi_nv, pi_test_and_set_pir
from emu.waist import BIT, READ_ONCE, cmpxchg


def vtd_post(vcpu: Vcpu, vector: int) -> int:
    """Post a vector; return the PIR bit's former value in bit 0, and above it the control word that was found.

    ``URG`` is 0, as Linux programs it: with SN set nothing is sent and ON stays clear.
    """
    control = vcpu.pi_desc.control
    was_set = pi_test_and_set_pir(vector, vcpu.pi_desc)
    found = READ_ONCE(control)
    while found & (BIT(POSTED_INTR_ON) | BIT(POSTED_INTR_SN)) == 0:
        old = found
        found = cmpxchg(control, old, old | BIT(POSTED_INTR_ON))
        if found == old:
            apic_send_IPI(pi_ndst(old), pi_nv(old))
            break
    return found << 1 | was_set
