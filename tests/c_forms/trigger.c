/*
 * The rules of delivery that KVM has had, in C of our own. Each takes a vCPU whose ON has just been set, and has to make
 * sure that it looks at its PIR.
 */

void kick_2016(struct kvm_vcpu *vcpu, int pi_vec)
{
	if (READ_ONCE(vcpu->mode) == IN_GUEST_MODE) {
		__apic_send_IPI_mask(get_cpu_mask(READ_ONCE(vcpu->cpu)), pi_vec);
		return;
	}
	kvm_vcpu_kick(vcpu);
}

void skip_running_2020(struct kvm_vcpu *vcpu, int pi_vec)
{
	if (vcpu == kvm_get_running_vcpu())
		return;		/* it will see it by itself, or so it was thought */

	if (READ_ONCE(vcpu->mode) == IN_GUEST_MODE)
		__apic_send_IPI_mask(get_cpu_mask(READ_ONCE(vcpu->cpu)), pi_vec);
	else
		kvm_vcpu_kick(vcpu);
}

void always_2021(struct kvm_vcpu *vcpu, int pi_vec)
{
	switch (READ_ONCE(vcpu->mode)) {
	case IN_GUEST_MODE:
		__apic_send_IPI_mask(get_cpu_mask(READ_ONCE(vcpu->cpu)), pi_vec);
		break;
	default:
		kvm_vcpu_wake_up(vcpu);
	}
}

void elide_self_2022(struct kvm_vcpu *vcpu, int pi_vec)
{
	if (READ_ONCE(vcpu->mode) != IN_GUEST_MODE)
		goto wake;
	if (vcpu != kvm_get_running_vcpu())
		__apic_send_IPI_mask(get_cpu_mask(READ_ONCE(vcpu->cpu)), pi_vec);
	return;
wake:
	kvm_vcpu_wake_up(vcpu);
}
