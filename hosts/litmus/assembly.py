"""The columns ``P0 | P1 ;``: Intel's order of operands under X86, AT&T's under X86_64, as in herd7."""

from __future__ import annotations

from typing import Final

from hosts.litmus import registers
from hosts.litmus.errors import LitmusError
from hosts.litmus.registers import Arch, Part
from hosts.litmus.syntax import Immediate, Instruction, Named, Operand, Through
from hosts.litmus.tokens import Cursor, Token, number

SUFFIXES: Final = {"b": 8, "w": 16, "l": 32, "q": 64}
ALONE: Final = frozenset({"mfence", "sfence", "lfence", "nop", "endbr64"})
ONE: Final = frozenset({"inc", "dec", "not", "neg"})
BITS: Final = frozenset({"bt", "bts", "btr", "btc"})
TWO: Final = frozenset({"mov", "add", "sub", "and", "or", "xor", "cmp", "test"}) | BITS
EITHER_ORDER: Final = frozenset({"xchg", "cmpxchg", "xadd"})
"""herd7 wants cmpxchg's memory first, the assembler wants it last; it is known for what it is in either place."""
CONDITIONS: Final = {
    name: condition
    for condition, names in {
        "zf": ("sete", "setz"),
        "not zf": ("setne", "setnz"),
        "cf": ("setb", "setc", "setnae"),
        "not cf": ("setnb", "setnc", "setae"),
        "sf": ("sets",),
        "not sf": ("setns",),
    }.items()
    for name in names
}
LOCKABLE: Final = frozenset({"add", "sub", "and", "or", "xor", "xchg", "cmpxchg", "xadd", "bts", "btr", "btc"}) | ONE
JUMPS: Final = frozenset({"ret", "retq", "call", "loop"})


def read_threads(cursor: Cursor, arch: Arch) -> list[list[Instruction]]:
    """Read the heading and all rows."""
    cursor.accept(";")
    count = _heading(cursor)
    threads: list[list[Instruction]] = [[] for _ in range(count)]
    while not cursor.ended:
        line, cells = cursor.line, _row(cursor, arch)
        if len(cells) > count:
            raise LitmusError(line, f"{len(cells)} columns where the heading has {count}")
        for thread, cell in zip(threads, cells, strict=False):
            thread.extend([cell] if cell is not None else [])
    return threads


def _heading(cursor: Cursor) -> int:
    count = 0
    while True:
        token = cursor.expect_kind("name", f"P{count}")
        if token.text != f"P{count}":
            raise LitmusError(token.line, f"threads are named P0, P1, ...: P{count} is wanted where {token} stands")
        count += 1
        if cursor.accept(";"):
            return count
        cursor.expect("|")


def _row(cursor: Cursor, arch: Arch) -> list[Instruction | None]:
    cells: list[Instruction | None] = []
    while True:
        empty = cursor.peek().text in ("|", ";")
        cells.append(None if empty else _Reader(cursor, arch).instruction())
        if cursor.accept(";"):
            return cells
        if not cursor.accept("|"):
            cursor.refuse("'|' or ';'")


class _Reader:
    """Reads one instruction."""

    def __init__(self, cursor: Cursor, arch: Arch) -> None:
        self._cursor = cursor
        self._arch = arch
        self._taken: list[str] = []
        self._line = cursor.line

    def instruction(self) -> Instruction:
        locked = self._cursor.peek().text.lower() == "lock"
        if locked:
            self._taken.append(f"{self._cursor.take().text} ")
            self._cursor.accept(";")
        name, bits = self._name()
        operands = self._operands()
        found = self._made(name, bits, operands, locked=locked)
        if locked and (name not in LOCKABLE or not isinstance(found.target, (Named, Through))):
            raise LitmusError(self._line, f"{found.text}: no lock can be put there")
        return found

    def _name(self) -> tuple[str, int]:
        token = self._cursor.expect_kind("name", "an instruction")
        if self._cursor.peek().text == ":":
            raise LitmusError(token.line, f"labels are not read ({token.text}:)")
        self._taken.append(token.text)
        name = token.text.lower()
        if name in JUMPS or name.startswith("j"):
            raise LitmusError(token.line, f"jumps are not read ({token.text})")
        known = ALONE | ONE | TWO | EITHER_ORDER
        if name in known:
            return name, 0
        if name in CONDITIONS:
            return name, 8
        if name[:-1] in known - ALONE and name[-1] in SUFFIXES:
            return name[:-1], SUFFIXES[name[-1]]
        raise LitmusError(token.line, f"the instruction {token.text} is not read")

    def _operands(self) -> list[Operand]:
        operands: list[Operand] = []
        if self._cursor.peek().text not in ("|", ";") and not self._cursor.ended:
            operands.append(self._operand(" "))
            while self._cursor.accept(","):
                operands.append(self._operand(","))
        return operands

    def _made(self, name: str, bits: int, operands: list[Operand], *, locked: bool) -> Instruction:
        text = "".join(self._taken)
        wanted = 0 if name in ALONE else 1 if name in ONE or name in CONDITIONS else 2
        if len(operands) != wanted:
            raise LitmusError(self._line, f"{text}: {name} takes {wanted} operands")
        ordered = operands[::-1] if self._arch == "X86_64" else operands
        target, source = (*ordered, None, None)[:2]
        if name in EITHER_ORDER:
            target, source = self._sorted(name, target, source)
        if isinstance(target, Immediate):
            raise LitmusError(self._line, f"{text}: a number cannot be written to")
        if isinstance(target, (Named, Through)) and isinstance(source, (Named, Through)):
            raise LitmusError(self._line, f"{text}: no x86 instruction has two memory operands")
        width = self._width(text, bits, [each for each in operands if isinstance(each, Part)])
        return Instruction(name, self._line, text, target, source, width, locked)

    def _sorted(
        self, name: str, target: Operand | None, source: Operand | None
    ) -> tuple[Operand | None, Operand | None]:
        """Put the memory where it is written, whichever comes first in the text."""
        if isinstance(source, (Named, Through)):
            target, source = source, target
        text = "".join(self._taken)
        if not isinstance(source, Part):
            raise LitmusError(self._line, f"{text}: {name} takes a register")
        if name != "xchg" and isinstance(target, Part):
            raise LitmusError(self._line, f"{text}: {name} is read with a memory operand only")
        return target, source

    def _width(self, text: str, bits: int, parts: list[Part]) -> int:
        """Give the width of an operation, 0 if it is the location's."""
        widths = {each.bits for each in parts} | ({bits} if bits else set())
        if len(widths) > 1:
            raise LitmusError(self._line, f"{text}: widths differ ({' and '.join(map(str, sorted(widths)))} bits)")
        return widths.pop() if widths else 0

    # --- operands ------------------------------------------------------------------------------------------------

    def _operand(self, before: str) -> Operand:
        token = self._cursor.take()
        self._taken.append(before + token.text)
        if token.kind == "immediate":
            return Immediate(number(token.text))
        if token.text in ("(", "["):
            return self._memory(token)
        if token.kind == "number":
            if self._cursor.peek().text not in ("(", "["):
                return Immediate(number(token.text))
            if number(token.text) != 0:
                raise LitmusError(token.line, f"only the start of a location is read, no displacement ({token.text})")
            return self._memory(self._taking())
        return self._part(token)

    def _memory(self, opening: Token) -> Named | Through:
        inner = self._taking()
        if self._cursor.peek().text != (")" if opening.text == "(" else "]"):
            reason = "a memory operand is (x), [x], (%rax) or [rax]; scaled and segmented addresses are not read"
            raise LitmusError(opening.line, reason)
        self._taking()
        if inner.kind == "name" and registers.part(self._arch, inner.text) is None:
            if self._arch == "X86" and opening.text == "(":
                raise LitmusError(opening.line, f"under X86 a location is written [{inner.text}]")
            return Named(inner.text)
        part = self._part(inner)
        if part.bits != registers.width(self._arch):
            raise LitmusError(opening.line, f"{inner.text} is too narrow for an address")
        return Through(part)

    def _part(self, token: Token) -> Part:
        name = token.text.removeprefix("%")
        found = registers.part(self._arch, name) if token.kind in ("name", "register") else None
        if found is None or (self._arch == "X86" and token.kind == "register"):
            raise LitmusError(token.line, f"{token} is no register of {self._arch}, no number and no memory operand")
        return found

    def _taking(self) -> Token:
        token = self._cursor.take()
        self._taken.append(token.text)
        return token
