"""kernel/sched/core.c: tasks, their run queues, switches and wake-ups.

A vCPU is a task. A task is named by 1 + the vCPU's number; 0 is the idle task of whichever pCPU. The run queue has no
lock here: a bit for each task that is runnable and runs nowhere, put in and taken out by one locked operation, so that
whoever takes a task out has it for himself. The one that runs is in no queue. Of the scheduling classes nothing is left
but a choice; what the races are about is kept: a task may not be resumed before its stack is free (``on_cpu``), and
``TIF_NEED_RESCHED`` is set before the reschedule IPI leaves, and cleared before the queue is looked at.
"""

from __future__ import annotations

from emu.cpu import (
    apic_send_IPI,
    kvm_get_running_vcpu,
    local_irq_disable,
    local_irq_enable,
    preempt_disable,
    preempt_enable_no_resched,
)
from emu.kvm_host import TASK_ASLEEP, TASK_DEAD, TASK_INTERRUPTIBLE, TASK_RUNNING
from emu.machine import Task, Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.probes.post import probe_effects_begin, probe_effects_end
from emu.observe.probes.sched import probe_sched_out
from emu.observe.probes.wake import probe_waking
from emu.observe.tracepoints import trace_sched_switch, trace_sched_waking
from emu.vcpu_load import kvm_sched_in, kvm_sched_out
from emu.vectors import RESCHEDULE_VECTOR
from emu.waist import (
    BIT,
    READ_ONCE,
    WRITE_ONCE,
    atomic_inc,
    choose,
    clear_bit,
    cmpxchg,
    fls64,
    local_read,
    local_write,
    set_bit,
    smp_load_acquire,
    smp_store_release,
    switch_to,
    test_and_clear_bit,
    test_and_set_bit,
    xchg,
)


def task_of(number: int) -> Task:
    """Return a task: a vCPU's, or the idle task of this pCPU."""
    if number != 0:
        return machine().vcpus[number - 1].sched
    return this_pcpu().rq.idle


def need_resched() -> int:
    """Return whether the task that runs here shall make room."""
    if local_read(config().task_pcpus) == 0:
        return 0
    return READ_ONCE(this_pcpu().rq.need_resched)


def resched_curr(cpu: int) -> None:
    """Ask the task that runs on a pCPU to make room. Whoever finds the flag set leaves the IPI to who set it."""
    if test_and_set_bit(0, machine().pcpus[cpu].rq.need_resched) != 0:
        return
    if cpu == smp_processor_id():
        local_write(this_pcpu().irq.need_resched, 1)
    else:
        apic_send_IPI(cpu, RESCHEDULE_VECTOR)


def scheduler_tick() -> None:
    """End the time slice if another task waits here; an idle pCPU looks whether one waits elsewhere."""
    me = smp_processor_id()
    waits = READ_ONCE(this_pcpu().rq.queued)
    if waits == 0 and local_read(this_pcpu().rq.curr) == 0:
        for cpu in range(local_read(config().task_pcpus)):
            waits |= READ_ONCE(machine().pcpus[cpu].rq.queued)
    if waits != 0:
        resched_curr(me)


def try_to_wake_up(vcpu: Vcpu) -> int:
    """Make the vCPU's task runnable; 1 if it was not. A task that is off the run queue takes a reschedule IPI."""
    state = xchg(vcpu.wait.state, TASK_RUNNING)
    if state == TASK_RUNNING:
        return 0
    trace_sched_waking(vcpu, state)
    probe_waking(state)
    if local_read(config().task_pcpus) != 0:
        if state == TASK_ASLEEP:
            ttwu_queue(vcpu)
        return 1
    cpu = READ_ONCE(vcpu.cpu)
    if state == TASK_ASLEEP and cpu != smp_processor_id():
        apic_send_IPI(cpu, RESCHEDULE_VECTOR)
    return 1


def ttwu_queue(vcpu: Vcpu) -> None:
    """Queue a task that was woken: on its own pCPU while that is still switching away from it, else on any that may."""
    task = vcpu.sched
    cpu = READ_ONCE(task.cpu)
    if smp_load_acquire(task.on_cpu) == 0:
        cpu = select_task_rq(task, cpu)
        WRITE_ONCE(task.cpu, cpu)
    set_bit(local_read(vcpu.id), machine().pcpus[cpu].rq.queued)
    resched_curr(cpu)


def select_task_rq(task: Task, cpu: int) -> int:
    """Choose a pCPU for a task that wakes: any that its affinity allows, else the one before."""
    chosen = choose(local_read(config().task_pcpus))
    return chosen if local_read(task.allowed) & BIT(chosen) != 0 else cpu


def pick_next_task(curr: int) -> int:
    """Take the next task out of the queue, another than ``curr`` if one waits; 0: none waits that may run here."""
    queued = this_pcpu().rq.queued
    mine = BIT(curr - 1) if curr != 0 else 0
    waits = READ_ONCE(queued)
    while waits != 0:
        others = waits & ~mine
        number = fls64(others if others != 0 else waits) - 1
        if test_and_clear_bit(number, queued) != 0:
            return number + 1
        waits = READ_ONCE(queued)
    return newidle_balance()


def newidle_balance() -> int:
    """Pull a task that waits on another pCPU and whose stack is free; 0 if there is none."""
    me = smp_processor_id()
    for cpu in range(local_read(config().task_pcpus)):
        if cpu != me:
            waits = READ_ONCE(machine().pcpus[cpu].rq.queued)
            if waits != 0 and detach_task(fls64(waits) - 1, cpu, me) != 0:
                return fls64(waits)
    return 0


def detach_task(number: int, cpu: int, me: int) -> int:
    """Take a task out of another pCPU's queue; 0 if it may not run here, or its stack is still in use there."""
    task = machine().vcpus[number].sched
    queued = machine().pcpus[cpu].rq.queued
    if local_read(task.allowed) & BIT(me) == 0 or smp_load_acquire(task.on_cpu) != 0:
        return 0
    if test_and_clear_bit(number, queued) == 0:
        return 0
    if smp_load_acquire(task.on_cpu) == 0:
        return 1
    probe_effects_begin()  # it has run there meanwhile, and is just being switched away from once more
    set_bit(number, queued)
    resched_curr(cpu)
    probe_effects_end()
    return 0


def prepare_task(task: Task) -> None:
    """Take a task's stack into use here."""
    WRITE_ONCE(task.on_cpu, 1)
    WRITE_ONCE(task.cpu, smp_processor_id())


def finish_task_switch() -> None:
    """Free the stack of the task that this pCPU has just left: from now on others may resume it."""
    prev = local_read(this_pcpu().rq.prev)
    if prev != 0:
        local_write(this_pcpu().rq.prev, 0)
        smp_store_release(task_of(prev).on_cpu, 0)


def context_switch(prev: int, nxt: int) -> None:
    """Leave the task ``prev``, which calls this, for another; comes back, interrupts on, when somebody resumes it."""
    registered = 0
    if prev != 0:
        vcpu = machine().vcpus[prev - 1]
        registered = 1 if kvm_get_running_vcpu() == vcpu else 0
        trace_sched_switch(vcpu, 0)
        if registered != 0:
            probe_sched_out(vcpu)
            kvm_sched_out(vcpu)
    if nxt != 0:
        prepare_task(task_of(nxt))
    local_write(this_pcpu().rq.prev, prev)
    local_write(this_pcpu().rq.curr, nxt)
    switch_to(task_of(prev).context, task_of(nxt).context)
    finish_task_switch()
    local_irq_enable()
    if registered != 0:
        kvm_sched_in(machine().vcpus[prev - 1])
        trace_sched_switch(machine().vcpus[prev - 1], 1)


def __schedule(preempt: int) -> None:
    """Let another task run, if one waits or the one that runs goes to sleep. Preemption is off.

    One that is preempted stays runnable whatever its state, so that it decides by itself whether it sleeps.
    """
    local_irq_disable()
    curr = local_read(this_pcpu().rq.curr)
    clear_bit(0, this_pcpu().rq.need_resched)
    local_write(this_pcpu().irq.need_resched, 0)
    if curr != 0:
        vcpu = machine().vcpus[curr - 1]
        local_write(vcpu.sched.on_rq, 1)
        if preempt == 0 and leaves_the_queue(vcpu) != 0:
            local_write(vcpu.sched.on_rq, 0)
        else:
            set_bit(curr - 1, this_pcpu().rq.queued)
    nxt = pick_next_task(curr)
    if nxt != curr:
        context_switch(curr, nxt)
    local_irq_enable()


def leaves_the_queue(vcpu: Vcpu) -> int:
    """Take a task at its word that wants to sleep, unless a waker came first; 1 if it sleeps now, or has ended."""
    state = READ_ONCE(vcpu.wait.state)
    if state != TASK_INTERRUPTIBLE:
        return 1 if state == TASK_DEAD else 0
    return 1 if cmpxchg(vcpu.wait.state, TASK_INTERRUPTIBLE, TASK_ASLEEP) == TASK_INTERRUPTIBLE else 0


def schedule_task() -> None:
    """Give up the pCPU (``schedule``)."""
    preempt_disable()
    __schedule(0)
    preempt_enable_no_resched()


def do_task_dead(vcpu: Vcpu) -> None:
    """Leave the pCPU for good."""
    WRITE_ONCE(vcpu.wait.state, TASK_DEAD)
    atomic_inc(machine().ended)
    preempt_disable()
    __schedule(0)


def preemptible() -> int:
    """Return whether the task that runs here may be preempted now.

    A task is not preempted between the first and the last effect of a delivery: instruments note those for each pCPU.
    """
    irq = this_pcpu().irq
    return 1 if local_read(irq.preempt_count) == 0 and local_read(irq.inside_depth) == 0 else 0


def preempt_schedule() -> None:
    """Let another task run in the place of the one that runs here (``preempt_schedule``, ``preempt_schedule_irq``)."""
    preempt_disable()
    __schedule(1)
    preempt_enable_no_resched()


def preempt_enable() -> None:
    """Allow the scheduler to take the pCPU away; it may want to at once."""
    preempt_enable_no_resched()
    if (
        local_read(this_pcpu().irq.need_resched) != 0
        and preemptible() != 0
        and local_read(this_pcpu().irq.enabled) != 0
    ):
        preempt_schedule()
