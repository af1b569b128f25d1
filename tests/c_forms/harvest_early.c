/* The same with a mistake: an empty PIR ends it before the vIRR is looked at, so that RVI is forgotten. */

bool __kvm_apic_update_irr(unsigned long *pir, void *regs, int *max_irr)
{
	unsigned long words[4], any = 0;
	int top = -1, i;

	for (i = 0; i < 4; i++) {
		words[i] = READ_ONCE(pir[i]);
		any |= words[i];
	}
	*max_irr = -1;
	if (!any)
		return false;

	for (i = 0; i < 4; i++)
		if (words[i])
			words[i] = xchg(&pir[i], 0);

	for (i = 0; i < 8; i++) {
		u32 *irr = (u32 *)(regs + APIC_IRR + i * 0x10);

		*irr |= (u32)(words[i / 2] >> (i % 2 * 32));
		if (*irr)
			top = i * 32 + __fls(*irr);
	}
	*max_irr = top;
	return true;
}
