/* Posting a vector, in C of our own. */

static int vmx_deliver_posted_interrupt(struct kvm_vcpu *vcpu, int vector)
{
	struct pi_desc *pi = vcpu_to_pi_desc(vcpu);

	if (!vcpu->arch.apic->apicv_active)
		return -1;

	if (!pi_test_and_set_pir(vector, pi) && !pi_test_and_set_on(pi))
		kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR);
	return 0;
}
