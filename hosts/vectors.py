"""How a vector is written wherever a person reads one: ``0x35``. What programs read has numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

FIELDS: Final = frozenset({"vector", "pir", "nv", "rvi"})
"""What of a first sighting is a vector (see hosts.runs.collect)."""


def vector_text(vector: int) -> str:
    """Write a vector; 0 where there is none, as RVI spells it, is ``0x00``."""
    return f"{vector:#04x}"


def vectors_text(vectors: Iterable[int]) -> str:
    """Write vectors."""
    return " ".join(map(vector_text, vectors))


def about(vector: int) -> str:
    """Write which vector a check has fired about; nothing if none."""
    return f" about {vector_text(vector)}" if vector >= 0 else ""


def seen_text(name: str, value: Any) -> str:
    """Write a value of a first sighting, by its name."""
    return vector_text(value) if name in FIELDS and isinstance(value, int) and value >= 0 else str(value)
