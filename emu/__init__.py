"""The emulated machine: how Linux KVM delivers posted interrupts on x86, as plain Python functions.

This package is the specification. It calls nothing but the primitives of :mod:`emu.waist`; every host in
:mod:`hosts` gives those primitives a meaning and runs the same functions.

- The modules of this folder are the machine: the kernel's functions under their own names, and what the processor does.
  The table says which kernel file each function is in. One file for each kernel file would need imports in circles,
  which KVM itself avoids by calling through ``kvm_x86_ops``: so ``lapic.c`` is three files here, the registers and the
  harvest of the PIR below ``vmx_intr.py``, the rest above it.
- :mod:`emu.observe` watches the machine. A function of the machine calls a probe or a trace point, in one line; probes
  keep the ghost words and ask checkers. No arrow leads back. Where a user's code stands for functions of the machine,
  instruments attach by a table instead (:mod:`emu.observe.attach`).
- :mod:`emu.workload` drives it: the guest's program, the actions of the other pCPUs, scenarios, the initial state.
- :mod:`emu.c_calls` is what a kernel's own functions in C call besides; it is loaded with them only.
- :mod:`emu.mutations` has the seeded bugs, :mod:`emu.expected` the verdict that each scenario has to give,
  :mod:`emu.history` the real bugs that they stand for,
  :mod:`emu.reach` and :mod:`emu.rulechecks` what a user's code may do, :mod:`emu.own` what it may bring along.

file            kernel file                          functions
x86.py          arch/x86/kvm/x86.c                   kvm_arch_vcpu_ioctl_run, vcpu_run, vcpu_enter_guest,
                                                     kvm_process_requests, kvm_vcpu_exit_request
x86.py          include/linux/kvm_host.h             kvm_handle_signal_exit
signal.py       kernel/signal.c, sched/core.c        signal_wake_up, get_signal, kick_process
signal.py       include/linux/sched/signal.h         signal_pending
signal.py       include/linux/entry-kvm.h            xfer_to_guest_mode_work_pending
x86.py          arch/x86/kvm/x86.h                   kvm_before_interrupt, kvm_after_interrupt
x86.py          include/linux/srcu.h                 smp_mb__after_srcu_read_unlock
vmx.py          arch/x86/kvm/vmx/vmx.c               vmx_vcpu_run, vmx_vcpu_enter_exit, vmx_exit_handlers_fastpath,
                                                     handle_fastpath_preemption_timer, vmx_handle_exit_irqoff,
                                                     vmx_handle_exit
vmx.py          arch/x86/kvm/x86.c                   handle_fastpath_set_tscdeadline, handle_fastpath_set_x2apic_icr,
                                                     handle_fastpath_hlt, kvm_x86_handle_exit_irqoff
nonroot.py      arch/x86/kvm/vmx/vmenter.S           __vmx_vcpu_run
nonroot.py      (the processor)                      vm_entry, forget_exit, vm_exit, pending_virtual_interrupt,
                                                     deliver_virtual_interrupt, eoi_virtualization,
                                                     preemption_timer_expired, external_interrupt,
                                                     posted_interrupt_processing
guest.py        (the guest)                          guest_interrupt_handler, guest_eoi_due
halt.py         arch/x86/kvm/x86.c                   kvm_emulate_halt, vcpu_block, kvm_vcpu_has_events
halt.py         arch/x86/kvm/vmx/vmx.c               vmx_interrupt_blocked, skip_emulated_instruction
halt.py         virt/kvm/kvm_main.c                  kvm_vcpu_halt, kvm_vcpu_block, kvm_vcpu_check_block
halt.py         kernel/sched/core.c, idle.c          schedule, do_idle
irq.py          arch/x86/kernel/irq.c                common_interrupt, handle_vector, sysvec_kvm_posted_intr_ipi
irq.py          arch/x86/kernel/irq.c, apic.c        sysvec_kvm_posted_intr_wakeup_ipi, sysvec_apic_timer_interrupt
irq.py          kernel/entry/common.c                irqentry_exit_cond_resched
irq.py          arch/x86/kernel/smp.c                sysvec_reschedule_ipi
irq.py          arch/x86/kernel/apic/apic.c          spurious_interrupt
irq.py          drivers/vfio/pci/vfio_pci_intrs.c    vfio_msihandler
irq.py          arch/x86/kvm/irq.c                   kvm_arch_set_irq_inatomic
lapic.py        arch/x86/kvm/lapic.c                 kvm_apic_set_irq, kvm_apic_send_ipi, __apic_accept_irq,
                                                     kvm_apic_has_interrupt, kvm_apic_local_deliver,
                                                     kvm_apic_inject_pending_timer_irqs, apic_timer_expired,
                                                     posted_timer_expired, start_sw_timer,
                                                     apic_timer_fn, kvm_set_lapic_tscdeadline_msr, start_hv_timer,
                                                     cancel_hv_timer, kvm_lapic_expired_hv_timer,
                                                     kvm_lapic_switch_to_sw_timer, kvm_lapic_switch_to_hv_timer
lapic.py        kernel/time/hrtimer.c                hrtimer_interrupt
lapic.py        arch/x86/kvm/irq.c                   kvm_cpu_has_pending_timer, kvm_inject_pending_timer_irqs
vmx_intr.py     arch/x86/kvm/vmx/vmx.c               vmx_deliver_interrupt, vmx_deliver_posted_interrupt,
                                                     vmx_sync_pir_to_irr, vmx_set_rvi
vmx_intr.py     arch/x86/kvm/x86.c                   kvm_x86_sync_pir_to_irr
lapic_irr.py    arch/x86/kvm/lapic.c                 kvm_apic_update_irr, merge
lapic_irr.py    arch/x86/include/asm/posted_intr.h   harvest
policies.py     arch/x86/kvm/vmx/vmx.c               kvm_vcpu_trigger_posted_interrupt,
                                                     user_kvm_vcpu_trigger_posted_interrupt, orig_2013, kick_2016,
                                                     skip_running_2020, always_2021, elide_self_2022
kvm_main.py     virt/kvm/kvm_main.c                  kvm_vcpu_kick, kvm_vcpu_wake_up
kvm_main.py     include/linux/kvm_host.h             kvm_make_request, kvm_check_request, kvm_request_pending,
                                                     kvm_vcpu_exiting_guest_mode
vcpu_load.py    virt/kvm/kvm_main.c                  vcpu_load, vcpu_put, kvm_sched_out, kvm_sched_in
vcpu_load.py    arch/x86/kvm/x86.c                   kvm_arch_vcpu_load, kvm_arch_vcpu_put
vmx_pi.py       arch/x86/kvm/vmx/posted_intr.c       vmx_vcpu_pi_load, vmx_vcpu_pi_put, vmx_needs_pi_wakeup,
                                                     pi_enable_wakeup_handler, pi_redirect
vmx_pi.py       include/linux/list.h                 list_add, list_del
pi_block.py     arch/x86/kvm/vmx/posted_intr.c       pi_pre_block, pi_post_block, __pi_post_block, pi_direct,
                                                     pi_load_until_5_16, pi_put_until_5_16
pi_block.py     arch/x86/kvm/x86.c                   vcpu_pre_block, vcpu_post_block
pi_wakeup.py    arch/x86/kvm/vmx/posted_intr.c       pi_wakeup_handler
iommu.py        arch/x86/kvm/vmx/posted_intr.c       vmx_pi_start_assignment
iommu.py        arch/x86/kvm/x86.c                   kvm_arch_end_assignment
iommu.py        (the device)                         device_interrupt, assign_or_remove_device
iommu_post.py   (the IOMMU)                          vtd_post
sched.py        kernel/sched/core.c                  try_to_wake_up, ttwu_queue, select_task_rq, resched_curr,
                                                     scheduler_tick, pick_next_task, context_switch, prepare_task,
                                                     finish_task_switch, __schedule, leaves_the_queue, schedule_task,
                                                     preempt_schedule, do_task_dead, task_of
irq.py          kernel/sched/core.c                  scheduler_ipi
sched.py        kernel/sched/fair.c                  newidle_balance, detach_task
sched.py        include/linux/sched.h, preempt.h     need_resched, preemptible, preempt_enable
idle.py         kernel/sched/idle.c                  cpu_startup_entry, cpuidle_idle_call
idle.py         (the processor)                      safe_halt
rcuwait.py      include/linux/rcuwait.h              prepare_to_rcuwait, finish_rcuwait, rcuwait_wake_up
rcuwait.py      include/linux/sched.h                set_current_state
cpu.py          virt/kvm/kvm_main.c                  kvm_get_running_vcpu, kvm_set_running_vcpu, kvm_clear_running_vcpu
cpu.py          arch/x86/include/asm/apic.h          apic_send_IPI
cpu.py          include/linux/preempt.h              preempt_disable, preempt_enable_no_resched
cpu.py          include/linux/irqflags.h             local_irq_disable, local_irq_enable, local_irq_save,
                                                     local_irq_restore
cpu.py          include/linux/spinlock.h             raw_spin_lock, raw_spin_unlock
lapic_regs.py   arch/x86/kvm/lapic.c                 apic_find_highest_irr, apic_find_highest_isr, apic_ppr,
                                                     apic_update_ppr
lapic_regs.py   arch/x86/include/asm/apic.h          apic_set_vector, apic_clear_vector, apic_test_vector,
                                                     find_highest_vector, highest_of
lapic_regs.py   (the processor)                      ppr_virtualization
posted_intr.py  arch/x86/include/asm/posted_intr.h   pi_test_and_set_pir, pi_test_and_set_on, pi_test_on, pi_clear_on,
                                                     pi_set_on, pi_set_sn, pi_test_and_clear_sn, pi_is_pir_empty,
                                                     pi_control, pi_nv, pi_ndst
kvm_host.py     include/linux/kvm_host.h             kvm_vcpu_is_blocking
c_calls.py      include/linux/smp.h                  get_cpu, put_cpu, smp_send_reschedule
c_calls.py      include/linux/sched.h                set_state_of_current, schedule_current
c_calls.py      include/linux/list.h                 list_del_entry
c_calls.py      include/linux/kvm_host.h             online_vcpus
c_calls.py      arch/x86/kvm/lapic.c                 apic_lvtt
c_calls.py      arch/x86/kvm/vmx/vmx.c               set_rvi_of_current_vmcs, vmx_pre_block, vmx_post_block,
                                                     vmx_vcpu_run_reentering
c_calls.py      include/linux/entry-kvm.h            thread_work_pending, xfer_to_guest_mode_handle_work
machine.py      include/linux/smp.h                  smp_processor_id
machine.py      (this tool)                          machine, config, this_pcpu
own_words.py    (this tool)                          own_of_vcpu, own_of_pcpu, own_of_all
vectors.py      (this tool)                          vector_of, slot_of
"""

PROTOCOL = (
    "emu.vectors",
    "emu.machine",
    "emu.kvm_host",
    "emu.observe.ghost",
    "emu.observe.tracepoints",
    "emu.posted_intr",
    "emu.lapic_regs",
    "emu.observe.snapshot",
    "emu.observe.sightings",
    "emu.observe.conservation",
    "emu.observe.checkers",
    "emu.observe.timers",
    "emu.observe.sleep_checks",
    "emu.observe.probes.post",
    "emu.observe.probes.wake",
    "emu.observe.probes.sync",
    "emu.observe.probes.processor",
    "emu.observe.probes.root",
    "emu.observe.probes.timer",
    "emu.observe.probes.sched",
    "emu.observe.probes.iommu",
    "emu.cpu",
    "emu.vmx_pi",
    "emu.pi_block",
    "emu.vcpu_load",
    "emu.sched",
    "emu.rcuwait",
    "emu.kvm_main",
    "emu.signal",
    "emu.pi_wakeup",
    "emu.iommu_post",
    "emu.iommu",
    "emu.policies",
    "emu.lapic_irr",
    "emu.vmx_intr",
    "emu.lapic",
    "emu.irq",
    "emu.guest",
    "emu.observe.repair",
    "emu.workload.program",
    "emu.nonroot",
    "emu.workload.liveness",
    "emu.workload.idle_driver",
    "emu.idle",
    "emu.halt",
    "emu.vmx",
    "emu.x86",
    "emu.workload.actors",
)
"""The modules that a host loads, in the order of their imports."""
