"""Events of a machine image, decoded under the names of the kernel's trace points, with vectors and reasons named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emu.observe.accounting import CHECKS
from emu.observe.tracepoints import TRACE_EVENTS
from emu.vectors import (
    POST_SLOTS,
    SLOT_DEVICE,
    SLOT_GUEST_IPI,
    SLOT_POST,
    SLOT_SELF_IPI,
    SLOT_TIMER,
    vector_of,
)
from hosts.kernel_names import EXITS, HOST_VECTORS, REQUESTS, TASKS, vector_text
from hosts.native.memory.layout import ARGUMENT_MASK, ARGUMENT_SHIFT, TURN_SHIFT

GUEST_VECTORS: Final = {
    vector_of(SLOT_TIMER): "timer",
    vector_of(SLOT_DEVICE): "device",
    vector_of(SLOT_GUEST_IPI): "guest IPI",
    vector_of(SLOT_SELF_IPI): "self-IPI",
    **{vector_of(SLOT_POST + i): "post" for i in range(POST_SLOTS)},
}


def host_vector(vector: int) -> str:
    """Return a vector of the host with its name."""
    return _vector(vector, HOST_VECTORS)


def guest_vector(vector: int) -> str:
    """Return a vector of the guest with its name; 0 is none."""
    return _vector(vector, GUEST_VECTORS) if vector else "none"


def _vector(vector: int, names: dict[int, str]) -> str:
    return f"{vector_text(vector)} ({names[vector]})" if vector in names else vector_text(vector)


def request(number: int) -> str:
    """Return the name of a KVM request."""
    return REQUESTS.get(number, f"request {number}")


@dataclass(frozen=True)
class Event:
    """One event of one pCPU."""

    sequence: int
    """Its number among the events of its pCPU, from 0."""
    turn: int
    """The turn of the environment in which it happened; 0: before the first."""
    name: str
    argument: int

    @classmethod
    def of(cls, sequence: int, word: int) -> Event:
        """Read the word that a pCPU wrote."""
        number = word & 0xFF
        name = TRACE_EVENTS[number] if number < len(TRACE_EVENTS) else f"event {number}"
        return cls(sequence, word >> TURN_SHIFT & 0xFFFF_FFFF, name, word >> ARGUMENT_SHIFT & ARGUMENT_MASK)

    def text(self) -> str:
        """Return it as a line of a trace."""
        argument_text = _TEXTS.get(self.name, _plain)
        return f"{self.name}: {argument_text(self.argument & 0xFF, self.argument >> 8)}"


def _plain(low: int, high: int) -> str:
    return f"{low | high << 8:#x}"


def _exit(reason: int, vector: int) -> str:
    info = f", interrupt {host_vector(vector)}" if vector else ""
    return f"reason {EXITS.get(reason, str(reason))}{info}"


def _switch(runs: int, vcpu: int) -> str:
    return f"idle ==> vcpu {vcpu}" if runs else f"vcpu {vcpu} ==> idle"


def _sighting(check: int, vector: int) -> str:
    name = CHECKS[check] if check < len(CHECKS) else f"own_check_{check - len(CHECKS)}"
    return f"{name}, vector {guest_vector(vector - 1)}" if vector else name


_TEXTS: Final[dict[str, Callable[[int, int], str]]] = {
    "kvm_entry": lambda rvi, _: f"RVI {guest_vector(rvi)}",
    "kvm_exit": _exit,
    "kvm_apicv_accept_irq": lambda vector, vcpu: f"vcpu {vcpu}, vector {guest_vector(vector)}",
    "kvm_make_request": lambda number, vcpu: f"vcpu {vcpu}, {request(number)}",
    "kvm_vcpu_wakeup": lambda vcpu, _: f"vcpu {vcpu}",
    "ipi_send_cpu": lambda vector, cpu: f"cpu {cpu}, vector {host_vector(vector)}",
    "irq_vector_entry": lambda vector, _: f"vector {host_vector(vector)}",
    "sched_waking": lambda state, vcpu: f"vcpu {vcpu}, was {TASKS.get(state, str(state))}",
    "sched_switch": _switch,
    "posted_interrupt_processing": lambda rvi, _: f"RVI {guest_vector(rvi)}",
    "sighting": _sighting,
}
"""The text of each event's argument, in two parts: the low 8 bits, and those above."""
