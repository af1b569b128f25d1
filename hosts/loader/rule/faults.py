"""Run-time faults of a user's rule, and the one wording in which every host reports them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emu.rulechecks import FAULTS, FILE_SHIFT, LINE_SHIFT

_TEXTS: Final = {
    "cpu": "sends an IPI to pCPU {value}; this machine has {range}",
    "vector": "uses vector {value}; a vector is {range}",
    "slot": "uses slot {value}; the guest's vectors have slots {range}",
    "index": "has index {value}; what it indexes has {range}",
    "bit": "uses bit {value}; a word has bits {range}",
    "shift": "shifts by {value}; a word is shifted by {range}",
    "mode": "writes {value} into vcpu.mode; a mode is {range}",
    "state": "writes {value} into a word that holds {range}",
    "choice": "chooses among {value}; there has to be something to choose from, and less than 2**31",
    "divisor": "divides by zero",
    "null": "uses a vCPU that is not there: kvm_get_running_vcpu() gives none on a pCPU that runs none",
    "endless": "goes round a loop {value:,} times and does nothing: it does not come to an end",
}


class RuleFault(Exception):  # noqa: N818 - the rule's, not the program's
    """A user's rule did what no machine can do; ``where``, ``value`` and ``bound`` as ``rule_fault`` has them."""

    def __init__(self, where: int, value: int, bound: int) -> None:
        super().__init__(where, value, bound)
        self.where, self.value, self.bound = where, value, bound

    @property
    def line(self) -> int:
        """The line of the user's file."""
        return (self.where & (1 << FILE_SHIFT) - 1) >> LINE_SHIFT

    @property
    def reason(self) -> str:
        """What the rule does there."""
        text = _TEXTS[FAULTS[self.where & (1 << LINE_SHIFT) - 1]]
        return text.format(value=self.value, range=f"0 to {self.bound - 1}" if self.bound != 1 else "0 only")

    def told(self, paths: Sequence[str]) -> str:
        """Say it in one line that begins with the file; ``paths``: of all of the user's."""
        file = self.where >> FILE_SHIFT
        return f"{paths[file] if file < len(paths) else 'the rule'}:{self.line}: {self.reason}"

    def __str__(self) -> str:
        return f"line {self.line} of the rule {self.reason}"
