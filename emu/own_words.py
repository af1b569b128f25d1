"""Where the words of a user's code lie. Loaded with a patch that brings words along, and with nothing else."""

from __future__ import annotations

from typing import Final

from emu.machine import OwnWords, Pcpu, Vcpu, machine

VCPU_BYTES: Final = Vcpu.nbytes
PCPU_BYTES: Final = Pcpu.nbytes


def own_of_vcpu(vcpu: Vcpu) -> OwnWords:
    """Return the words of a vCPU."""
    return machine().own_vcpus[(vcpu.at - machine().vcpus[0].at) // VCPU_BYTES]


def own_of_pcpu(pcpu: Pcpu) -> OwnWords:
    """Return the words of a pCPU."""
    return machine().own_pcpus[(pcpu.at - machine().pcpus[0].at) // PCPU_BYTES]


def own_of_all() -> OwnWords:
    """Return the words that there are once."""
    return machine().own_shared
