"""kernel/sched/idle.c: the idle task of a pCPU that runs vCPUs as tasks. The processor halts in it."""

from __future__ import annotations

from emu.cpu import local_irq_disable, local_irq_enable, preempt_disable
from emu.machine import config, machine
from emu.sched import __schedule, need_resched
from emu.waist import READ_ONCE, all_silent, apic_pending, cpu_relax, local_read, say_silent, wait_for_interrupt
from emu.workload.idle_driver import end_of_tasks, idle_turn


def cpu_startup_entry() -> None:
    """Idle, and let tasks run, until all of them have ended. It runs on the process's own stack."""
    preempt_disable()
    local_irq_enable()
    while tasks_left() != 0:
        while need_resched() == 0 and tasks_left() != 0:
            cpuidle_idle_call()
        __schedule(0)
    end_of_tasks()
    say_silent()
    while all_silent() == 0:
        cpu_relax()


def tasks_left() -> int:
    """Return how many of the vCPUs' tasks have not ended."""
    return local_read(config().vcpus) - READ_ONCE(machine().ended)


def cpuidle_idle_call() -> None:
    """Halt unless a task shall run here. Nobody may ask for it between the look and the HLT: interrupts are off."""
    local_irq_disable()
    if need_resched() == 0:
        safe_halt()
    local_irq_enable()


def safe_halt() -> None:
    """STI and HLT in one: an interrupt that is pending, or arrives, ends it, and is taken when interrupts are on again.

    Nothing else ends it, but the test driver, which looks first whether it is sound.
    """
    while apic_pending() == 0 and idle_turn() == 0:
        wait_for_interrupt()
