/* What a vCPU looks at before it sleeps, in C of our own. */

static int kvm_vcpu_check_block(struct kvm_vcpu *vcpu)
{
	int err = -EINTR;

	if (kvm_arch_vcpu_runnable(vcpu))
		goto out;
	if (kvm_cpu_has_pending_timer(vcpu))
		goto out;
	if (signal_pending(current))
		goto out;
	if (kvm_check_request(KVM_REQ_UNBLOCK, vcpu))
		goto out;
	err = 0;
out:
	return err;
}
