"""Conformance of a step to the witness's: what the explorer and real processes must agree on, operation by operation.

The explorer keeps of the instruments' counters only what decides something (:mod:`hosts.explorer.threads.abstraction`),
the processes keep them whole. So their words are left out here, and of a mark that is odd while its pCPU is inside only
that is compared. Of a context word the number is left out: each side has its own for what is suspended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from emu.machine import Machine
from hosts.explorer.counterexample.witness import Row, Step, Witness
from hosts.explorer.model.operations import Op
from hosts.explorer.threads.abstraction import Role, folding
from hosts.replay.messages import Executed
from hosts.word64 import BASE

_NEVER: Final = frozenset({Op.GHOST_ADD.written, Op.RESET.written})
"""Operations that only the explorer has."""
_LIMIT: Final = 1 << 16
"""Numbers above are written in hexadecimal."""


class Comparison:
    """Compares what was done with what a witness has."""

    def __init__(self, witness: Witness, contexts: Collection[int] = ()) -> None:
        """Find the words that both sides have in full; ``contexts``: the context words of tasks."""
        machine = Machine(BASE)
        vcpus = witness.initial.get(machine.config.vcpus - BASE, 0)
        folds = folding(machine, len(witness.threads), vcpus, fold=True)
        balances = {role.other for role in folds.roles.values()}
        self._whole: set[str] = set()
        self._parity: set[str] = set()
        self._contexts: set[str] = set()
        for offset, name in witness.shared.items():
            role = folds.of(BASE + offset).role
            if role == Role.PARITY:
                self._parity.add(name)
            elif BASE + offset in contexts:
                self._contexts.add(name)
            elif role == Role.PLAIN and BASE + offset not in balances:
                self._whole.add(name)

    def step(self, step: Step, done: Sequence[Executed], *, cut_short: bool = False) -> str:
        """Return how a step, or with ``cut_short`` its beginning, differs from the witness's, or the empty string."""
        wanted = [self._normalised(row) for row in step.rows if self._compared(row)]
        got = [self._normalised(executed) for executed in done if self._compared(executed)]
        for one, other in zip(wanted, got, strict=False):
            if one != other:
                return f"the witness has {_operation_text(one)}, the process did {_operation_text(other)}"
        if len(wanted) > len(got) and not cut_short:
            return f"the witness has {_operation_text(wanted[len(got)])}, the process did nothing more"
        if len(got) > len(wanted):
            return f"the process did {_operation_text(got[len(wanted)])}, which is not in the witness"
        return ""

    def drained(self, step: Step, store: tuple[str, int]) -> str:
        """Return how a store that reached memory differs from the witness's, or the empty string."""
        word, value = store
        if word != step.word or (word in self._whole and value != step.value):
            return f"the witness has {step.value:#x} reach {step.word}, in the process {value:#x} reached {word}"
        return ""

    def _compared(self, row: Row | Executed) -> bool:
        words = (self._whole, self._parity, self._contexts)
        return row.kind not in _NEVER and (row.word == "" or any(row.word in known for known in words))

    def _normalised(self, row: Row | Executed) -> Executed:
        mask = 0 if row.word in self._contexts else 1 if row.word in self._parity else -1
        numbers = (row.a & mask, row.b, row.answer & mask)
        return Executed(row.kind, row.word, *numbers, row.function, Path(row.file).name, row.line)


def _operation_text(executed: Executed) -> str:
    """Return an operation as text."""
    operands = ", ".join(_number(number) for number in (executed.a, executed.b) if number)
    what = " ".join(part for part in (executed.kind, executed.word, f"({operands})" if operands else "") if part)
    return f"{what} -> {_number(executed.answer)} in {executed.function}:{executed.line}"


def _number(number: int) -> str:
    return hex(number) if abs(number) >= _LIMIT else str(number)
