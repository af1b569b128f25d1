/*
 * Helpers that most functions of KVM call, for files that come without those in which the kernel has them. A helper
 * that the files do have is taken from there.
 */

#define VEC_POS(v) ((v) & 31)
#define REG_POS(v) (((v) >> 5) << 4)

int kvm_arch_vcpu_should_kick(struct kvm_vcpu *vcpu)
{
	return kvm_vcpu_exiting_guest_mode(vcpu) == IN_GUEST_MODE;
}

struct rcuwait *kvm_arch_vcpu_get_wait(struct kvm_vcpu *vcpu)
{
	return &vcpu->wait;
}

bool __kvm_vcpu_wake_up(struct kvm_vcpu *vcpu)
{
	return rcuwait_wake_up(&vcpu->wait);
}

bool kvm_vcpu_running(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE;
}

int kvm_arch_vcpu_runnable(struct kvm_vcpu *vcpu)
{
	return kvm_vcpu_running(vcpu) || kvm_vcpu_has_events(vcpu);
}

bool kvm_use_posted_timer_interrupt(struct kvm_vcpu *vcpu)
{
	return kvm_can_post_timer_interrupt(vcpu);
}

int apic_lvtt_tscdeadline(struct kvm_lapic *apic)
{
	return apic->lapic_timer.timer_mode == APIC_LVT_TIMER_TSCDEADLINE;
}

int apic_lvtt_oneshot(struct kvm_lapic *apic)
{
	return apic->lapic_timer.timer_mode == APIC_LVT_TIMER_ONESHOT;
}

int apic_lvtt_period(struct kvm_lapic *apic)
{
	return apic->lapic_timer.timer_mode == APIC_LVT_TIMER_PERIODIC;
}

int apic_lvt_enabled(struct kvm_lapic *apic, int lvt_type)
{
	return !(kvm_lapic_get_reg(apic, lvt_type) & APIC_LVT_MASKED);
}

bool kvm_lapic_hv_timer_in_use(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic->lapic_timer.hv_timer_in_use;
}

int apic_has_pending_timer(struct kvm_vcpu *vcpu)
{
	if (apic_lvt_enabled(vcpu->arch.apic, APIC_LVTT))
		return atomic_read(&vcpu->arch.apic->lapic_timer.pending);
	return 0;
}

bool pi_test_sn(struct pi_desc *pi_desc)
{
	return test_bit(POSTED_INTR_SN, (unsigned long *)&pi_desc->control);
}

bool pi_test_and_clear_on(struct pi_desc *pi_desc)
{
	return test_and_clear_bit(POSTED_INTR_ON, (unsigned long *)&pi_desc->control);
}

bool pi_test_on(struct pi_desc *pi_desc)
{
	return test_bit(POSTED_INTR_ON, (unsigned long *)&pi_desc->control);
}

void pi_clear_sn(struct pi_desc *pi_desc)
{
	clear_bit(POSTED_INTR_SN, (unsigned long *)&pi_desc->control);
}

bool bitmap_empty(unsigned long *map, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < bits / BITS_PER_LONG; i++)
		if (READ_ONCE(map[i]))
			return false;
	return true;
}

int pi_try_set_control(struct pi_desc *pi_desc, u64 *pold, u64 new)
{
	return try_cmpxchg64(&pi_desc->control, pold, new) ? 0 : -EBUSY;
}

bool vmx_can_use_vtd_pi(struct kvm *kvm)
{
	return irqchip_in_kernel(kvm) && kvm_arch_has_irq_bypass() && kvm_arch_has_assigned_device(kvm);
}

bool pi_harvest_pir(unsigned long *pir, unsigned long *taken)
{
	unsigned long any = 0;
	int i;

	for (i = 0; i < NR_PIR_WORDS; i++)
		any |= taken[i] = READ_ONCE(pir[i]);
	for (i = 0; i < NR_PIR_WORDS; i++)
		if (taken[i])
			taken[i] = xchg(&pir[i], 0);
	return any != 0;
}

void __vmx_deliver_posted_interrupt(struct kvm_vcpu *vcpu, struct pi_desc *pi_desc, int vector)
{
	if (!pi_test_and_set_pir(vector, pi_desc) && !pi_test_and_set_on(pi_desc))
		kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR);
}

void kvm_inject_apic_timer_irqs(struct kvm_vcpu *vcpu)
{
	if (atomic_read(&vcpu->arch.apic->lapic_timer.pending) > 0) {
		kvm_apic_inject_pending_timer_irqs(vcpu->arch.apic);
		atomic_set(&vcpu->arch.apic->lapic_timer.pending, 0);
	}
}

void kvm_set_mp_state(struct kvm_vcpu *vcpu, int mp_state)
{
	vcpu->arch.mp_state = mp_state;
}
