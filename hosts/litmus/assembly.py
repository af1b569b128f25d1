"""The columns ``P0 | P1 ;``: Intel's order of operands under X86, AT&T's under X86_64, as in herd7."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple, NoReturn

from hosts.litmus.condition_codes import CONDITIONS, Condition
from hosts.litmus.errors import LitmusError
from hosts.litmus.mnemonics import (
    CONDITIONAL_MOVES,
    EITHER_ORDER,
    EXTENDING,
    EXTENSIONS,
    FLUSHES,
    HINTS,
    JUMPS,
    KNOWN,
    LOCKABLE,
    NO_EFFECT,
    NO_OPERANDS,
    NON_TEMPORAL,
    ONE_OPERAND,
    SETS,
    SHIFTS,
    SUFFIXES,
    SYNONYMS,
)
from hosts.litmus.operands import Operands
from hosts.litmus.registers import COUNT_REGISTER, Arch, Part, width
from hosts.litmus.syntax import Direct, Immediate, Indirect, Instruction, Operand, Target
from hosts.litmus.tokens import Cursor, Token, check_fits

UNSCALED: str = "bt"
"""What the names of instructions on bits begin with; their number counts bits."""


@dataclass
class Column:
    """A thread as it is read."""

    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, cell: Cell) -> None:
        """Add what one cell holds."""
        for label in cell.labels:
            if label.text in self.labels:
                raise LitmusError(label.line, f"the label {label.text} stands here for the second time")
            self.labels[label.text] = len(self.instructions)
        self.instructions += [cell.instruction] if cell.instruction is not None else []

    def linked(self) -> list[Instruction]:
        """Return the instructions, each jump with where it goes."""
        return [self._linked(each) if each.name in JUMPS else each for each in self.instructions]

    def _linked(self, jump: Instruction) -> Instruction:
        if jump.label and jump.label not in self.labels:
            raise LitmusError(jump.line, f"{jump.text}: there is no label {jump.label} in this thread")
        return replace(jump, jump_target=self.labels[jump.label] if jump.label else len(self.instructions))


class Cell(NamedTuple):
    """What stands between two bars."""

    labels: list[Token]
    instruction: Instruction | None


def read_threads(cursor: Cursor, arch: Arch) -> list[list[Instruction]]:
    """Read the heading and all rows."""
    cursor.accept(";")
    columns = [Column() for _ in range(_heading(cursor))]
    while not cursor.ended:
        line, cells = cursor.line, _row(cursor, arch)
        if len(cells) > len(columns):
            raise LitmusError(line, f"{len(cells)} columns where the heading has {len(columns)}")
        for column, cell in zip(columns, cells, strict=False):
            column.add(cell)
    return [column.linked() for column in columns]


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


def _row(cursor: Cursor, arch: Arch) -> list[Cell]:
    cells: list[Cell] = []
    while True:
        labels = []
        while cursor.lookahead().kind == "name" and cursor.lookahead(1).text == ":":
            labels.append(cursor.take())
            cursor.take()
        empty = cursor.lookahead().text in ("|", ";") or cursor.ended
        cells.append(Cell(labels, None if empty else _Reader(cursor, arch).instruction()))
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
        locked = self._cursor.lookahead().text.lower() == "lock"
        if locked:
            self._taken.append(f"{self._cursor.take().text} ")
            self._cursor.accept(";")
        found = self._after_lock(locked=locked)
        if locked and (found.name not in LOCKABLE or not isinstance(found.target, (Direct, Indirect))):
            self._refuse("no lock can be put there")
        return found

    def _after_lock(self, *, locked: bool) -> Instruction:
        token = self._cursor.expect_kind("name", "an instruction")
        self._taken.append(token.text)
        name, bits, source_bits = self._known(token)
        if name in JUMPS:
            return self._jump(name)
        if name in HINTS - NO_OPERANDS:
            self._skip()
            return Instruction(name, self._line, self._text())
        operands = Operands(self._cursor, self._arch, self._taken).all()
        return self._made(name, bits, source_bits, operands, locked=locked)

    def _known(self, token: Token) -> tuple[str, int, int]:
        """Return an instruction's name, its width and that of what it reads; 0: not said."""
        written = token.text.lower()
        if written in EXTENDING:
            name, source_bits, bits = EXTENDING[written]
            return name, bits, source_bits
        narrow = written[:-1] if written[-1] in SUFFIXES else ""
        for spelt, bits in ((written, 0), (narrow, SUFFIXES.get(written[-1], 0))):
            name = SYNONYMS.get(spelt, spelt)
            if name in SETS and not bits:
                return name, 8, 0
            unsized = name in NO_OPERANDS | JUMPS | SETS or (name in EXTENSIONS and spelt == name)
            if name in KNOWN and not (bits and unsized):
                return name, bits, 0
        raise LitmusError(token.line, _unread(token.text))

    def _jump(self, name: str) -> Instruction:
        label = ""
        if name != "ret":
            label = self._cursor.expect_kind("name", "a label").text
            self._taken.append(f" {label}")
        return Instruction(name, self._line, self._text(), condition=_condition(name), label=label)

    def _skip(self) -> None:
        """Take the operands of what does nothing with them."""
        self._taken.append(" ")
        while self._cursor.lookahead().text not in ("|", ";") and not self._cursor.ended:
            self._taken.append(self._cursor.take().text)

    # --- operands in their places --------------------------------------------------------------------------------

    def _made(self, name: str, bits: int, source_bits: int, operands: list[Operand], *, locked: bool) -> Instruction:
        if name in SHIFTS and len(operands) == 1:
            operands = [Immediate(1), *operands] if self._arch == "X86_64" else [*operands, Immediate(1)]
        wanted = 0 if name in NO_OPERANDS else 1 if name in ONE_OPERAND | SETS | NO_EFFECT else 2
        if len(operands) != wanted:
            self._refuse(f"{name} takes {wanted} operand{'' if wanted == 1 else 's'}")
        ordered = operands[::-1] if self._arch == "X86_64" else operands
        target, source = (*ordered, None, None)[:2]
        if name in EITHER_ORDER or (name in CONDITIONAL_MOVES and not isinstance(target, Part)):
            target, source = self._sorted(name, target, source)
        checked = self._checked(name, target, source)
        bits = self._width(name, bits, target, source)
        source_bits = self._source_width(name, source_bits, source)
        self._check_number(name, bits, source)
        condition = _condition(name)
        return Instruction(
            name, self._line, self._text(), checked, source, bits, source_bits, locked, condition=condition
        )

    def _sorted(
        self, name: str, target: Operand | None, source: Operand | None
    ) -> tuple[Operand | None, Operand | None]:
        """Put the memory where it is written (by cmovcc: read), whichever comes first in the text."""
        if name in CONDITIONAL_MOVES or isinstance(source, (Direct, Indirect)):
            target, source = source, target
        if name in CONDITIONAL_MOVES:
            return target, source
        if not isinstance(source, Part):
            self._refuse(f"{name} takes a register")
        if name != "xchg" and isinstance(target, Part):
            self._refuse(f"{name} is read with a memory operand only")
        return target, source

    def _checked(self, name: str, target: Operand | None, source: Operand | None) -> Target | None:
        """Return what is written, which is no number; only one operand is in memory."""
        if isinstance(target, Immediate):
            self._refuse("a number cannot be written to")
        in_memory = [isinstance(each, (Direct, Indirect)) for each in (target, source)]
        if all(in_memory):
            self._refuse("no x86 instruction has two memory operands")
        if name == "lea" and in_memory != [False, True]:
            self._refuse("lea takes an address and a register")
        if name in CONDITIONAL_MOVES | EXTENSIONS and (in_memory[0] or isinstance(source, Immediate)):
            self._refuse(f"{name} takes a register, or memory, and a register to write to")
        if name in FLUSHES and not in_memory[0]:
            self._refuse(f"{name} takes an address")
        if name in SHIFTS and not (isinstance(source, Immediate) or source == COUNT_REGISTER):
            self._refuse("a shift is by a number or by cl")
        return target

    def _width(self, name: str, bits: int, target: Operand | None, source: Operand | None) -> int:
        """Return the width of an operation, 0 if it is the location's."""
        alike = (target,) if name in SHIFTS | EXTENSIONS else (target, source)
        widths = {each.bits for each in alike if isinstance(each, Part)} | ({bits} if bits else set())
        if len(widths) > 1:
            self._refuse(f"widths differ ({' and '.join(map(str, sorted(widths)))} bits)")
        return widths.pop() if widths else 0

    def _source_width(self, name: str, bits: int, source: Operand | None) -> int:
        """Return the width of what a widening move reads."""
        if name not in EXTENSIONS:
            return 0
        widths = ({source.bits} if isinstance(source, Part) else set()) | ({bits} if bits else set())
        if len(widths) != 1:
            self._refuse("how much it reads is not said, or twice")
        return widths.pop()

    def _check_number(self, name: str, bits: int, source: Operand | None) -> None:
        if isinstance(source, Immediate):
            counts = name in SHIFTS or name.startswith(UNSCALED)
            check_fits(self._line, source.value, 8 if counts else bits or width(self._arch))

    def _text(self) -> str:
        return "".join(self._taken).rstrip()

    def _refuse(self, reason: str) -> NoReturn:
        raise LitmusError(self._line, f"{self._text()}: {reason}")


def _condition(name: str) -> Condition | None:
    for begin in ("cmov", "set", "j"):
        if name.startswith(begin):
            return CONDITIONS.get(name.removeprefix(begin))
    return None


def _unread(name: str) -> str:
    if name.lower().startswith(NON_TEMPORAL):
        return f"{name} is not read: x86-TSO does not speak of non-temporal accesses"
    return f"the instruction {name} is not read"
