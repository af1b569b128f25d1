"""The guest's interrupt handlers, as the processor sees them: they read their mailboxes and write EOI."""

from __future__ import annotations

from emu.machine import MAX_PCPUS, Vcpu, config
from emu.vectors import slot_of
from emu.waist import local_read, local_write, mark, one_in, peek


def guest_interrupt_handler(vcpu: Vcpu, vector: int) -> None:
    """Handle a vector: read every mailbox it stands for, acknowledge the number read."""
    slot = slot_of(vector)
    for sender in range(local_read(config().pcpus)):
        box = slot * MAX_PCPUS + sender
        mark(vcpu.acknowledged[box], peek(vcpu.mail[box]))
    mark(vcpu.delivered[slot], peek(vcpu.delivered[slot]) + 1)
    local_write(vcpu.guest.in_service, local_read(vcpu.guest.in_service) + 1)


def guest_eoi_due(vcpu: Vcpu) -> int:
    """Return whether the handler in service writes its EOI now; if not, its class stays blocked for longer."""
    in_service = local_read(vcpu.guest.in_service)
    if in_service == 0 or one_in(local_read(config().slow_handlers)) != 0:
        return 0
    local_write(vcpu.guest.in_service, in_service - 1)
    return 1
