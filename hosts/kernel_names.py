"""Names of a machine's numbers, as the kernel and the SDM spell them, and the one way to write a vector: ``0x35``.

Every output for people takes its names from here. What programs read has vectors as numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

from emu import exits, kvm_host, vectors


def _named(module: ModuleType, prefix: str = "", suffix: str = "") -> dict[int, str]:
    """Return the names of those constants of a module that begin and end in this way."""
    return {
        value: name
        for name, value in vars(module).items()
        if isinstance(value, int) and name.startswith(prefix) and name.endswith(suffix)
    }


MODES: Final = _named(kvm_host, suffix="_GUEST_MODE")
TASKS: Final = _named(kvm_host, prefix="TASK_")
"""States of a task; TASK_ASLEEP is the emulator's own: off the run queue."""
REQUESTS: Final = _named(kvm_host, prefix="KVM_REQ_")
EXITS: Final = {
    reason: name.removeprefix("EXIT_REASON_") for reason, name in _named(exits, prefix="EXIT_REASON_").items()
}
"""Reasons of a VM-exit, without the prefix, as ``trace-cmd`` prints them."""
HOST_VECTORS: Final = _named(vectors, suffix="_VECTOR")

# Short forms, for the cells of a table.
SHORT_MODES: Final = {
    kvm_host.OUTSIDE_GUEST_MODE: "OUTSIDE",
    kvm_host.IN_GUEST_MODE: "IN_GUEST",
    kvm_host.EXITING_GUEST_MODE: "EXITING",
}
SHORT_TASKS: Final = {state: name.removeprefix("TASK_") for state, name in TASKS.items()}
SHORT_REQUESTS: Final = {number: name.removeprefix("KVM_REQ_") for number, name in REQUESTS.items()}

VECTOR_FIELDS: Final = frozenset({"vector", "pir", "nv", "rvi"})
"""The fields of a check's first record that are vectors (see hosts.runs.collect)."""


def vector_text(vector: int) -> str:
    """Return a vector as text; RVI 0, which is none, is ``0x00``."""
    return f"{vector:#04x}"


def vectors_text(vectors: Iterable[int]) -> str:
    """Return vectors as text."""
    return " ".join(map(vector_text, vectors))


def on_vector(vector: int) -> str:
    """Return the vector for which a check has fired, to be put behind the check; nothing if it names none."""
    return f" on vector {vector_text(vector)}" if vector >= 0 else ""


def field_text(name: str, value: Any) -> str:
    """Return the value of a field of a check's first record as text."""
    return vector_text(value) if name in VECTOR_FIELDS and isinstance(value, int) and value >= 0 else str(value)
