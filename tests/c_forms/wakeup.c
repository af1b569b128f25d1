/*
 * A vCPU gets on its pCPU and off it, and is woken from a list, in C of our own: the load always takes the long way, and
 * who is preempted is never on the list.
 */

static DEFINE_PER_CPU(struct list_head, wakeup_vcpus_on_cpu);
static DEFINE_PER_CPU(raw_spinlock_t, wakeup_vcpus_on_cpu_lock);

void vmx_vcpu_pi_load(struct kvm_vcpu *vcpu, int cpu)
{
	struct pi_desc *desc = vcpu_to_pi_desc(vcpu);
	struct pi_desc old, new;
	unsigned long flags;

	local_irq_save(flags);
	old.control = READ_ONCE(desc->control);
	if (old.nv == POSTED_INTR_WAKEUP_VECTOR) {
		raw_spinlock_t *lock = &per_cpu(wakeup_vcpus_on_cpu_lock, vcpu->cpu);

		raw_spin_lock(lock);
		list_del(&to_vmx(vcpu)->pi_wakeup_list);
		raw_spin_unlock(lock);
	}
	do {
		new.control = old.control;
		new.nv = POSTED_INTR_VECTOR;
		new.ndst = x2apic_enabled() ? cpu_physical_id(cpu) : (cpu_physical_id(cpu) << 8) & 0xFF00;
		new.sn = 0;
	} while (!try_cmpxchg64(&desc->control, &old.control, new.control));
	local_irq_restore(flags);

	smp_mb__after_atomic();
	if (!pi_is_pir_empty(desc))
		pi_set_on(desc);
}

static void pi_enable_wakeup_handler(struct kvm_vcpu *vcpu)
{
	struct pi_desc *desc = vcpu_to_pi_desc(vcpu);
	struct pi_desc old, new;

	lockdep_assert_irqs_disabled();
	raw_spin_lock(&per_cpu(wakeup_vcpus_on_cpu_lock, vcpu->cpu));
	list_add_tail(&to_vmx(vcpu)->pi_wakeup_list, &per_cpu(wakeup_vcpus_on_cpu, vcpu->cpu));
	raw_spin_unlock(&per_cpu(wakeup_vcpus_on_cpu_lock, vcpu->cpu));
	WARN(desc->sn, "whoever blocks is not preempted");

	do {
		old.control = new.control = READ_ONCE(desc->control);
		new.nv = POSTED_INTR_WAKEUP_VECTOR;
	} while (cmpxchg64(&desc->control, old.control, new.control) != old.control);

	if (pi_test_on(&new))
		apic->send_IPI_self(POSTED_INTR_WAKEUP_VECTOR);
}

void vmx_vcpu_pi_put(struct kvm_vcpu *vcpu)
{
	if (!kvm_arch_has_assigned_device(vcpu->kvm) || !irq_remapping_cap(IRQ_POSTING_CAP) ||
	    !kvm_vcpu_apicv_active(vcpu))
		return;
	if (vcpu->preempted)
		pi_set_sn(vcpu_to_pi_desc(vcpu));
	else if (kvm_vcpu_is_blocking(vcpu) && !vmx_interrupt_blocked(vcpu))
		pi_enable_wakeup_handler(vcpu);
}

void pi_wakeup_handler(void)
{
	int cpu = smp_processor_id();
	raw_spinlock_t *lock = &per_cpu(wakeup_vcpus_on_cpu_lock, cpu);
	struct vcpu_vmx *vmx;

	raw_spin_lock(lock);
	list_for_each_entry(vmx, &per_cpu(wakeup_vcpus_on_cpu, cpu), pi_wakeup_list) {
		struct pi_desc *desc = &vmx->pi_desc;

		if (!pi_test_on(desc))
			continue;
		kvm_vcpu_wake_up(&vmx->vcpu);
	}
	raw_spin_unlock(lock);
}
