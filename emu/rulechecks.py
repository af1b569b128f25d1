"""Bounds checks that the loader puts into a user's rule, so that the rule cannot leave its machine.

A kernel that divides by zero or sends an IPI to a CPU that is not there stops with an oops. Here the run ends and the
fault is told as the rule's, with its line, on every host (:func:`emu.waist.rule_fault`). The emulated kernel itself is
not checked: it does none of this.
"""

from __future__ import annotations

from typing import Final

from emu.machine import Vcpu, config
from emu.waist import local_read, rule_fault

FAULTS: Final = (
    "cpu",
    "vector",
    "slot",
    "index",
    "bit",
    "shift",
    "mode",
    "state",
    "choice",
    "divisor",
    "null",
    "endless",
)
"""What can be wrong. A position is the lower part of ``where``; the line in the user's file stands above it."""

(
    FAULT_CPU, FAULT_VECTOR, FAULT_SLOT, FAULT_INDEX, FAULT_BIT, FAULT_SHIFT, FAULT_MODE, FAULT_STATE, FAULT_CHOICE,
    FAULT_DIVISOR, FAULT_NULL, FAULT_ENDLESS,
) = range(len(FAULTS))  # fmt: skip

LINE_SHIFT: Final = 8
FILE_SHIFT: Final = 40
"""Above the line stands the number of the user's file."""
VECTOR_BOUND: Final = 256

MOST_TURNS: Final = 100_000
"""Turns of a loop in which nothing is done that another pCPU could notice or answer; more never end."""


def checked_below(where: int, value: int, bound: int) -> int:
    """Return a number that has to be 0 or more and less than ``bound``."""
    if value < 0 or value >= bound:
        rule_fault(where, value, bound)
    return value


def checked_cpu(where: int, cpu: int) -> int:
    """Return the number of a pCPU that there is."""
    return checked_below(where, cpu, local_read(config().pcpus))


def checked_or_none(where: int, vector: int) -> int:
    """Return a vector, or -1 for none."""
    return vector if vector == -1 else checked_below(where, vector, VECTOR_BOUND)


def checked_choice(where: int, n: int) -> int:
    """Return a number to choose below."""
    if n < 1 or n >= 1 << 31:
        rule_fault(where, n, 0)
    return n


def checked_divisor(where: int, divisor: int) -> int:
    """Return a number that is not 0."""
    if divisor == 0:
        rule_fault(where, 0, 0)
    return divisor


def checked_vcpu(where: int, vcpu: Vcpu) -> Vcpu:
    """Return a vCPU that there is."""
    if not vcpu:
        rule_fault(where, 0, 0)
    return vcpu


def checked_turn(where: int, turns: int) -> int:
    """Count a turn of a loop that does nothing anybody else could notice."""
    if turns >= MOST_TURNS:
        rule_fault(where, MOST_TURNS, 0)
    return turns + 1
