/* A kick, in C of our own: who blocks is woken, who is in guest mode is made to leave it. */

void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	int here, there;

	if (kvm_vcpu_wake_up(vcpu))
		return;

	here = get_cpu();
	if (vcpu == __this_cpu_read(kvm_running_vcpu)) {
		if (vcpu->mode == IN_GUEST_MODE)
			WRITE_ONCE(vcpu->mode, EXITING_GUEST_MODE);
	} else if (kvm_vcpu_exiting_guest_mode(vcpu) == IN_GUEST_MODE) {
		there = READ_ONCE(vcpu->cpu);
		if (there != here && (unsigned int)there < nr_cpu_ids && cpu_online(there))
			smp_send_reschedule(there);
	}
	put_cpu();
}
