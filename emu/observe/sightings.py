"""Sightings: the record of checks that fired."""

from __future__ import annotations

from typing import Final

from emu.machine import USER, Vcpu, config, this_pcpu
from emu.memory import Words
from emu.observe.accounting import RECORD_WORDS, VM_ENTRIES
from emu.observe.ghost import counted
from emu.observe.snapshot import highest_pir
from emu.observe.tracepoints import trace_sighting
from emu.waist import BIT, local_read, local_write, peek

USER_UNPROMISED: Final = 0
"""A bit for each check, by its number, that a user's own rule does not promise to hold: the loader puts here what
``CHECKS`` of the rule's file leaves out."""
PATCH_UNPROMISED: Final = 0
"""The same for what ``CHECKS`` of a patch leaves out, under whichever rule."""


def promised(check: int) -> int:
    """Return whether the rule under test promises what a check asks for: all do, but a user's code may not."""
    if PATCH_UNPROMISED & BIT(check) != 0:
        return 0
    return 0 if local_read(config().policy) == USER and USER_UNPROMISED & BIT(check) != 0 else 1


def sighting(vcpu: Vcpu, check: int, vector: int) -> None:
    """Record that a check fired."""
    note_sighting(vcpu, check, this_pcpu().records, check * RECORD_WORDS, vector)


def note_sighting(vcpu: Vcpu, check: int, records: Words, base: int, vector: int) -> None:
    """Fill a check's record, which begins at ``base``: all are counted, the first one's circumstances are kept."""
    cpu = this_pcpu()
    seen = local_read(records[base])
    if seen == 0:
        local_write(records[base + 2], peek(vcpu.mode))
        local_write(records[base + 3], highest_pir(vcpu))
        local_write(records[base + 4], peek(vcpu.pi_desc.control))
        if local_read(config().task_pcpus) == 0 or local_read(cpu.irq.running_vcpu) == vcpu.at:
            local_write(records[base + 5], local_read(vcpu.vmcs.rvi))
            local_write(records[base + 6], local_read(vcpu.guest.turn))
        local_write(records[base + 7], counted(VM_ENTRIES))
        local_write(records[base + 1], vector)  # behind all looks: the explorer reads both words in one go
    local_write(records[base], seen + 1)
    local_write(cpu.sightings, local_read(cpu.sightings) + 1)
    trace_sighting(check, vector)
