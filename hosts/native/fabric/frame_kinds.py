"""Kinds of frames: what the interconnect counts separately."""

from __future__ import annotations

from typing import Final

from emu.vectors import (
    DEVICE_VECTOR,
    POSTED_INTR_NESTED_VECTOR,
    POSTED_INTR_VECTOR,
    POSTED_INTR_WAKEUP_VECTOR,
    RESCHEDULE_VECTOR,
)

VECTOR_OF_KIND: Final = (
    POSTED_INTR_VECTOR,
    POSTED_INTR_WAKEUP_VECTOR,
    POSTED_INTR_NESTED_VECTOR,
    RESCHEDULE_VECTOR,
    DEVICE_VECTOR,
)
"""Counters are kept by *kind* of frame, which for these vectors is their position."""
KIND_SILENT: Final = 5
"""Last frame of every connection: all that this sender sent has arrived."""
KIND_OTHER: Final = 6
"""All other vectors together."""
KINDS: Final = 8


def kind_of_vector(vector: int) -> int:
    """Return the kind that counts IPIs with a vector."""
    return VECTOR_OF_KIND.index(vector) if vector in VECTOR_OF_KIND else KIND_OTHER
