"""Functions of a kernel take the place of the machine's: in what forms, together with what, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.loader.program import PolicyError, load_program
from hosts.loader.user_code import CodeSpec, read_code
from tests.unit.kernel.c_texts import (
    DELIVER,
    KICK,
    OLD_BLOCK,
    OLD_DELIVER,
    OLD_TRIGGER,
    SYNC,
    TRIGGER,
    UPDATE_IRR,
    loaded,
    replacing,
    written,
)


def refusal(path: Path, *only: str, **more: tuple[str, ...]) -> str:
    """Return the one line with which a kernel is refused."""
    with pytest.raises(PolicyError) as refused:
        replacing(path, *only, **more)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_functions_of_the_kernel_stand_in_the_place_of_the_machines(tmp_path: Path) -> None:
    """With the lines of the C file; the rest stays."""
    path = written(tmp_path, TRIGGER, DELIVER, SYNC, UPDATE_IRR, KICK)
    program = loaded(path)
    names = {
        *("kvm_vcpu_trigger_posted_interrupt", "vmx_deliver_posted_interrupt", "vmx_sync_pir_to_irr"),
        *("kvm_apic_update_irr", "kvm_vcpu_kick"),
    }
    assert set(program.replaced) == names
    lines = path.read_text().splitlines()
    for name, replaced in program.replaced.items():
        assert replaced.file == str(path)
        assert name in lines[replaced.line - 1]
        assert program.functions[name].__code__.co_filename == str(path)


def test_a_kernel_that_has_nothing_of_the_machine_is_refused(tmp_path: Path) -> None:
    """With the names of what could be there."""
    said = refusal(written(tmp_path, "int nothing(void)\n{\n\treturn 0;\n}\n"))
    assert "has none of the functions that can be taken: kvm_vcpu_trigger_posted_interrupt" in said


def test_the_old_trigger_and_its_caller_are_taken_together_only(tmp_path: Path) -> None:
    """The one says whether it notified, the other acts on that: each alone names the other."""
    path = written(tmp_path, OLD_TRIGGER, OLD_DELIVER)
    pair = ("kvm_vcpu_trigger_posted_interrupt", "vmx_deliver_posted_interrupt")
    assert replacing(path).replaced == set(pair)
    assert replacing(path, *pair).replaced == set(pair)
    assert "--only kvm_vcpu_trigger_posted_interrupt,vmx_deliver_posted_interrupt" in refusal(path, pair[0])
    assert "take kvm_vcpu_trigger_posted_interrupt, too" in refusal(path, pair[1])


def test_without_only_what_needs_what_cannot_be_taken_stays_the_machines(tmp_path: Path) -> None:
    """The old trigger without its caller is left, and the rest of the file taken."""
    path = written(tmp_path, OLD_TRIGGER, KICK)
    assert replacing(path).replaced == {"kvm_vcpu_kick"}


def test_a_request_that_one_function_makes_and_another_takes_binds_them(tmp_path: Path) -> None:
    """As KVM_REQ_UNHALT did until v6.1."""
    path = written(tmp_path, OLD_BLOCK)
    assert replacing(path).replaced == {"kvm_vcpu_check_block", "vcpu_block"}
    assert "--only vcpu_block,kvm_vcpu_check_block" in refusal(path, "vcpu_block")
    assert "--only kvm_vcpu_check_block,vcpu_block" in refusal(path, "kvm_vcpu_check_block")


def test_a_part_of_a_function_is_taken_as_the_whole(tmp_path: Path) -> None:
    """``__kvm_apic_update_irr`` alone in a file, and asked for by its own name."""
    alone = written(tmp_path, UPDATE_IRR.partition("bool kvm_apic_update_irr")[0])
    for only in ((), ("__kvm_apic_update_irr",), ("kvm_apic_update_irr",)):
        assert replacing(alone, *only).replaced == {"kvm_apic_update_irr"}


def test_only_names_what_there_is(tmp_path: Path) -> None:
    """A name that cannot be taken, that is misspelt, or that the files do not have."""
    path = written(tmp_path, KICK)
    assert "vmx_vcpu_run is not taken from a kernel: it enters and leaves the guest" in refusal(path, "vmx_vcpu_run")
    assert "kvm_vcpu_kik is no function that can be taken (near: kvm_vcpu_kick" in refusal(path, "kvm_vcpu_kik")
    assert "the kernel's files have no vcpu_run" in refusal(path, "vcpu_run")


def test_a_name_that_once_meant_something_else_is_not_taken(tmp_path: Path) -> None:
    """Until v5.16 ``kvm_vcpu_halt`` did what ``kvm_emulate_halt`` does; asked for, it is refused with that."""
    halt = "int kvm_vcpu_halt(struct kvm_vcpu *vcpu)\n{\n\treturn 1;\n}\n"
    path = written(tmp_path, halt, KICK)
    assert replacing(path).replaced == {"kvm_vcpu_kick"}
    assert "kvm_vcpu_halt is not taken: until v5.16 this is the name of" in refusal(path, "kvm_vcpu_halt")


def test_the_wake_up_list_of_before_v5_17_is_not_taken(tmp_path: Path) -> None:
    """Then a vCPU was put on it before it blocked, by a function that the machine has not: halves do not fit."""
    put = "void vmx_vcpu_pi_put(struct kvm_vcpu *vcpu)\n{\n\tpi_set_sn(vcpu_to_pi_desc(vcpu));\n}\n"
    assert "vmx_vcpu_pi_put" in replacing(written(tmp_path, put)).replaced
    path = written(tmp_path, put, "int pi_pre_block(struct kvm_vcpu *vcpu)\n{\n\treturn 0;\n}\n", KICK)
    assert set(replacing(path).replaced) == {"kvm_vcpu_kick"}
    assert "until v5.16 a vCPU is put on the wake-up list before it blocks" in refusal(path, "vmx_vcpu_pi_put")


def test_a_harvest_of_the_machines_own_says_what_is_new(tmp_path: Path) -> None:
    """The kernel's caller is told whether the highest vector is a new one, which this machine's does not say itself."""
    asks = SYNC.replace("if (!is_guest_mode(vcpu) && kvm_vcpu_apicv_active(vcpu))", "if (!got)")
    source = replacing(written(tmp_path, asks)).source("vmx_sync_pir_to_irr")
    assert source.index("apic_find_highest_irr(vcpu)") < source.index("kvm_apic_update_irr(vcpu)")
    assert "kvm_make_request(14, vcpu)" in source


def test_helpers_stand_in_for_what_the_files_lack(tmp_path: Path) -> None:
    """A single file needs no headers; a helper that the files do have is theirs."""
    assert "kvm_vcpu_exiting_guest_mode(vcpu)" in replacing(written(tmp_path, KICK)).source("kvm_vcpu_kick")
    own = "int kvm_arch_vcpu_should_kick(struct kvm_vcpu *vcpu)\n{\n\treturn vcpu->requests != 0;\n}\n"
    assert "READ_ONCE(vcpu.requests) != 0" in replacing(written(tmp_path, KICK, own)).source("kvm_vcpu_kick")


def test_a_locked_operation_on_a_word_of_one_thread_is_still_a_barrier(tmp_path: Path) -> None:
    """The timer's ``pending`` and the APIC's page are private here, and the processor's lock orders all memory."""
    text = """
static void apic_timer_expired(struct kvm_lapic *apic, bool from_timer_fn)
{
	atomic_inc(&apic->lapic_timer.pending);
	if (from_timer_fn)
		set_bit(3, apic->regs + APIC_IRR);
}
"""
    lines = replacing(written(tmp_path, text)).source("apic_timer_expired").splitlines()
    written_at = [number for number, line in enumerate(lines) if "local_write(" in line]
    assert len(written_at) == 2
    assert all(lines[number + 1].strip() == "smp_mb()" for number in written_at)


def test_what_nobody_knows_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """File, line, name; a stub answers it, and so does a function of a patch."""
    text = "bool kvm_vcpu_exit_request(struct kvm_vcpu *vcpu)\n{\n\treturn my_question(vcpu, 3);\n}\n"
    path = written(tmp_path, text)
    said = refusal(path)
    assert said.startswith(f"{path}:3: ")
    assert "my_question" in said
    assert "--stub my_question=0" in said
    assert "return 1" in replacing(path, stubs=("my_question=7",)).source("kvm_vcpu_exit_request")
    patch = tmp_path / "mine.py"
    patch.write_text(
        "from emu.machine import Vcpu\nfrom emu.waist import READ_ONCE\n"
        "def my_question(vcpu: Vcpu, n: int) -> int:\n    return READ_ONCE(vcpu.requests) + n\n"
        "def kvm_request_pending(vcpu: Vcpu) -> int:\n    return my_question(vcpu, 0)\n"
    )
    code = read_code(CodeSpec(kernel=str(path), patches=(str(patch),)))
    program = load_program(code, mutations=())
    assert "my_question(vcpu, 3)" in program.source("kvm_vcpu_exit_request")


@pytest.mark.parametrize("stub", ["kvm_foo", "kvm_foo=", "=1", "kvm_foo=x", "a b=1"])
def test_a_stub_is_a_name_and_a_number(tmp_path: Path, stub: str) -> None:
    """Anything else is refused with an example."""
    assert "a stub is NAME=VALUE" in refusal(written(tmp_path, KICK), stubs=(stub,))


def test_a_delivery_that_may_fail_is_not_followed_further(tmp_path: Path) -> None:
    """A caller that then sets the vIRR itself would need a machine with APICv off."""
    deliver = DELIVER.replace("return -1;", "return 0;").replace("	return 0;\n}", "	return vector == 3;\n}")
    caller = """
static void vmx_deliver_interrupt(struct kvm_lapic *apic, int delivery_mode, int trig_mode, int vector)
{
	if (vmx_deliver_posted_interrupt(apic->vcpu, vector)) {
		kvm_lapic_set_irr(vector, apic);
		kvm_make_request(KVM_REQ_EVENT, apic->vcpu);
		kvm_vcpu_kick(apic->vcpu);
	}
}
"""
    sound = written(tmp_path, TRIGGER, DELIVER, caller)
    assert "vmx_deliver_interrupt" in replacing(sound).replaced
    failing = written(tmp_path, TRIGGER, deliver, caller)
    assert "vmx_deliver_interrupt" not in replacing(failing).replaced
    assert "APICv is never off in this machine" in refusal(
        failing, "vmx_deliver_interrupt", "vmx_deliver_posted_interrupt"
    )


def test_requests_that_nobody_makes_are_not_asked_for(tmp_path: Path) -> None:
    """What serves them is left out with them; one that is made all the same is refused."""
    text = """
bool kvm_vcpu_exit_request(struct kvm_vcpu *vcpu)
{
	if (kvm_check_request(KVM_REQ_SMI, vcpu))
		process_smi(vcpu);
	return kvm_check_request(KVM_REQ_EVENT, vcpu);
}
"""
    source = replacing(written(tmp_path, text)).source("kvm_vcpu_exit_request")
    assert source.count("kvm_check_request(") == 1
    made = text.replace("process_smi(vcpu);", ";").replace(
        "kvm_check_request(KVM_REQ_SMI", "kvm_make_request(KVM_REQ_SMI"
    )
    made = made.replace("if (kvm_make_request(KVM_REQ_SMI, vcpu))\n\t\t;", "kvm_make_request(KVM_REQ_SMI, vcpu);")
    assert "does not serve this request" in refusal(written(tmp_path, made))


def test_a_rule_in_c_stands_for_the_rule_under_test(tmp_path: Path) -> None:
    """``rule.c:function``, of any name; what is no rule is refused with what one looks like."""
    path = written(tmp_path, TRIGGER.replace("kvm_vcpu_trigger_posted_interrupt", "mine"), OLD_TRIGGER, KICK)
    program = load_program(read_code(CodeSpec(rule=f"{path}:mine")), mutations=())
    assert program.functions["user_kvm_vcpu_trigger_posted_interrupt"].__code__.co_filename == str(path)
    for name, said in (
        ("kvm_vcpu_trigger_posted_interrupt", "comes with its caller, by --kernel"),
        ("kvm_vcpu_kick", "void kvm_vcpu_kick(struct kvm_vcpu *vcpu, int vec)"),
        ("min", "defines no function min (near: mine"),
    ):
        with pytest.raises(PolicyError) as refused:
            load_program(read_code(CodeSpec(rule=f"{path}:{name}")), mutations=())
        assert said in str(refused.value)
