"""Consistent snapshots, taken while the machine runs on.

A snapshot counts only if every pCPU's *inside* mark is even and equal before and after it, and no IPI to this pCPU is
in flight or pending. Why that is exact on x86: a sender publishes its mark (a plain store) before its first locked
operation, which drains the store buffer, so whoever sees the effect sees the mark odd; it counts an IPI before the
message leaves and lowers the mark last, so whoever sees the mark even sees the IPI counted. No verdict uses time.
"""

from __future__ import annotations

from emu.lapic_regs import highest_of
from emu.machine import Vcpu, config, machine
from emu.memory import Words
from emu.waist import apic_pending, ipis_in_flight, local_read, peek


def stamp() -> int:
    """Add up the *inside* marks of all pCPUs; -1 if one of them is inside. Equal sums mean equal marks: they grow."""
    total = 0
    for i in range(local_read(config().pcpus)):
        inside = peek(machine().pcpus[i].marks.inside)
        if inside & 1 != 0:
            return -1
        total += inside
    return total


def nothing_on_its_way() -> int:
    """Return whether no IPI to this pCPU is in flight or pending."""
    if ipis_in_flight() != 0 or apic_pending() != 0:
        return 0
    return 1


def quiet_stamp() -> int:
    """Return the stamp of a quiet machine: nobody inside, nothing on its way to this pCPU; else -1."""
    before = stamp()
    if before < 0 or nothing_on_its_way() == 0:
        return -1
    return before


def still(before: int) -> int:
    """Return whether the machine is still the quiet one of the stamp."""
    if ipis_in_flight() != 0:
        return 0
    return 1 if stamp() == before else 0


def any_pir(pir: Words) -> int:
    """Look, as an instrument, whether any PIR bit is set: non-zero if so."""
    return peek(pir[0]) | peek(pir[1]) | peek(pir[2]) | peek(pir[3])


def highest_pir(vcpu: Vcpu) -> int:
    """Return the highest vector in the PIR as an instrument sees it, or -1."""
    pir = vcpu.pi_desc.pir
    return highest_of(peek(pir[0]), peek(pir[1]), peek(pir[2]), peek(pir[3]))
