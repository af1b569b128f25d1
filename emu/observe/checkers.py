"""The checkers: what must hold, evaluated by the vCPU's own thread while the machine runs on.

A sighting is recorded, then put right, so that the run goes on and sightings have a rate.
"""

from __future__ import annotations

from emu.kvm_host import KICKED_REQUESTS, TASK_RUNNING
from emu.lapic_regs import apic_find_highest_irr, apic_ppr, find_highest_vector
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, Vcpu, config
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
    C12,
    IPIS_ELIDED,
    SELF_IPIS_SENT,
    SELF_POSTS_ON_IN_GUEST,
    SNAPSHOTS,
)
from emu.observe.conservation import balance, lost_slot, unread_mail
from emu.observe.ghost import count, counted
from emu.observe.sightings import promised, sighting
from emu.observe.snapshot import any_pir, highest_pir, nothing_on_its_way, quiet_stamp, stamp, still
from emu.posted_intr import POSTED_INTR_ON, POSTED_INTR_SN
from emu.vectors import SLOTS, vector_of
from emu.waist import BIT, WRITE_ONCE, clear_bit, ipis_in_flight, local_read, local_write, one_in, peek


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
    """C1, C4, C5, C9 and C12, in non-root mode at a moment when no virtual interrupt is recognised.

    Return 1 if the vCPU is owed a look at its PIR: the caller puts that right.
    """
    thorough = one_in(local_read(config().sampling)) != 0
    posted = any_pir(vcpu.pi_desc.pir) != 0
    requested = peek(vcpu.requests) & KICKED_REQUESTS != 0
    if posted or requested or thorough or signalled(vcpu) != 0:
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
    unheeded = signalled(vcpu) != 0
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
        if unheeded and promised(C12) != 0:
            unheeded_signal(vcpu)
    if lost >= 0 and promised(C5) != 0:
        sighting(vcpu, C5, vector_of(lost))
        balance(vcpu, lost)
    if unannounced:
        sighting(vcpu, C4, highest_pir(vcpu))
    return 1 if posted and (unannounced or (quiet and asked)) else 0


def signalled(vcpu: Vcpu) -> int:
    """Return whether a signal waits for the vCPU, in a scenario that has signals."""
    return peek(vcpu.signal_pending) if local_read(config().signals) != 0 else 0


def unheeded_signal(vcpu: Vcpu) -> None:
    """C12: a signal waits, nobody is sending one, and the vCPU is in the guest or asleep: record it and take it."""
    sighting(vcpu, C12, -1)
    clear_bit(0, vcpu.signal_pending)


def put_rvi_right(vcpu: Vcpu) -> None:
    """Write the RVI that goes with the vIRR."""
    local_write(vcpu.vmcs.rvi, max(apic_find_highest_irr(vcpu), 0))


def wake_the_overlooked(vcpu: Vcpu) -> None:
    """Make the task look once more, with nothing in the way. The vCPU's own thread idles here: no IPI is needed."""
    local_write(vcpu.vmcs.guest_interruptibility_info, 0)
    WRITE_ONCE(vcpu.wait.state, TASK_RUNNING)


def drop_requests(vcpu: Vcpu) -> None:
    """Clear the requests of kicks that did not reach the vCPU."""
    for req in range(16):
        if KICKED_REQUESTS & BIT(req) != 0:
            clear_bit(req, vcpu.requests)


def check_sleep(vcpu: Vcpu) -> int:
    """C2, C7 and C12 about a vCPU that has gone to sleep; 1 if the snapshot was quiet and all is well."""
    before = quiet_stamp()
    if before < 0:
        return 0
    lost = deliverable_vector(vcpu)
    broken = promise_is_open(vcpu)
    unheeded = signalled(vcpu) != 0 and promised(C12) != 0
    if still(before) == 0:
        return 0
    overlooked = lost >= 0 and promised(C2) != 0
    untold = broken != 0 and promised(C7) != 0
    if not overlooked and not untold and not unheeded:
        return 1
    if unheeded:
        unheeded_signal(vcpu)
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
    """C10 and C8, all being silent and all that was sent having arrived: every mailbox is read, the counts add up.

    Where vCPUs are tasks an idle pCPU may begin to post meanwhile: then nothing is said of that mailbox.
    """
    before = stamp()
    for slot in range(SLOTS):
        if unread_mail(vcpu, slot) != 0 and before >= 0 and stamp() == before and promised(C10) != 0:
            sighting(vcpu, C10, vector_of(slot))
            balance(vcpu, slot)
    if counted(SELF_POSTS_ON_IN_GUEST) != counted(SELF_IPIS_SENT) + counted(IPIS_ELIDED) and promised(C8) != 0:
        sighting(vcpu, C8, -1)
    policy = local_read(config().policy)
    if policy == ALWAYS_2021 and counted(IPIS_ELIDED) != 0:
        sighting(vcpu, C8, -1)
    if policy == ELIDE_SELF_2022 and counted(SELF_IPIS_SENT) != 0:
        sighting(vcpu, C8, -1)
