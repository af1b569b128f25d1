"""What pCPUs do: run vCPUs, or post to one, kick it, or make a device interrupt it."""

from __future__ import annotations

from typing import Final

from emu.cpu import apic_send_IPI, local_irq_enable, preempt_enable_no_resched
from emu.idle import cpu_startup_entry
from emu.iommu import assign_or_remove_device, device_interrupt
from emu.irq import kvm_arch_set_irq_inatomic
from emu.kvm_host import KVM_REQ_TLB_FLUSH
from emu.kvm_main import kvm_make_request, kvm_vcpu_kick
from emu.lapic import hrtimer_interrupt
from emu.machine import Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.ghost import begin_effects, end_effects
from emu.sched import do_task_dead, finish_task_switch
from emu.signal import signal_wake_up
from emu.vectors import DEVICE_VECTOR, LOCAL_TIMER_VECTOR, POST_SLOTS, SLOT_POST, vector_of
from emu.waist import all_silent, choose, cpu_relax, local_read, mark, next_turn, one_in, peek, say_silent
from emu.workload.program import first_actor
from emu.x86 import kvm_arch_vcpu_ioctl_run

ACT_POST: Final = 0
ACT_KICK: Final = 1
ACT_DEVICE: Final = 2
ACT_SIGNAL: Final = 3
ACT_TIMER: Final = 4
ACT_IOMMU: Final = 5
"""A device posts to the descriptor, through the IOMMU."""
ACT_TICK: Final = 6
"""The scheduler's tick on a pCPU that runs tasks."""
ACT_ASSIGN: Final = 7
"""A device is assigned, that can bypass KVM from then on, or is taken away."""
ACTS: Final = 8
"""How many there are."""


def pcpu_thread() -> None:
    """Main loop of one pCPU: the first ones run tasks, or a vCPU each; the others act on vCPUs."""
    me = smp_processor_id()
    if me >= first_actor():
        actor_thread(machine().vcpus[0])
    elif local_read(config().task_pcpus) != 0:
        cpu_startup_entry()
    else:
        kvm_arch_vcpu_ioctl_run(machine().vcpus[me])


def ret_from_fork() -> None:
    """Begin a vCPU's task: what a host resumes when it is switched to for the first time. Does not come back."""
    finish_task_switch()
    preempt_enable_no_resched()
    vcpu = machine().vcpus[local_read(this_pcpu().rq.curr) - 1]
    kvm_arch_vcpu_ioctl_run(vcpu)
    do_task_dead(vcpu)


def actor_thread(vcpu: Vcpu) -> None:
    """Act once, at times more often, in every turn of the environment, until the run is over."""
    local_irq_enable()
    marks = this_pcpu().marks
    turn = next_turn(0)
    while turn != 0:
        act(vcpu)
        if one_in(64) != 0:
            for _ in range(choose(local_read(config().acts_per_turn))):
                act(vcpu)
        mark(marks.turn_done, turn)
        turn = next_turn(peek(marks.turn_done))
    say_silent()
    while all_silent() == 0:
        cpu_relax()


def act(vcpu: Vcpu) -> None:
    """Take one action from the scenario's menu; among tasks, on any vCPU."""
    if local_read(config().task_pcpus) != 0:
        vcpu = machine().vcpus[choose(local_read(config().vcpus))]
    take(vcpu, local_read(config().actor_menu[choose(local_read(config().actor_items))]))


def take(vcpu: Vcpu, item: int) -> None:
    """Take an action."""
    if item == ACT_POST:
        post(vcpu, SLOT_POST + choose(POST_SLOTS))
    elif item == ACT_KICK:
        request(vcpu)
    elif item == ACT_SIGNAL:
        signal(vcpu)
    elif item == ACT_TIMER:
        hrtimer_interrupt(vcpu)
    elif item == ACT_IOMMU:
        device_interrupt(vcpu)
    elif item == ACT_TICK:
        apic_send_IPI(choose(local_read(config().task_pcpus)), LOCAL_TIMER_VECTOR)
    elif item == ACT_ASSIGN:
        assign_or_remove_device()
    else:
        apic_send_IPI(local_read(vcpu.id), DEVICE_VECTOR)


def post(vcpu: Vcpu, slot: int) -> None:
    """Post a vector as a thread of the host does that signals an irqfd."""
    kvm_arch_set_irq_inatomic(vcpu, vector_of(slot))


def request(vcpu: Vcpu) -> None:
    """Make a request that the vCPU has to serve before it runs on, and kick it."""
    begin_effects()
    kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu)
    kvm_vcpu_kick(vcpu)
    end_effects()


def signal(vcpu: Vcpu) -> None:
    """Send the vCPU's task a signal, as another thread of its process does."""
    begin_effects()
    signal_wake_up(vcpu)
    end_effects()
