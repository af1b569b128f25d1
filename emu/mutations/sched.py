"""Seeded bugs of the scheduler's half: load and put of a vCPU, the wake-up list, run queues, the idle task."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import NEW, Edit, Mutation, Row

REPAIR: Final = """
if pi_is_pir_empty(pi_desc) == 0:
    pi_set_on(pi_desc)
"""
WAKEUP_TO_SELF: Final = """
if new & BIT(POSTED_INTR_ON) != 0:
    apic_send_IPI(smp_processor_id(), POSTED_INTR_WAKEUP_VECTOR)
"""
REDIRECTED: Final = "new = old & BIT(POSTED_INTR_ON) | POSTED_INTR_VECTOR << NV_SHIFT | cpu << NDST_SHIFT"
LIST: Final = "wakeup = machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup"
CLEAR_SN: Final = """
if pi_test_and_clear_sn(pi_desc) == 0:
    return
"""
CLEARED: Final = "clear_bit(0, this_pcpu().rq.need_resched)"
PICKED: Final = "nxt = pick_next_task(curr)"
LOOK: Final = "local_irq_disable()"
HALT: Final = "safe_halt()"

MUTATIONS: Final = (
    Mutation(
        60,
        "no-on-repair",
        "the load clears SN and does not set ON for what was posted while SN was set",
        "c112b5f50232 (B07)",
        (Edit("vmx_vcpu_pi_load", REPAIR),),
        (
            Row("preempt", NEW, "VIOLATION", ("C1",)),
            Row("preempt-timer", NEW, "VIOLATION", ("C1",)),
            Row("remote-post", "elide", "PASS"),
        ),
    ),
    Mutation(
        61,
        "removed-from-the-new-list",
        "a vCPU that wakes on another pCPU is taken off that one's wake-up list, not off the one it is on",
        "d76fb40637fc (B15)",
        (Edit("pi_redirect", LIST, "wakeup = machine().pcpus[cpu].wakeup"),),
        (Row("migrate", NEW, "VIOLATION", ("C6",)), Row("wakeup-list", "elide", "PASS")),
    ),
    Mutation(
        62,
        "stays-on-the-list",
        "a vCPU that wakes stays on the wake-up list",
        "8b306e2f3c41 (B12)",
        (Edit("pi_redirect", "list_del(vcpu, wakeup)"),),
        (Row("wakeup-list", NEW, "VIOLATION", ("C6",)),),
    ),
    Mutation(
        63,
        "no-wakeup-to-self",
        "a vCPU that blocks with ON set, told by the ordinary vector, is not woken",
        "fact 3.6, step 4",
        (Edit("pi_enable_wakeup_handler", WAKEUP_TO_SELF),),
        (Row("wakeup-list", NEW, "VIOLATION", ("C2", "C7")),),
    ),
    Mutation(
        64,
        "sn-on-a-sleeper",
        "a vCPU that blocks has SN set, as if it were preempted, so that no device wakes it",
        "fact 3.6",
        (Edit("vmx_vcpu_pi_put", "pi_enable_wakeup_handler(vcpu)", "pi_set_sn(vcpu.pi_desc)"),),
        (Row("wakeup-list", NEW, "VIOLATION", ("C2",)),),
    ),
    Mutation(
        65,
        "sn-not-cleared",
        "a vCPU that is loaded where it was before keeps SN",
        "fact 3.6",
        (Edit("vmx_vcpu_pi_load", CLEAR_SN, "if pi_is_pir_empty(pi_desc) != 0:\n    return"),),
        (Row("preempt", NEW, "VIOLATION", ("C6", "C1")),),
    ),
    Mutation(
        66,
        "ndst-not-moved",
        "notifications still go to the pCPU that the vCPU has left",
        "fact 3.6",
        (Edit("pi_redirect", REDIRECTED, REDIRECTED.replace("cpu << NDST_SHIFT", "old & -0x1_0000_0000")),),
        (Row("migrate", NEW, "VIOLATION", ("C6", "C1")),),
    ),
    Mutation(
        67,
        "nv-not-restored",
        "a vCPU that runs is still notified by the wake-up vector",
        "B15",
        (
            Edit(
                "pi_redirect",
                REDIRECTED,
                REDIRECTED.replace("POSTED_INTR_VECTOR <<", "pi_nv(old) <<"),
            ),
        ),
        (Row("wakeup-list", NEW, "VIOLATION", ("C6",)),),
    ),
    Mutation(
        68,
        "cpu-not-updated",
        "the load leaves ``vcpu->cpu`` at the pCPU before, where senders then notify",
        "fact 2.1",
        (Edit("kvm_arch_vcpu_load", "WRITE_ONCE(vcpu.cpu, cpu)"),),
        (Row("migrate", NEW, "VIOLATION", ("C1", "C6")),),
    ),
    Mutation(
        69,
        "no-wakeup-at-assignment",
        "a device is assigned, and vCPUs that sleep are asked to go round, and not woken to do so",
        "a2486020a82e",
        (Edit("vmx_pi_start_assignment", "kvm_vcpu_kick(machine().vcpus[i])"),),
        (Row("assign", NEW, "VIOLATION", ("C2",)),),
    ),
    Mutation(
        70,
        "need-resched-cleared-late",
        "the scheduler looks at its queue before it takes the request to look",
        "kernel/sched/core.c",
        (Edit("__schedule", CLEARED), Edit("__schedule", PICKED, f"{PICKED}\n{CLEARED}")),
        (Row("migrate", NEW, "MAY", ("C13",)),),
    ),
    Mutation(
        71,
        "idle-looks-with-irqs-on",
        "the idle task looks whether a task waits before interrupts are off: one that comes in between is slept over",
        "kernel/sched/idle.c",
        (Edit("cpuidle_idle_call", LOOK, "pass"), Edit("cpuidle_idle_call", HALT, f"{LOOK}\n{HALT}")),
        (Row("wakeup-list", NEW, "MAY", ("C13",)),),
    ),
    Mutation(
        72,
        "no-reschedule-ipi",
        "a task that is woken is queued on another pCPU, which is not told",
        "kernel/sched/core.c",
        (Edit("resched_curr", "apic_send_IPI(cpu, RESCHEDULE_VECTOR)", "pass"),),
        (Row("migrate", NEW, "VIOLATION", ("C13",)),),
    ),
)
