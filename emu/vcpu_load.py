"""A vCPU gets on its pCPU and off it: the preempt notifiers of kvm_main.c, and what ``vcpu_load`` calls (fact 3.6)."""

from __future__ import annotations

from emu.cpu import (
    kvm_clear_running_vcpu,
    kvm_get_running_vcpu,
    kvm_set_running_vcpu,
    preempt_disable,
    preempt_enable_no_resched,
)
from emu.machine import Vcpu, config, smp_processor_id
from emu.observe.probes.sched import probe_pi_load, probe_pi_loaded, probe_pi_put
from emu.pi_block import pi_load_until_5_16, pi_put_until_5_16
from emu.vmx_pi import vmx_vcpu_pi_load, vmx_vcpu_pi_put
from emu.waist import WRITE_ONCE, local_read, local_write


def kvm_arch_vcpu_load(vcpu: Vcpu, cpu: int) -> None:
    """Load the vCPU on a pCPU. Where no vCPU ever leaves its own it has been loaded before the start."""
    if local_read(config().task_pcpus) != 0:
        before = probe_pi_load(vcpu, cpu)
        if local_read(config().pi_pre_block) == 0:
            vmx_vcpu_pi_load(vcpu, cpu)
        else:
            pi_load_until_5_16(vcpu, cpu)
        probe_pi_loaded(vcpu, before)
        WRITE_ONCE(vcpu.cpu, cpu)


def kvm_arch_vcpu_put(vcpu: Vcpu) -> None:
    """Put the vCPU off its pCPU."""
    if local_read(config().task_pcpus) != 0:
        if local_read(config().pi_pre_block) == 0:
            vmx_vcpu_pi_put(vcpu)
        else:
            pi_put_until_5_16(vcpu)
        probe_pi_put(vcpu)


def vcpu_load(vcpu: Vcpu) -> None:
    """Load the vCPU on this pCPU, whose task is going to run it. No task waits for the pCPU yet."""
    preempt_disable()
    kvm_set_running_vcpu(vcpu)
    kvm_arch_vcpu_load(vcpu, smp_processor_id())
    preempt_enable_no_resched()


def vcpu_put(vcpu: Vcpu) -> None:
    """Put it off: its task runs it no longer."""
    preempt_disable()
    kvm_arch_vcpu_put(vcpu)
    kvm_clear_running_vcpu()
    preempt_enable_no_resched()


def kvm_sched_out(vcpu: Vcpu) -> None:
    """The vCPU's task is no longer current. Interrupts are off; a task that stays runnable is preempted."""
    if local_read(config().task_pcpus) != 0:
        local_write(vcpu.preempted, local_read(vcpu.sched.on_rq))
    kvm_arch_vcpu_put(vcpu)
    if vcpu == kvm_get_running_vcpu():
        kvm_clear_running_vcpu()


def kvm_sched_in(vcpu: Vcpu) -> None:
    """The vCPU's task is current again, perhaps on another pCPU.

    Interrupts are on and preemption is off (from memory: ``finish_task_switch`` calls the notifiers last).
    """
    local_write(vcpu.preempted, 0)
    kvm_set_running_vcpu(vcpu)
    kvm_arch_vcpu_load(vcpu, smp_processor_id())
