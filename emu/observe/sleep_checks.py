"""Checks of what is off a pCPU: tasks that sleep, the wake-up list, a pCPU that halts. The idle task makes them.

A vCPU that sleeps has published what would have to wake it (emu.observe.probes.sched): its own words are not looked at.
Whoever wakes it is *inside* from before to after, so a snapshot that holds is one of a vCPU that slept all the while.
"""

from __future__ import annotations

from typing import Final

from emu.kvm_host import TASK_ASLEEP
from emu.machine import Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.accounting import C2, C6, C7, C13
from emu.observe.checkers import promise_is_open
from emu.observe.sightings import promised, sighting
from emu.observe.snapshot import highest_pir, quiet_stamp, still
from emu.posted_intr import POSTED_INTR_SN, pi_ndst, pi_nv
from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from emu.waist import BIT, local_read, peek

SOUND: Final = 1
OVERLOOKED: Final = 2
"""What is found out about the sleep of a vCPU."""


def check_halt() -> int:
    """C13: a pCPU that halts has nothing to run, nor will anything make it: 1 if it has."""
    rq = this_pcpu().rq
    if peek(rq.need_resched) == 0 and peek(rq.queued) == 0:
        return 0
    before = quiet_stamp()
    if before < 0:
        return 0
    waits = peek(rq.need_resched) | peek(rq.queued)
    if waits == 0 or still(before) == 0 or promised(C13) == 0:
        return 0
    sighting(machine().vcpus[0], C13, -1)
    return 1


def check_task_sleep(vcpu: Vcpu) -> int:
    """C2, C6 and C7 about a vCPU whose task sleeps; SOUND, OVERLOOKED, or 0: the snapshot was not quiet.

    A vCPU that is on the wrong list is not overlooked yet.
    """
    before = quiet_stamp()
    if before < 0:
        return 0
    lost = deliverable_asleep(vcpu)
    broken = promise_is_open(vcpu)
    misplaced = misplaced_asleep(vcpu)
    asleep = peek(vcpu.wait.state) == TASK_ASLEEP
    if still(before) == 0 or not asleep:
        return 0
    overlooked = lost >= 0 and promised(C2) != 0
    untold = broken != 0 and promised(C7) != 0
    if overlooked:
        sighting(vcpu, C2, lost)
    if untold:
        sighting(vcpu, C7, highest_pir(vcpu))
    if misplaced != 0 and promised(C6) != 0:
        sighting(vcpu, C6, -1)
    return OVERLOOKED if overlooked or untold else SOUND


def deliverable_asleep(vcpu: Vcpu) -> int:
    """Return the highest vector that a vCPU would take if it were woken, else -1."""
    highest = max(highest_pir(vcpu), peek(vcpu.sleeps_with) - 1)
    return highest if highest & 0xF0 > peek(vcpu.sleeps_above) and highest >= 0 else -1


def listed(vcpu: Vcpu) -> int:
    """Return on which wake-up lists a vCPU is: a bit for each pCPU."""
    lists = 0
    for cpu in range(local_read(config().task_pcpus)):
        if peek(machine().pcpus[cpu].wakeup.vcpus) & BIT(local_read(vcpu.id)) != 0:
            lists |= BIT(cpu)
    return lists


def misplaced_asleep(vcpu: Vcpu) -> int:
    """C6, asleep: return whether NV says that the vCPU is on the list of NDST's pCPU and it is not, or the reverse."""
    control = peek(vcpu.pi_desc.control)
    expected = BIT(pi_ndst(control)) if pi_nv(control) == POSTED_INTR_WAKEUP_VECTOR else 0
    return 1 if listed(vcpu) != expected else 0


def check_loaded(vcpu: Vcpu) -> None:
    """C6 at VM-entry: a vCPU that runs is on no list, its notifications come here, and none is suppressed."""
    control = peek(vcpu.pi_desc.control)
    here = pi_nv(control) != POSTED_INTR_WAKEUP_VECTOR and pi_ndst(control) == smp_processor_id()
    if (not here or control & BIT(POSTED_INTR_SN) != 0 or listed(vcpu) != 0) and promised(C6) != 0:
        sighting(vcpu, C6, -1)
