/* The harvest of the PIR by halves of its words, in C of our own: nothing of the PIR is read before it is asked for. */

bool __kvm_apic_update_irr(u32 *pir, void *regs, int *max_irr)
{
	int top = -1, i;
	bool news = false;

	for (i = 0; i < 8; i++) {
		u32 *irr = (u32 *)(regs + APIC_IRR + i * 0x10);
		u32 was = *irr, bits = 0;

		if (READ_ONCE(pir[i])) {
			bits = xchg(&pir[i], 0);
			*irr = was | bits;
			if (bits & ~was)
				news = true;
		}
		if (was | bits)
			top = i * 32 + __fls(was | bits);
	}
	*max_irr = top;
	return news && top >= 0;
}
