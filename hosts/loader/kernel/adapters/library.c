/*
 * What calls in KVM's C mean here, where a function of this machine has other parameters or another result than the
 * kernel's of the same name. emu_NAME is the machine's function NAME; the tables say what else the names stand for.
 */

bool lib_kvm_check_request(int req, struct kvm_vcpu *vcpu)
{
	if (__builtin_constant_p(req) && req == NEVER_MADE)
		return nobody_made_it();
	return emu_kvm_check_request(req & KVM_REQUEST_MASK, vcpu);
}

bool lib_kvm_test_request(int req, struct kvm_vcpu *vcpu)
{
	if (__builtin_constant_p(req) && req == NEVER_MADE)
		return nobody_made_it();
	return test_bit(req & KVM_REQUEST_MASK, &vcpu->requests);
}

void lib_kvm_clear_request(int req, struct kvm_vcpu *vcpu)
{
	if (!__builtin_constant_p(req) || req != NEVER_MADE)
		clear_bit(req & KVM_REQUEST_MASK, &vcpu->requests);
}

void lib_kvm_make_request(int req, struct kvm_vcpu *vcpu)
{
	if (__builtin_constant_p(req) && req == NEVER_MADE)
		request_of_others();
	emu_kvm_make_request(req & KVM_REQUEST_MASK, vcpu);
}

void lib___kvm_make_request(int req, struct kvm_vcpu *vcpu)
{
	if (__builtin_constant_p(req) && req == NEVER_MADE)
		request_of_others();
	kernel___kvm_make_request(req, vcpu);
}

int lib_kvm_vcpu_check_block(struct kvm_vcpu *vcpu)
{
	return emu_kvm_vcpu_check_block(vcpu) ? -EINTR : 0;
}

bool lib_kvm_vcpu_block(struct kvm_vcpu *vcpu)
{
	emu_kvm_vcpu_block(vcpu);
	return asked_for_statistics();
}

bool lib_kvm_apic_update_irr(struct kvm_vcpu *vcpu, void *pir, int *max_irr)
{
	int before = apic_find_highest_irr(vcpu->arch.apic);

	/* The vIRR only grows here, so its highest vector is a new one if it is another one. */
	*max_irr = emu_kvm_apic_update_irr(vcpu);
	return *max_irr != before;
}

int lib_apic_accept_irq(struct kvm_lapic *apic, int delivery_mode, int vector, int level, int trig_mode, void *dest_map)
{
	if (__builtin_constant_p(delivery_mode) && delivery_mode != APIC_DM_FIXED)
		other_delivery_mode();
	return emu_apic_accept_irq(apic, vector);
}

int lib_kvm_apic_local_deliver(struct kvm_lapic *apic, int lvt_type)
{
	if (lvt_type != APIC_LVTT)
		other_register();
	return emu_kvm_apic_local_deliver(apic);
}

u32 lib_kvm_lapic_get_reg(struct kvm_lapic *apic, int reg)
{
	if (reg == APIC_LVTT)
		return emu_apic_lvtt(apic);
	return *(u32 *)(apic->regs + reg);
}

void lib_kvm_lapic_set_reg(struct kvm_lapic *apic, int reg, u32 value)
{
	*(u32 *)(apic->regs + reg) = value;
}

void lib_kvm_lapic_set_irr(int vector, struct kvm_lapic *apic)
{
	without_apicv();
}

int lib_handle_fastpath_preemption_timer(struct kvm_vcpu *vcpu)
{
	return emu_handle_fastpath_preemption_timer(vcpu);
}

int lib_handle_fastpath_preemption_timer_v6(struct kvm_vcpu *vcpu, bool force_immediate_exit)
{
	return emu_handle_fastpath_preemption_timer(vcpu);
}

int lib_handle_work(struct kvm_vcpu *vcpu)
{
	return emu_handle_work(vcpu) ? -EINTR : 0;
}

bool lib_trigger_v5(struct kvm_vcpu *vcpu, bool nested)
{
	return emu_triggered(vcpu, nested ? POSTED_INTR_NESTED_VECTOR : POSTED_INTR_VECTOR);
}

int lib_vcpu_block_v5(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	return emu_vcpu_block(vcpu);
}
