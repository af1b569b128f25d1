"""Vectors: those that the host uses itself, and those that the guest is interrupted with.

The guest's vectors are chosen so that two share a PIR word and a priority class (0x34, 0x35), others share neither,
and bit 63 of a word (0x7f) is among them. A *slot* numbers a guest vector densely.
"""

from __future__ import annotations

from typing import Final

POSTED_INTR_NESTED_VECTOR: Final = 0xF0
POSTED_INTR_WAKEUP_VECTOR: Final = 0xF1
POSTED_INTR_VECTOR: Final = 0xF2
LOCAL_TIMER_VECTOR: Final = 0xEC
"""The scheduler's tick."""
RESCHEDULE_VECTOR: Final = 0xFD
DEVICE_VECTOR: Final = 0x41
"""The host's vector of a passed-through device whose interrupt is remapped, not posted (VFIO's case)."""

SLOT_TIMER: Final = 0
SLOT_DEVICE: Final = 1
SLOT_GUEST_IPI: Final = 2
SLOT_SELF_IPI: Final = 3
SLOT_POST: Final = 4
"""First of the slots that host threads post: 0x34, 0x35, 0xf6 and 0x7f."""
POST_SLOTS: Final = 4
SLOTS: Final = 8

VECTORS: Final = 0x7FF6353493B261E8
"""The guest vectors, a byte for each slot. A slot is its vector's low three bits: neither way is a search."""


def vector_of(slot: int) -> int:
    """Return the guest vector of a slot."""
    return VECTORS >> slot * 8 & 0xFF


def slot_of(vector: int) -> int:
    """Return the slot of a guest vector."""
    return vector & 7
