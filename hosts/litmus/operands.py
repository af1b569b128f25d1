"""The operands of an instruction: numbers, registers, and memory in AT&T's or Intel's form, whichever the syntax."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, NoReturn

from hosts.litmus import registers
from hosts.litmus.errors import LitmusError
from hosts.litmus.registers import Arch, Part
from hosts.litmus.syntax import Direct, Immediate, Indirect, Operand
from hosts.litmus.tokens import Cursor, Token, number

FLAT: Final = frozenset({"cs", "ds", "es", "ss"})
"""Segments that add nothing to an address."""
INSTRUCTION_POINTER: Final = "rip"
SCALES: Final = (1, 2, 4, 8)
REGISTER_MINUS: Final = re.compile(r"(\w+)-(\d+)", re.ASCII)
"""What is read as one name, as names have hyphens; with a register in front it is a sum."""


class Scaled(NamedTuple):
    """A register in an address."""

    register: Part
    scale: int


class Sum:
    """An address as it is read."""

    def __init__(self) -> None:
        self.name = ""
        self.offset = 0
        self.scaled: list[Scaled] = []


class Operands:
    """Reads the operands of one instruction."""

    def __init__(self, cursor: Cursor, arch: Arch, taken: list[str]) -> None:
        """``taken``: what has been read of the instruction, as text."""
        self._cursor = cursor
        self._arch = arch
        self._taken = taken

    def all(self) -> list[Operand]:
        """Read them, with their commas."""
        operands: list[Operand] = []
        if self._cursor.lookahead().text not in ("|", ";") and not self._cursor.ended:
            operands.append(self._operand(" "))
            while self._cursor.accept(","):
                operands.append(self._operand(","))
        return operands

    def _operand(self, before: str) -> Operand:
        self._taken.append(before)
        self._segment()
        token = self._cursor.lookahead()
        if token.kind == "immediate":
            return Immediate(number(self._take(), registers.width(self._arch)))
        if token.kind == "number" and self._cursor.lookahead(1).text not in ("(", "["):
            return Immediate(number(self._take(), registers.width(self._arch)))
        if token.text in ("(", "[") or token.kind == "number" or self._begins_address():
            return self._memory()
        return self._part(self._take())

    def _begins_address(self) -> bool:
        """Return whether a name is one of those in ``x(%rip)`` and ``x+4(,%rax,8)``."""
        token = self._cursor.lookahead()
        following = self._cursor.lookahead(1).text in ("(", "[", "+")
        return token.kind == "name" and following and registers.part(self._arch, token.text) is None

    def _segment(self) -> None:
        """Take a segment in front of an address."""
        if self._cursor.lookahead(1).text != ":":
            return
        token = self._take()
        if token.text.removeprefix("%").lower() not in FLAT:
            raise LitmusError(token.line, f"the segment {token} is not modelled")
        self._take()

    # --- memory --------------------------------------------------------------------------------------------------

    def _memory(self) -> Direct | Indirect:
        """Read ``(x)``, ``[rax+4]``, ``4(%rax)``, ``x+4(%rip)``, ``(%rax,%rbx,8)``."""
        found = Sum()
        line = self._cursor.line
        while self._cursor.lookahead().text not in ("(", "["):
            self._term(found)
        opening = self._take()
        closing = ")" if opening.text == "(" else "]"
        if self._cursor.lookahead().text != ",":
            self._term(found)
        while self._cursor.lookahead().text not in (closing, ","):
            self._term(found)
        if self._cursor.lookahead().text == ",":
            self._take()
            self._index(found)
        if self._cursor.lookahead().text != closing:
            self._refuse(line)
        self._take()
        return self._address(found, line)

    def _term(self, found: Sum) -> None:
        """Read one of what is added up."""
        token = self._take()
        split = REGISTER_MINUS.fullmatch(token.text)
        if token.text == "+":
            token = self._take()
        if token.kind == "number" and self._cursor.lookahead().text == "*":
            self._take()
            self._scaled(found, self._take(), token)
        elif token.kind == "number":
            found.offset += number(token)
        elif token.text.removeprefix("%").lower() == INSTRUCTION_POINTER and self._arch == "X86_64":
            if not found.name:
                self._refuse(token.line)
        elif self._is_register(token):
            self._scaled(found, token, self._factor())
        elif split is not None and registers.part(self._arch, split.group(1)) is not None:
            self._scaled(found, token._replace(text=split.group(1)), None)
            found.offset -= number(token._replace(text=split.group(2)))
        elif token.kind == "name" and not found.name:
            found.name = token.text
        else:
            self._refuse(token.line)

    def _factor(self) -> Token | None:
        if self._cursor.lookahead().text != "*":
            return None
        self._take()
        return self._take()

    def _index(self, found: Sum) -> None:
        """Read AT&T's ``,%rbx,8``."""
        register, factor = self._take(), None
        if self._cursor.lookahead().text == ",":
            self._take()
            factor = self._take()
        self._scaled(found, register, factor)

    def _scaled(self, found: Sum, register: Token, factor: Token | None) -> None:
        part = self._part(register)
        if part.bits != registers.width(self._arch):
            raise LitmusError(register.line, f"{register.text} is too narrow for an address")
        scale = 1 if factor is None else number(factor) if factor.kind == "number" else 0
        if scale not in SCALES:
            raise LitmusError(register.line, f"an index is scaled by 1, 2, 4 or 8, not by {factor}")
        found.scaled.append(Scaled(part, scale))

    def _address(self, found: Sum, line: int) -> Direct | Indirect:
        if not found.scaled and found.name:
            return Direct(found.name, found.offset)
        base = next((each for each in found.scaled if each.scale == 1), None)
        others = list(found.scaled)
        if base is not None:
            others.remove(base)
        if len(others) > 1 or not found.scaled:
            self._refuse(line)
        index = others[0] if others else None
        return Indirect(
            base.register if base is not None else None,
            found.offset,
            index.register if index is not None else None,
            index.scale if index is not None else 1,
            found.name,
        )

    def _refuse(self, line: int) -> NoReturn:
        raise LitmusError(line, "a memory operand is (x), [x+4], (%rax), 4(%rax), [rax+4], (%rax,%rbx,8) or x(%rip)")

    # --- registers -----------------------------------------------------------------------------------------------

    def _is_register(self, token: Token) -> bool:
        named = registers.part(self._arch, token.text.removeprefix("%")) is not None
        return token.kind == "register" or (token.kind == "name" and named)

    def _part(self, token: Token) -> Part:
        name = token.text.removeprefix("%")
        found = registers.part(self._arch, name) if token.kind in ("name", "register") else None
        if found is None or (self._arch == "X86" and token.kind == "register"):
            raise LitmusError(token.line, f"{token} is no register of {self._arch}, no number and no memory operand")
        return found

    def _take(self) -> Token:
        token = self._cursor.take()
        self._taken.append(token.text)
        return token
