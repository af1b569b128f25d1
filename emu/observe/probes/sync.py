"""Probes of the vCPU's own look at its PIR, by the kernel or by the processor."""

from __future__ import annotations

from emu.machine import Vcpu
from emu.observe.accounting import SELF_AND_REMOTE_SYNC, SYNC_FINDS_ON, SYNC_FINDS_ON_ONLY, SYNCS
from emu.observe.ghost import count, note_merged, window
from emu.vectors import SLOT_TIMER, vector_of
from emu.waist import BIT, mark, peek


def probe_sync() -> None:
    """A sync begins."""
    count(SYNCS)


def probe_before_on_cleared(vcpu: Vcpu) -> None:
    """ON is about to be cleared, which ends a generation of it: C7 asks which post a set ON belongs to."""
    word = vcpu.pi_desc.software[0]
    mark(word, peek(word) + 1)


def probe_pir_read(word0: int, word1: int, word2: int, word3: int) -> None:
    """A sync that found ON has read the PIR."""
    window(SYNC_FINDS_ON)
    if word0 | word1 | word2 == 0:
        if word3 == 0:
            window(SYNC_FINDS_ON_ONLY)
    elif word3 & BIT(vector_of(SLOT_TIMER) & 63) != 0:
        window(SELF_AND_REMOTE_SYNC)


def probe_merge(vcpu: Vcpu, i: int, bits: int) -> None:
    """Bits of a PIR word are set in the vIRR already: two posts become one delivery (C5)."""
    if bits != 0:
        note_merged(vcpu, i, bits)
