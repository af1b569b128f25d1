"""What a user's rule imports by the module's name of an earlier version is still found."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from emu import reach
from hosts.loader.program import load_program
from hosts.loader.rule.userfile import _looked_up
from hosts.loader.user_code import code_of

FORMER: Final = {
    "emu.machine": """
        MAX_PCPUS MENU_ITEMS PiDesc Wait Vmcs Lapic Guest Vcpu Marks Irq Pcpu Config Machine machine
        this_pcpu smp_processor_id
    """,
    "emu.instruments": """
        TOLD_NOBODY TOLD_OTHER TOLD_SELF
    """,
    "emu.tracepoints": """
        KVM_ENTRY KVM_EXIT KVM_APICV_ACCEPT_IRQ KVM_MAKE_REQUEST KVM_VCPU_WAKEUP IPI_SEND_CPU
        IRQ_VECTOR_ENTRY SCHED_WAKING SCHED_SWITCH POSTED_INTERRUPT_PROCESSING SIGHTING
    """,
    "emu.cpu": """
        preempt_disable preempt_enable local_irq_disable local_irq_enable kvm_get_running_vcpu
        kvm_set_running_vcpu kvm_clear_running_vcpu apic_send_IPI
    """,
    "emu.posted_intr": """
        POSTED_INTR_ON POSTED_INTR_SN NV_SHIFT NDST_SHIFT pi_control pi_test_and_set_pir pi_test_and_set_on
        pi_test_on pi_clear_on
    """,
    "emu.kvm_main": """
        OUTSIDE_GUEST_MODE IN_GUEST_MODE EXITING_GUEST_MODE KVM_REQ_TLB_FLUSH KVM_REQ_UNBLOCK KVM_REQ_EVENT
        KICKED_REQUESTS TASK_RUNNING TASK_INTERRUPTIBLE TASK_ASLEEP kvm_make_request kvm_check_request
        kvm_request_pending kvm_vcpu_exiting_guest_mode try_to_wake_up rcuwait_wake_up kvm_vcpu_wake_up
        kvm_vcpu_kick
    """,
    "emu.policies": """
        kick_2016 skip_running_2020 always_2021 elide_self_2022 KICK_2016 SKIP_RUNNING_2020 ALWAYS_2021
        ELIDE_SELF_2022 USER USER_UNPROMISED ORIG_2013
    """,
    "emu.apic_regs": """
        apic_set_vector apic_clear_vector apic_test_vector find_highest_vector highest_of
        apic_find_highest_irr apic_find_highest_isr apic_ppr apic_update_ppr ppr_virtualization vmx_set_rvi
    """,
    "emu.pir_sync": """
        vmx_sync_pir_to_irr kvm_x86_sync_pir_to_irr kvm_apic_update_irr harvest merge
    """,
    "emu.delivery": """
        vmx_trigger_2013
    """,
    "emu.lapic_timer": """
        cancel_hv_timer kvm_cpu_has_pending_timer
    """,
    "emu.guest": """
        GUEST_CPUID GUEST_HLT GUEST_ARM_NOW GUEST_ARM_LATER GUEST_SELF_IPI GUEST_ICR GUEST_NOTHING
        TIMER_DELTA
    """,
    "emu.handlers": """
        sysvec_kvm_posted_intr_ipi sysvec_reschedule_ipi spurious_interrupt
    """,
    "emu.halt": """
        KVM_MP_STATE_RUNNABLE KVM_MP_STATE_HALTED kvm_apic_has_interrupt kvm_vcpu_has_events
        kvm_vcpu_check_block set_current_state prepare_to_rcuwait finish_rcuwait kvm_sched_out kvm_sched_in
        kvm_emulate_halt
    """,
    "emu.x86": """
        kvm_vcpu_exit_request kvm_process_requests kvm_before_interrupt kvm_after_interrupt
        smp_mb__after_srcu_read_unlock
    """,
    "emu.actors": """
        ACT_POST ACT_KICK ACT_DEVICE
    """,
    "emu.accounting": """
        RECORD_WORDS ROUNDS POSTS ACCEPTED DELIVERIES MERGED IPIS_SENT IPIS_ELIDED IPIS_TAKEN
        NOTIFICATIONS_SPURIOUS NOTIFICATIONS_IN_GUEST VM_ENTRIES VM_EXITS SYNCS WAKES SELF_POSTS
        SELF_POSTS_ON_IN_GUEST SELF_IPIS_SENT HALTS KICKS REQUESTS DEVICE_IRQS DWELLS SNAPSHOTS
        STRAY_INTERRUPTS POST_SEES_IN POST_SEES_OUTSIDE POST_SEES_EXITING SELF_SEES_IN SELF_SEES_OUTSIDE
        SELF_SEES_EXITING PIR_ALREADY_SET ON_ALREADY_SET SYNC_FINDS_ON SYNC_FINDS_ON_ONLY NOTIFIED_IN_GUEST
        NOTIFIED_IN_ROOT NOTIFIED_AFTER_SYNC WAKE_FINDS_WAITER WAKE_BEFORE_SLEEP IRQ_BEFORE_SLEEP
        KICK_BEFORE_ENTRY KICK_LOSES KICK_ENDS_STAY SELF_AND_REMOTE_SYNC C2 C1 C3 C9 C5 C10 C4 C8 C7
    """,
    "emu.setup": """
        MORE_ACTIONS PATIENCE SLOW_HANDLERS SAMPLING
    """,
}
"""What a rule could import and use before modules were renamed: functions that it may call, structs, numbers."""


@pytest.mark.parametrize("module", FORMER)
def test_each_name_is_found_where_it_was_imported_from(module: str) -> None:
    """Also where the module has another name now, or the function stands in another file."""
    for name in FORMER[module].split():
        assert _looked_up(module, reach.RENAMED.get(name, name)) is not None


def test_a_rule_written_for_an_earlier_version_loads(tmp_path: Path) -> None:
    """Functions, numbers and structs by their former modules, one by its former name."""
    path = tmp_path / "rule.py"
    path.write_text(
        "from emu.apic_regs import apic_find_highest_irr\n"
        "from emu.delivery import vmx_trigger_2013\n"
        "from emu.instruments import TOLD_OTHER\n"
        "from emu.kvm_main import TASK_ASLEEP, try_to_wake_up\n"
        "from emu.machine import Vcpu\n"
        "from emu.pir_sync import vmx_sync_pir_to_irr\n\n\n"
        "def rule(vcpu: Vcpu, vec: int) -> None:\n"
        "    if vcpu.wait.state == TASK_ASLEEP:\n"
        "        try_to_wake_up(vcpu)\n"
        "    elif apic_find_highest_irr(vcpu) == TOLD_OTHER:\n"
        "        vmx_sync_pir_to_irr(vcpu)\n"
        "    else:\n"
        "        vmx_trigger_2013(vcpu, 1)\n"
    )
    program = load_program(code_of(f"{path}:rule"))
    assert "orig_2013(vcpu, 1)" in program.source("user_kvm_vcpu_trigger_posted_interrupt")
