"""kernel/sched/idle.c: the idle task of a pCPU that runs vCPUs as tasks. The processor halts in it."""

from __future__ import annotations

from emu.cpu import local_irq_disable, local_irq_enable, preempt_disable
from emu.sched import __schedule, need_resched
from emu.waist import all_silent, apic_pending, cpu_relax, say_silent, wait_for_interrupt
from emu.workload.idle_driver import end_of_tasks, idle_turn, tasks_left


def cpu_startup_entry() -> None:
    """Idle, and let tasks run, until all of them have ended. It runs on the process's own stack."""
    preempt_disable()
    local_irq_enable()
    while tasks_left() != 0:
        cpuidle_idle_call()
    end_of_tasks()
    say_silent()
    while all_silent() == 0:
        cpu_relax()


def cpuidle_idle_call() -> None:
    """Halt unless a task shall run here. Nobody may ask for it between the look and the HLT: interrupts are off."""
    local_irq_disable()
    if need_resched() == 0:
        safe_halt()
        local_irq_enable()
    else:
        __schedule(0)


def safe_halt() -> None:
    """STI and HLT in one: an interrupt that is pending, or arrives, ends it, and is taken when interrupts are on again.

    Nothing else ends it, but the test driver, which looks first whether it is sound.
    """
    while apic_pending() == 0 and idle_turn() == 0:
        wait_for_interrupt()
