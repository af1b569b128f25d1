"""Random C expressions whose value C defines: no operand is changed that another one uses at an unspecified time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.c_semantics.generator.widths import INT, NAMED, S64, U32, U64, Width, common, promoted

Names = frozenset[str]
NONE: Final[Names] = frozenset()

COMMA, ASSIGN, COND, OR, AND, BIT_OR, BIT_XOR, BIT_AND, EQUAL, ORDER, SHIFT, SUM, PRODUCT, UNARY, POSTFIX, PRIMARY = (
    range(16)
)

BINARY: Final = {
    "|": BIT_OR, "^": BIT_XOR, "&": BIT_AND, "==": EQUAL, "!=": EQUAL, "<": ORDER, "<=": ORDER, ">": ORDER, ">=": ORDER,
    "<<": SHIFT, ">>": SHIFT, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT,
}  # fmt: skip
COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")
ASSIGNMENTS: Final = ("=", "+=", "-=", "*=", "&=", "|=", "^=", "<<=", ">>=", "/=", "%=")

LITERALS: Final = (
    *("0", "1", "2", "3", "5", "7", "8", "15", "16", "31", "63", "100", "127", "128", "255", "256", "1000"),
    *("0x7f", "0x80", "0xff", "0x100", "0x7fff", "0x8000", "0xffff", "0x10000", "0x7fffffff", "0x80000000"),
    *("0xffffffff", "0x100000000", "0xdeadbeef", "0x5555555555555555", "0x7fffffffffffffff", "0x8000000000000000"),
    *("2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "1U", "0u", "255u", "1UL"),
    *("0x80000000U", "4294967295u", "0xffffffffULL", "1ULL", "3L", "0xffffffffL", "1LL", "0xffffffffffffffffULL"),
    *("0777", "017", "'a'", "'\\n'", "'\\0'", "'0'"),
)


@dataclass(frozen=True)
class Expr:
    """An expression, its type, and what it reads and changes."""

    text: str
    width: Width
    level: int = PRIMARY
    """How tightly its outermost operator binds."""
    reads: Names = NONE
    writes: Names = NONE

    def at(self, level: int) -> str:
        """Return it as an operand of an operator of this level."""
        return self.text if self.level >= level else f"({self.text})"


def literal_width(text: str) -> Width:
    """Return the type of an integer constant."""
    if text.startswith("'"):
        return INT
    digits = text.rstrip("uUlL")
    suffix = text[len(digits) :].upper()
    decimal = not digits.startswith("0") or digits == "0"
    value = int(digits, 0) if decimal or digits.lower().startswith("0x") else int(digits, 8)
    unsigned = "U" in suffix
    sizes = [64] if "L" in suffix else [32, 64]
    for bits in sizes:
        if not unsigned and value < 1 << (bits - 1):
            return INT if bits == INT.bits else S64
        if (unsigned or not decimal) and value < 1 << bits:
            return U32 if bits == U32.bits else U64
    raise ValueError(text)


@dataclass
class Draw:
    """Draws expressions over what is in scope."""

    rng: random.Random
    variables: dict[str, Width]
    arrays: dict[str, tuple[Width, int]] = field(default_factory=dict)
    """Elements' type and how many there are: a power of two."""
    fixed: set[str] = field(default_factory=set)
    """Variables that nothing may change now: a loop counts with them."""
    helpers: list[tuple[str, Width, tuple[Width, ...], tuple[Width, ...]]] = field(default_factory=list)
    """Functions: name, result, what they take, and what they give by pointers."""
    effects: bool = False
    kinds: Sequence[str] = ("binary", "binary", "binary", "unary", "compare", "logic", "cond", "cast")

    def expr(self, depth: int, no_reads: Names = NONE, no_writes: Names = NONE) -> Expr:
        """Return an expression that reads none of the one and changes none of the other."""
        if depth <= 0 or self.rng.random() < 0.1:
            return self.leaf(no_reads)
        kinds = [*self.kinds, *(["effect", "comma"] if self.effects else []), *(["call"] if self.helpers else [])]
        return getattr(self, self.rng.choice(kinds))(depth - 1, no_reads, no_writes)

    def leaf(self, no_reads: Names = NONE) -> Expr:
        """Return a variable, an element or a constant."""
        readable = [name for name in self.variables if name not in no_reads]
        arrays = [name for name in self.arrays if name not in no_reads]
        if arrays and self.rng.random() < 0.3:
            name = self.rng.choice(arrays)
            width, size = self.arrays[name]
            return Expr(f"{name}[{self.rng.randrange(size)}]", width, POSTFIX, frozenset({name}))
        if readable and self.rng.random() < 0.75:
            name = self.rng.choice(readable)
            return Expr(name, self.variables[name], PRIMARY, frozenset({name}))
        text = self.rng.choice(LITERALS)
        return Expr(text, literal_width(text))

    def pair(self, depth: int, no_reads: Names, no_writes: Names) -> tuple[Expr, Expr]:
        """Return two expressions that are computed in any order."""
        left = self.expr(depth, no_reads, no_writes)
        right = self.expr(depth, no_reads | left.writes, no_writes | left.writes | left.reads)
        return left, right

    def binary(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return two operands and an operator."""
        operator = self.rng.choice(("|", "^", "&", "+", "-", "*", "<<", ">>", "/", "%"))
        left, right = self.pair(depth, no_reads, no_writes)
        return self.joined(left, operator, right)

    def joined(self, left: Expr, operator: str, right: Expr) -> Expr:
        """Return two operands with their operator, the right one so that the result is mostly defined."""
        level = BINARY[operator]
        if operator in ("<<", ">>"):
            right = self.amount(promoted(left.width), right)
        elif operator in ("/", "%") and self.rng.random() < 0.8:
            right = both(right.at(BIT_OR) + " | 1", BIT_OR, promoted(right.width), right)
        width = promoted(left.width) if level == SHIFT else common(left.width, right.width)
        width = INT if operator in COMPARISONS else width
        return both(f"{left.at(level)} {operator} {right.at(level + 1)}", level, width, left, right)

    def amount(self, shifted: Width, by: Expr) -> Expr:
        """Return how far a value is shifted."""
        if self.rng.random() < 0.3:
            return Expr(str(self.rng.choice((0, 1, 7, 8, 15, 16, 31, shifted.bits - 1))), INT)
        mask = self.rng.choice(("7", "31", str(shifted.bits - 1)))
        return both(f"{by.at(BIT_AND)} & {mask}", BIT_AND, common(by.width, INT), by)

    def compare(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return a comparison."""
        left, right = self.pair(depth, no_reads, no_writes)
        return self.joined(left, self.rng.choice(COMPARISONS), right)

    def unary(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return one operand and an operator."""
        operator = self.rng.choice(("-", "~", "!", "!!", "+"))
        inner = self.expr(depth, no_reads, no_writes)
        text = inner.at(UNARY)
        text = f"({text})" if text[0] in "+-" else text
        return both(operator + text, UNARY, INT if "!" in operator else promoted(inner.width), inner)

    def cast(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return a cast."""
        width = self.rng.choice(NAMED)
        inner = self.expr(depth, no_reads, no_writes)
        return both(f"({width.name}){inner.at(UNARY)}", UNARY, width, inner)

    # --- operands in order ---------------------------------------------------------------------------------------

    def logic(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return ``&&`` or ``||``."""
        operator, level = self.rng.choice((("&&", AND), ("||", OR)))
        left, right = (self.expr(depth, no_reads, no_writes) for _ in range(2))
        return both(f"{left.at(level)} {operator} {right.at(level + 1)}", level, INT, left, right)

    def cond(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return a ``?:``."""
        asked, yes, no = (self.expr(depth, no_reads, no_writes) for _ in range(3))
        text = f"{asked.at(OR)} ? {yes.at(COND)} : {no.at(COND)}"
        return both(text, COND, common(yes.width, no.width), asked, yes, no)

    def comma(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return two expressions, the first of which only has an effect."""
        left, right = (self.expr(depth, no_reads, no_writes) for _ in range(2))
        return both(f"({left.at(ASSIGN)}, {right.at(ASSIGN)})", PRIMARY, right.width, left, right)

    # --- effects -------------------------------------------------------------------------------------------------

    def changeable(self, no_writes: Names = NONE) -> list[str]:
        """Return the variables that may be changed here."""
        return [name for name in self.variables if name not in no_writes and name not in self.fixed]

    def effect(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return an assignment."""
        names = self.changeable(no_writes | no_reads)
        return self.change(self.rng.choice(names), depth, no_reads, no_writes) if names else self.leaf(no_reads)

    def change(self, name: str, depth: int, no_reads: Names = NONE, no_writes: Names = NONE) -> Expr:
        """Return an assignment to a variable."""
        width = self.variables[name]
        if self.rng.random() < 0.4:
            text = self.rng.choice(("{}++", "{}--", "++{}", "--{}")).format(name)
            return Expr(text, width, UNARY if text.endswith(name) else POSTFIX, frozenset({name}), frozenset({name}))
        value = self.expr(depth, no_reads, no_writes | {name})
        return self.assigned(Expr(name, width, PRIMARY, frozenset({name})), self.rng.choice(ASSIGNMENTS), value)

    def assigned(self, target: Expr, operator: str, value: Expr) -> Expr:
        """Return an assignment to a place, with a right side for which it is mostly defined."""
        if operator in ("<<=", ">>="):
            value = self.amount(promoted(target.width), value)
        elif operator in ("/=", "%="):
            value = both(value.at(BIT_OR) + " | 1", BIT_OR, promoted(value.width), value)
        whole = both(f"{target.text} {operator} {value.at(ASSIGN)}", ASSIGN, target.width, value, target)
        return Expr(whole.text, whole.width, ASSIGN, whole.reads, whole.writes | target.reads)

    def call(self, depth: int, no_reads: Names, no_writes: Names) -> Expr:
        """Return a call of a helper."""
        name, width, taken, given = self.rng.choice(self.helpers)
        parts: list[Expr] = []
        reads, writes = no_reads, no_writes
        for _ in taken:
            part = self.expr(min(depth, 1), reads, writes)
            parts.append(part)
            reads, writes = reads | part.writes, writes | part.reads | part.writes
        for wanted in given:
            fit = [each for each in self.changeable(writes | reads) if self.variables[each].same(wanted)]
            if not fit:
                return self.leaf(no_reads)
            chosen = self.rng.choice(fit)
            parts.append(Expr(f"&{chosen}", U64, UNARY, frozenset({chosen}), frozenset({chosen})))
            reads, writes = reads | {chosen}, writes | {chosen}
        return both(f"{name}({', '.join(part.at(ASSIGN) for part in parts)})", POSTFIX, width, *parts)


def both(text: str, level: int, width: Width, *parts: Expr) -> Expr:
    """Return an expression made of parts."""
    return Expr(text, width, level, _all(part.reads for part in parts), _all(part.writes for part in parts))


def _all(names: Iterable[Names]) -> Names:
    return frozenset().union(*names)
