"""What the test driver does while a pCPU halts: it judges the sleep of pCPU and vCPUs, and goes on with the run.

It is no part of the machine. It wakes a vCPU only after a check has found that nothing else need have woken it.
"""

from __future__ import annotations

from emu.irq import kvm_arch_set_irq_inatomic
from emu.kvm_host import TASK_ASLEEP
from emu.kvm_main import kvm_vcpu_wake_up
from emu.machine import Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.ghost import begin_effects, end_effects
from emu.observe.sleep_checks import OVERLOOKED, check_halt, check_task_sleep
from emu.posted_intr import pi_ndst, pi_nv, pi_set_on
from emu.sched import resched_curr
from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from emu.waist import local_read, local_write, one_in, open_turn, peek, run_goes_on
from emu.workload.liveness import TICK_VECTOR
from emu.workload.program import turn_over


def idle_turn() -> int:
    """Judge and go on, once; return 1 if the processor shall not halt any longer."""
    if tasks_left() == 0:
        return 1
    if check_halt() != 0:
        resched_curr(smp_processor_id())
        return 1
    if turn_over(local_read(this_pcpu().idle_turn)) == 0:
        return 0
    if local_read(config().in_turns) != 0 and idle_opens_turn() != 0:
        return 0
    for i in range(local_read(config().vcpus)):
        if sleeps_here(machine().vcpus[i]) != 0 and wake_if_sound(machine().vcpus[i]) != 0:
            return 1
    return 0


def tasks_left() -> int:
    """Return how many of the vCPUs' tasks have not ended."""
    return local_read(config().vcpus) - peek(machine().ended)


def idle_opens_turn() -> int:
    """Open a turn, most times, so that the others act while vCPUs sleep; 1 if that was done. Turns belong to pCPU 0."""
    if smp_processor_id() != 0:
        return 1 if one_in(4) == 0 else 0
    if run_goes_on() == 0 or one_in(4) != 0:
        return 0
    local_write(this_pcpu().idle_turn, open_turn())
    return 1


def end_of_tasks() -> None:
    """All tasks have ended: see to it that the others hear that the run is over."""
    run_goes_on()


def sleeps_here(vcpu: Vcpu) -> int:
    """Return whether a vCPU's task sleeps, and this is the pCPU that what would wake it is sent to."""
    if peek(vcpu.wait.state) != TASK_ASLEEP or peek(vcpu.sched.on_cpu) != 0:
        return 0
    cpu = notified_at(vcpu) if local_read(config().pi_pre_block) != 0 else peek(vcpu.sched.cpu)
    return 1 if cpu == smp_processor_id() else 0


def notified_at(vcpu: Vcpu) -> int:
    """Return where a vCPU that sleeps is notified: until v5.16 it may sleep on another pCPU than the one whose list."""
    control = peek(vcpu.pi_desc.control)
    return pi_ndst(control) if pi_nv(control) == POSTED_INTR_WAKEUP_VECTOR else peek(vcpu.sched.cpu)


def wake_if_sound(vcpu: Vcpu) -> int:
    """Wake a vCPU that is correctly asleep, or was overlooked; return whether it was woken."""
    found = check_task_sleep(vcpu)
    if found == 0:
        return 0
    if found == OVERLOOKED:
        put_sleeper_right(vcpu)
    else:
        kvm_arch_set_irq_inatomic(vcpu, TICK_VECTOR)
    return 1


def put_sleeper_right(vcpu: Vcpu) -> None:
    """Make a vCPU that was overlooked look at its PIR."""
    begin_effects()
    pi_set_on(vcpu.pi_desc)
    kvm_vcpu_wake_up(vcpu)
    end_effects()
