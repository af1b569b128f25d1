"""Vectors: those the host uses for its own ends, and those the emulated guest is interrupted with.

The guest's vectors are chosen so that two share a PIR word and a priority class (0x31, 0x3f), others share neither,
and bit 63 of a word (0x3f, 0x7f, 0xff) is always among them. A *slot* numbers a guest vector densely.
"""

from __future__ import annotations

from typing import Final

POSTED_INTR_NESTED_VECTOR: Final = 0xF0
POSTED_INTR_WAKEUP_VECTOR: Final = 0xF1
POSTED_INTR_VECTOR: Final = 0xF2
RESCHEDULE_VECTOR: Final = 0xFD
DEVICE_VECTOR: Final = 0x41
"""The host's vector of a passed-through device whose interrupt is remapped, not posted (VFIO's case)."""

SLOT_POST: Final = 0
"""First of the slots that host threads post: 0x31, 0x3f, 0x7f, 0xff."""
POST_SLOTS: Final = 4
SLOT_TIMER: Final = 4
SLOT_DEVICE: Final = 5
SLOT_GUEST_IPI: Final = 6
SLOT_SELF_IPI: Final = 7
SLOTS: Final = 8

VECTOR_OF_SLOT: Final = (0x31, 0x3F, 0x7F, 0xFF, 0xEC, 0x61, 0xB1, 0x91)
"""The guest vector of each slot."""


def vector_of(slot: int) -> int:
    """Give the guest vector of a slot."""
    return VECTOR_OF_SLOT[slot]


def slot_of(vector: int) -> int:
    """Give the slot of a guest vector."""
    slot = 0
    while VECTOR_OF_SLOT[slot] != vector:
        slot += 1
    return slot
