/*
 * KVM's functions with the parameters and results that this machine's functions of the same names have. kernel_NAME is
 * the kernel's function NAME.
 */

int wrap_trigger_v5(struct kvm_vcpu *vcpu, int vec)
{
	return kernel_kvm_vcpu_trigger_posted_interrupt(vcpu, false);
}

int wrap_vmx_deliver_posted_interrupt_v6(struct kvm_vcpu *vcpu, int vector)
{
	kernel___vmx_deliver_posted_interrupt(vcpu, vcpu_to_pi_desc(vcpu), vector);
	return 0;
}

void wrap_vmx_deliver_interrupt(struct kvm_vcpu *vcpu, int vector)
{
	kernel_vmx_deliver_interrupt(vcpu->arch.apic, APIC_DM_FIXED, 0, vector);
}

int wrap_kvm_apic_update_irr(struct kvm_vcpu *vcpu)
{
	int max_irr;

	kernel_kvm_apic_update_irr(vcpu, vcpu_to_pi_desc(vcpu)->pir, &max_irr);
	return max_irr;
}

int wrap___kvm_apic_update_irr(struct kvm_vcpu *vcpu)
{
	int max_irr;

	kernel___kvm_apic_update_irr(vcpu_to_pi_desc(vcpu)->pir, vcpu->arch.apic->regs, &max_irr);
	return max_irr;
}

int wrap_kvm_vcpu_check_block(struct kvm_vcpu *vcpu)
{
	return kernel_kvm_vcpu_check_block(vcpu) < 0;
}

int wrap___apic_accept_irq(struct kvm_vcpu *vcpu, int vector)
{
	return kernel___apic_accept_irq(vcpu->arch.apic, APIC_DM_FIXED, vector & APIC_VECTOR_MASK, 1, 0, NULL);
}

int wrap_kvm_apic_local_deliver(struct kvm_vcpu *vcpu)
{
	return kernel_kvm_apic_local_deliver(vcpu->arch.apic, APIC_LVTT);
}

void wrap_kvm_apic_inject_pending_timer_irqs(struct kvm_vcpu *vcpu)
{
	kernel_kvm_apic_inject_pending_timer_irqs(vcpu->arch.apic);
}

void wrap_apic_timer_expired(struct kvm_vcpu *vcpu, int from_timer_fn)
{
	kernel_apic_timer_expired(vcpu->arch.apic, from_timer_fn);
}

int wrap_handle_fastpath_preemption_timer_v6(struct kvm_vcpu *vcpu)
{
	return kernel_handle_fastpath_preemption_timer(vcpu, false);
}

int wrap_vcpu_block_v5(struct kvm_vcpu *vcpu)
{
	return kernel_vcpu_block(vcpu->kvm, vcpu);
}

void wrap___kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	kernel___kvm_vcpu_kick(vcpu, false);
}
