"""Functions in C for the tests, of our own making, with the kernel's names and the shapes that its versions had."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hosts.loader.kernel.bring import bring
from hosts.loader.program import Program, load_program, protocol_scope
from hosts.loader.rule.brought import Brought
from hosts.loader.syntax.names import Scope
from hosts.loader.user_code import CodeSpec, read_code

TRIGGER: Final = """
static inline void kvm_vcpu_trigger_posted_interrupt(struct kvm_vcpu *vcpu, int pi_vec)
{
#ifdef CONFIG_SMP
	bool here = vcpu == kvm_get_running_vcpu();

	if (vcpu->mode == IN_GUEST_MODE) {
		if (!here)
			__apic_send_IPI_mask(get_cpu_mask(vcpu->cpu), pi_vec);
		return;
	}
#endif
	kvm_vcpu_wake_up(vcpu);
}
"""

DELIVER: Final = """
static int vmx_deliver_posted_interrupt(struct kvm_vcpu *vcpu, int vector)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx_deliver_nested_posted_interrupt(vcpu, vector) == 0)
		return 0;
	if (!vcpu->arch.apic->apicv_active)
		return -1;
	if (!pi_test_and_set_pir(vector, &vmx->pi_desc) && !pi_test_and_set_on(&vmx->pi_desc))
		kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR);
	return 0;
}
"""

OLD_TRIGGER: Final = """
static bool kvm_vcpu_trigger_posted_interrupt(struct kvm_vcpu *vcpu, bool nested)
{
	int vec = nested ? POSTED_INTR_NESTED_VECTOR : POSTED_INTR_VECTOR;

	if (vcpu->mode != IN_GUEST_MODE)
		return false;
	apic->send_IPI_mask(get_cpu_mask(vcpu->cpu), vec);
	return true;
}
"""

OLD_DELIVER: Final = """
static int vmx_deliver_posted_interrupt(struct kvm_vcpu *vcpu, int vector)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (pi_test_and_set_pir(vector, &vmx->pi_desc))
		return 0;
	if (pi_test_and_set_on(&vmx->pi_desc))
		return 0;
	if (vcpu != kvm_get_running_vcpu())
		if (!kvm_vcpu_trigger_posted_interrupt(vcpu, false))
			kvm_vcpu_kick(vcpu);
	return 0;
}
"""

UPDATE_IRR: Final = """
bool __kvm_apic_update_irr(u32 *pir, void *regs, int *max_irr)
{
	int first_new = -1;
	u32 i;

	*max_irr = -1;
	for (i = 0; i < 8; i++) {
		u32 *reg = regs + APIC_IRR + i * 0x10;
		u32 before = *reg, now = before;

		if (READ_ONCE(pir[i])) {
			now = before | xchg(&pir[i], 0);
			*reg = now;
			if (now != before)
				first_new = __fls(now ^ before) + 32 * i;
		}
		if (now)
			*max_irr = __fls(now) + 32 * i;
	}
	return first_new >= 0 && first_new == *max_irr;
}

bool kvm_apic_update_irr(struct kvm_vcpu *vcpu, u32 *pir, int *max_irr)
{
	return __kvm_apic_update_irr(pir, vcpu->arch.apic->regs, max_irr);
}
"""

SYNC: Final = """
static int vmx_sync_pir_to_irr(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool got = false;
	int max_irr;

	if (KVM_BUG_ON(!enable_apicv, vcpu->kvm))
		return -EIO;
	if (pi_test_on(&vmx->pi_desc)) {
		pi_clear_on(&vmx->pi_desc);
		smp_mb__after_atomic();
		got = kvm_apic_update_irr(vcpu, vmx->pi_desc.pir, &max_irr);
	} else {
		max_irr = kvm_lapic_find_highest_irr(vcpu);
	}
	if (!is_guest_mode(vcpu) && kvm_vcpu_apicv_active(vcpu))
		vmx_set_rvi(max_irr);
	else if (got)
		kvm_make_request(KVM_REQ_EVENT, vcpu);
	return max_irr;
}
"""

KICK: Final = """
void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	int me, cpu;

	if (kvm_vcpu_wake_up(vcpu))
		return;
	me = get_cpu();
	if (vcpu == __this_cpu_read(kvm_running_vcpu)) {
		if (vcpu->mode == IN_GUEST_MODE)
			WRITE_ONCE(vcpu->mode, EXITING_GUEST_MODE);
		goto out;
	}
	if (kvm_arch_vcpu_should_kick(vcpu)) {
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
out:
	put_cpu();
}
"""

OLD_BLOCK: Final = """
static int kvm_vcpu_check_block(struct kvm_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->kvm->srcu);
	int ret = -EINTR;

	if (kvm_arch_vcpu_runnable(vcpu))
		kvm_make_request(KVM_REQ_UNHALT, vcpu);
	else if (!kvm_cpu_has_pending_timer(vcpu) && !signal_pending(current))
		ret = 0;
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	return ret;
}

static inline int vcpu_block(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	if (!kvm_arch_vcpu_runnable(vcpu) && (!kvm_x86_ops.pre_block || kvm_x86_ops.pre_block(vcpu) == 0)) {
		kvm_vcpu_block(vcpu);
		if (kvm_x86_ops.post_block)
			kvm_x86_ops.post_block(vcpu);
		if (!kvm_check_request(KVM_REQ_UNHALT, vcpu))
			return 1;
	}
	switch (vcpu->arch.mp_state) {
	case KVM_MP_STATE_HALTED:
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
		fallthrough;
	case KVM_MP_STATE_RUNNABLE:
		vcpu->arch.apf.halted = false;
		break;
	default:
		return -EINTR;
	}
	return 1;
}
"""


def written(folder: Path, *texts: str, name: str = "kvm.c") -> Path:
    """Write C into a file."""
    (folder / name).write_text("\n".join(texts))
    return folder / name


@functools.cache
def protocol() -> tuple[Scope, dict[str, str]]:
    """Return what the machine's functions are, read once for all tests."""
    return protocol_scope()


@dataclass(frozen=True)
class Replacing:
    """The functions of a kernel's file that stand in the machine's place."""

    brought: Brought

    @property
    def replaced(self) -> set[str]:
        """Return their names."""
        return set(self.brought.functions) & set(protocol()[1])

    def source(self, name: str) -> str:
        """Return what became of one."""
        return ast.unparse(self.brought.functions[name])


def replacing(path: Path, *only: str, **more: tuple[str, ...]) -> Replacing:
    """Return the kernel's functions of a file, without the rest of the program."""
    code = read_code(CodeSpec(kernel=str(path), only=only, **more))
    assert code is not None
    return Replacing(bring(code, *protocol()))


def loaded(path: Path, *only: str) -> Program:
    """Return the program with the kernel's functions of a file."""
    return load_program(read_code(CodeSpec(kernel=str(path), only=only)), mutations=())
