"""The checkers: what must hold, evaluated by the vCPU's own thread while the machine runs on.

A snapshot counts only if every pCPU's *inside* mark is even and equal before and after it, and no IPI to this pCPU is
in flight or pending. Why that is exact on x86: a sender publishes its mark (a plain store) before its first locked
operation, which drains the store buffer, so whoever sees the effect sees the mark odd; it counts an IPI before the
message leaves and lowers the mark last, so whoever sees the mark even sees the IPI counted. No verdict uses time.

A sighting is recorded, then put right, so that the run goes on and sightings have a rate.
"""

from __future__ import annotations

from typing import Final

from emu.kvm_host import KICKED_REQUESTS, TASK_RUNNING
from emu.lapic_regs import apic_find_highest_irr, apic_ppr, apic_test_vector, find_highest_vector, highest_of
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, MAX_PCPUS, USER, Vcpu, config, machine, this_pcpu
from emu.memory import Words
from emu.observe.accounting import (
    C1,
    C2,
    C3,
    C4,
    C5,
    C7,
    C8,
    C9,
    C10,
    IPIS_ELIDED,
    RECORD_WORDS,
    SELF_IPIS_SENT,
    SELF_POSTS_ON_IN_GUEST,
    SNAPSHOTS,
    VM_ENTRIES,
)
from emu.observe.ghost import count, counted
from emu.observe.tracepoints import trace_sighting
from emu.posted_intr import POSTED_INTR_ON, POSTED_INTR_SN
from emu.vectors import SLOTS, vector_of
from emu.waist import (
    BIT,
    WRITE_ONCE,
    apic_pending,
    clear_bit,
    ipis_in_flight,
    local_read,
    local_write,
    mark,
    one_in,
    peek,
)

USER_UNPROMISED: Final = 0
"""A bit for each check, by its number, that a user's own rule does not promise to hold: the loader puts here what
``CHECKS`` of the rule's file leaves out."""


def sighting(vcpu: Vcpu, check: int, vector: int) -> None:
    """Record that a check fired: all are counted, the first one's circumstances are kept."""
    cpu = this_pcpu()
    base = check * RECORD_WORDS
    seen = local_read(cpu.records[base])
    if seen == 0:
        local_write(cpu.records[base + 2], peek(vcpu.mode))
        local_write(cpu.records[base + 3], highest_pir(vcpu))
        local_write(cpu.records[base + 4], peek(vcpu.pi_desc.control))
        local_write(cpu.records[base + 5], local_read(vcpu.vmcs.rvi))
        local_write(cpu.records[base + 6], local_read(vcpu.guest.turn))
        local_write(cpu.records[base + 7], counted(VM_ENTRIES))
        local_write(cpu.records[base + 1], vector)  # behind all looks: the explorer reads both words in one go
    local_write(cpu.records[base], seen + 1)
    local_write(cpu.sightings, local_read(cpu.sightings) + 1)
    trace_sighting(check, vector)


def promised(check: int) -> int:
    """Return whether the rule under test promises what a check asks for: all do, but a user's own may not."""
    return 0 if local_read(config().policy) == USER and USER_UNPROMISED & BIT(check) != 0 else 1


def any_pir(pir: Words) -> int:
    """Look, as an instrument, whether any PIR bit is set: non-zero if so."""
    return peek(pir[0]) | peek(pir[1]) | peek(pir[2]) | peek(pir[3])


def highest_pir(vcpu: Vcpu) -> int:
    """Return the highest vector in the PIR as an instrument sees it, or -1."""
    pir = vcpu.pi_desc.pir
    return highest_of(peek(pir[0]), peek(pir[1]), peek(pir[2]), peek(pir[3]))


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


def check_vm_entry(vcpu: Vcpu) -> None:
    """C3: RVI is the highest vIRR at VM-entry. C7: no ON is set of which the vCPU was not notified."""
    if local_read(vcpu.vmcs.rvi) != max(apic_find_highest_irr(vcpu), 0) and promised(C3) != 0:
        sighting(vcpu, C3, apic_find_highest_irr(vcpu))
        put_rvi_right(vcpu)
    if peek(vcpu.pi_desc.control) & BIT(POSTED_INTR_ON) != 0:
        check_promise(vcpu)


def check_promise(vcpu: Vcpu) -> None:
    """C7: a sender that set ON and notified nobody promised a look at the PIR, which was not taken."""
    before = quiet_stamp()
    if before < 0:
        return
    broken = promise_is_open(vcpu)
    if broken != 0 and still(before) != 0 and promised(C7) != 0:
        sighting(vcpu, C7, highest_pir(vcpu))


def promise_is_open(vcpu: Vcpu) -> int:
    """Return whether ON is set and belongs to a generation that a sender set without notifying anybody."""
    if peek(vcpu.pi_desc.control) & BIT(POSTED_INTR_ON) == 0:
        return 0
    generation = peek(vcpu.pi_desc.software[0])
    for i in range(local_read(config().pcpus)):
        if peek(vcpu.untold[i]) == generation + 1:
            return 1
    return 0


def check_stay(vcpu: Vcpu) -> int:
    """C1, C4, C5 and C9, in non-root mode at a moment when no virtual interrupt is recognised.

    Return 1 if the vCPU is owed a look at its PIR: the caller puts that right.
    """
    thorough = one_in(local_read(config().sampling)) != 0
    posted = any_pir(vcpu.pi_desc.pir) != 0
    requested = peek(vcpu.requests) & KICKED_REQUESTS != 0
    if posted or requested or thorough:
        return check_snapshot(vcpu, thorough)
    return 0


def check_snapshot(vcpu: Vcpu, thorough: bool) -> int:
    """Take one snapshot and judge it, in the order of :data:`emu.observe.accounting.CHECKS`; return as check_stay."""
    before = stamp()
    if before < 0:
        return 0
    count(SNAPSHOTS)
    posted = any_pir(vcpu.pi_desc.pir) != 0
    unannounced = posted and peek(vcpu.pi_desc.control) & (BIT(POSTED_INTR_ON) | BIT(POSTED_INTR_SN)) == 0
    quiet = nothing_on_its_way() != 0
    requested = peek(vcpu.requests) & KICKED_REQUESTS != 0
    lost = lost_slot(vcpu) if thorough else -1
    if stamp() != before:
        return 0
    unannounced = unannounced and promised(C4) != 0
    asked = promised(C1) != 0
    if quiet and ipis_in_flight() == 0:
        if posted and asked:
            sighting(vcpu, C1, highest_pir(vcpu))
        elif not posted and asked and local_read(vcpu.vmcs.rvi) != max(apic_find_highest_irr(vcpu), 0):
            sighting(vcpu, C1, apic_find_highest_irr(vcpu))
        if requested and promised(C9) != 0:
            sighting(vcpu, C9, -1)
            drop_requests(vcpu)
    if lost >= 0 and promised(C5) != 0:
        sighting(vcpu, C5, vector_of(lost))
        balance(vcpu, lost)
    if unannounced:
        sighting(vcpu, C4, highest_pir(vcpu))
    return 1 if posted and (unannounced or (quiet and asked)) else 0


def put_rvi_right(vcpu: Vcpu) -> None:
    """Write the RVI that goes with the vIRR."""
    local_write(vcpu.vmcs.rvi, max(apic_find_highest_irr(vcpu), 0))


def wake_the_overlooked(vcpu: Vcpu) -> None:
    """Make the task look once more. The vCPU's own thread idles here, so no IPI is needed."""
    WRITE_ONCE(vcpu.wait.state, TASK_RUNNING)


def drop_requests(vcpu: Vcpu) -> None:
    """Clear the requests of kicks that did not reach the vCPU."""
    for req in range(16):
        if KICKED_REQUESTS & BIT(req) != 0:
            clear_bit(req, vcpu.requests)


def lost_slot(vcpu: Vcpu) -> int:
    """C5: return a slot of which posts accepted != delivered + merged + waiting, or -1.

    Accepted and self-sent = delivered + merged + waiting in the PIR + waiting in the vIRR; and a vector that waits
    nowhere has every mailbox acknowledged.
    """
    for slot in range(SLOTS):
        if imbalance(vcpu, slot) != 0 or unread_mail(vcpu, slot) != 0:
            return slot
    return -1


def imbalance(vcpu: Vcpu, slot: int) -> int:
    """Return accepted - delivered - merged - waiting for one slot; 0 if nothing is lost or made up."""
    vector = vector_of(slot)
    books = peek(vcpu.self_ipis[slot]) - peek(vcpu.delivered[slot]) - peek(vcpu.merged[slot])
    for i in range(local_read(config().pcpus)):
        books += peek(machine().pcpus[i].accepted[local_read(vcpu.id) * SLOTS + slot])
    return books - waiting(vcpu, vector)


def waiting(vcpu: Vcpu, vector: int) -> int:
    """Count where a vector waits: PIR bit and vIRR bit."""
    in_pir = 1 if peek(vcpu.pi_desc.pir[vector >> 6]) & BIT(vector & 63) != 0 else 0
    return in_pir + apic_test_vector(vector, vcpu.apic.virr)


def unread_mail(vcpu: Vcpu, slot: int) -> int:
    """Return whether a vector waits nowhere although a mailbox of it has not been read to the end."""
    if waiting(vcpu, vector_of(slot)) != 0:
        return 0
    for i in range(local_read(config().pcpus)):
        box = slot * MAX_PCPUS + i
        newest = peek(vcpu.mail[box])
        if newest != peek(vcpu.acknowledged[box]) and is_demanded(vcpu, box, newest) != 0:
            return 1
    return 0


def is_demanded(vcpu: Vcpu, box: int, newest: int) -> int:
    """Return whether a number that was not read came with an interrupt that the APIC accepted."""
    if newest != peek(vcpu.refused[box]):
        return 1
    return 1 if peek(vcpu.acknowledged[box]) < peek(vcpu.accepted_before[box]) else 0


def balance(vcpu: Vcpu, slot: int) -> None:
    """Make the counts of a slot agree, so that one loss is one sighting."""
    mark(vcpu.merged[slot], peek(vcpu.merged[slot]) + imbalance(vcpu, slot))
    for i in range(local_read(config().pcpus)):
        mark(vcpu.acknowledged[slot * MAX_PCPUS + i], peek(vcpu.mail[slot * MAX_PCPUS + i]))


def check_sleep(vcpu: Vcpu) -> int:
    """C2 and C7 about a vCPU that has gone to sleep; 1 if the snapshot was quiet and all is well."""
    before = quiet_stamp()
    if before < 0:
        return 0
    lost = deliverable_vector(vcpu)
    broken = promise_is_open(vcpu)
    if still(before) == 0:
        return 0
    overlooked = lost >= 0 and promised(C2) != 0
    untold = broken != 0 and promised(C7) != 0
    if not overlooked and not untold:
        return 1
    if overlooked:
        sighting(vcpu, C2, lost)
    if untold:
        sighting(vcpu, C7, highest_pir(vcpu))
    wake_the_overlooked(vcpu)
    return 0


def deliverable_vector(vcpu: Vcpu) -> int:
    """Return the highest vector in PIR or vIRR if the guest would take it now, else -1; a stale PPR is no excuse."""
    highest = max(highest_pir(vcpu), find_highest_vector(vcpu.apic.virr))
    if local_read(vcpu.guest.rflags_if) != 0 and highest & 0xF0 > apic_ppr(vcpu) & 0xF0:
        return highest if highest >= 0 else -1
    return -1


def check_the_end(vcpu: Vcpu) -> None:
    """C10 and C8, all being silent and all that was sent having arrived: every mailbox is read, the counts add up."""
    for slot in range(SLOTS):
        if unread_mail(vcpu, slot) != 0 and promised(C10) != 0:
            sighting(vcpu, C10, vector_of(slot))
            balance(vcpu, slot)
    if counted(SELF_POSTS_ON_IN_GUEST) != counted(SELF_IPIS_SENT) + counted(IPIS_ELIDED) and promised(C8) != 0:
        sighting(vcpu, C8, -1)
    policy = local_read(config().policy)
    if policy == ALWAYS_2021 and counted(IPIS_ELIDED) != 0:
        sighting(vcpu, C8, -1)
    if policy == ELIDE_SELF_2022 and counted(SELF_IPIS_SENT) != 0:
        sighting(vcpu, C8, -1)
