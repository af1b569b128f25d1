"""What Linux gives to all of its code: the accesses of its memory model, barriers, bits, ``min`` and ``max``."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hosts.loader.c.arithmetic import binary, call, compare, convert, operation
from hosts.loader.c.expressions import Expressions
from hosts.loader.c.source import text_of
from hosts.loader.c.structuring import cloned, located
from hosts.loader.c.types import BOOL, INT, INT_BITS, LONG, UINT, ULONG, WORD_BITS, Array, CType, Integer
from hosts.loader.c.types import common as common_type
from hosts.loader.c.values import (
    Address,
    ArrayPlace,
    FixedPlace,
    LocalPlace,
    Nothing,
    Number,
    PagePlace,
    Place,
    Value,
    WordPlace,
    WordsPlace,
    constant,
    flag,
    ranged,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Operations(Expressions):
    """Operations by name: ``op_<name>`` takes the arguments and the call."""

    def place_given(self, node: Node) -> tuple[Place, CType]:
        """Return what an argument that is a pointer leads to."""
        value = self.expression(node)
        if not isinstance(value, Address) or value.place is None:
            self.refuse(node, f"{text_of(node)}: a pointer to something belongs here")
        return value.place, value.to

    def integer_at(self, node: Node) -> tuple[Place, Integer]:
        """Return the place of an integer that a pointer leads to."""
        place, kind = self.place_given(node)
        if isinstance(kind, Array) and isinstance(kind.of, Integer):
            kind = kind.of
        if not isinstance(kind, Integer):
            self.refuse(node, f"{text_of(node)}: a pointer to an integer belongs here, not to {kind}")
        return self.stable(place), kind

    def is_shared(self, place: Place, node: Node) -> bool:
        """Return whether other CPUs may use a place."""
        if isinstance(place, PagePlace):
            place = self.register(place, node)
        return isinstance(place, WordPlace | WordsPlace) and place.shared

    # --- accesses ------------------------------------------------------------------------------------------------

    def op_read_once(self, arguments: list[Node], node: Node) -> Value:
        """Load once."""
        return self.value_of(self.reference(arguments[0]), node)

    def op_write_once(self, arguments: list[Node], node: Node) -> Value:
        """Store once."""
        (place, kind), value = self.in_order(lambda: self.target(arguments[0]), lambda: self.expression(arguments[1]))
        self.stored(place, kind, value, node, used=False)
        return Nothing()

    def op_load_acquire(self, arguments: list[Node], node: Node) -> Value:
        """Load before all that follows."""
        place, kind = self.integer_at(arguments[0])
        value = self.load(place, kind, node)
        if self.is_shared(place, node):
            return replace(value, node=_renamed(value.node, "READ_ONCE", "smp_load_acquire"))
        return value

    def op_store_release(self, arguments: list[Node], node: Node) -> Value:
        """Store after all that went before."""
        (place, kind), value = self.in_order(lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]))
        with self.steps() as made:
            self.store(place, convert(value, kind), node)
        for step in made:
            step.statement = _renamed(step.statement, "WRITE_ONCE", "smp_store_release")  # type: ignore[union-attr]
        self.out += made
        return Nothing()

    def op_store_mb(self, arguments: list[Node], node: Node) -> Value:
        """Store, and a full barrier."""
        self.op_write_once(arguments, node)
        return self.op_mb([], node)

    def op_mb(self, arguments: list[Node], node: Node) -> Value:
        """Make a full barrier."""
        return self.void("smp_mb", [], node)

    def op_wmb(self, arguments: list[Node], node: Node) -> Value:
        """Order stores."""
        return self.void("smp_wmb", [], node)

    def op_rmb(self, arguments: list[Node], node: Node) -> Value:
        """Order loads."""
        return self.void("smp_rmb", [], node)

    def op_relax(self, arguments: list[Node], node: Node) -> Value:
        """Let others go on."""
        return self.void("cpu_relax", [], node)

    def op_nothing(self, arguments: list[Node], node: Node) -> Value:
        """Do nothing: on x86 this constrains the compiler only, or is checked by it."""
        self.note(self.report.dropped, node, text_of(node), "", "no instruction on x86")
        return Nothing()

    def void(self, name: str, arguments: list[ast.expr], node: Node) -> Value:
        """Call a primitive that gives nothing."""
        self.line = self.at(node)
        self.emit(ast.Expr(call(name, *arguments)))
        return Nothing()

    # --- locked operations ---------------------------------------------------------------------------------------

    def locked_word(self, place: Place, kind: Integer, node: Node) -> tuple[ast.expr, int] | None:
        """Return the shared word that a place is, or whose half, and where that begins; None: it is private."""
        if not self.is_shared(place, node):
            return None
        word, shift = self.whole_word(place, node)
        if isinstance(place, WordPlace) and not place.bits and place.type.bits == kind.bits:
            return word, -1
        if shift.constant is None:
            self.refuse(node, f"{text_of(node)}: which half of a word this is cannot be told")
        return word, -1 if kind.bits == WORD_BITS else shift.constant

    def op_xchg(self, arguments: list[Node], node: Node) -> Value:
        """Exchange, locked."""
        (place, kind), value = self.in_order(lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]))
        value = convert(value, kind)
        found = self.locked_word(place, kind, node)
        if found is None:
            old = self.frozen(self.load(place, kind, node), "old")
            self.store(place, value, node)
            return old
        word, shift = found
        if shift < 0:
            return Number(call("xchg", word, value.node), kind, kind.least, kind.most, pure=False)
        if value.constant != 0:
            self.refuse(node, f"{text_of(node)}: an exchange of a part of a word is translated for 0 only")
        if kind.bits != INT_BITS:
            self.refuse(node, f"{text_of(node)}: an exchange of {kind.bits} bits")
        taken = call("take_half", word, ast.Constant(shift // INT_BITS))
        return convert(Number(taken, UINT, 0, UINT.most, pure=False), kind)

    def op_cmpxchg(self, arguments: list[Node], node: Node) -> Value:
        """Compare and exchange, locked; return what was there."""
        (place, kind), old, new = self.in_order(
            lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]), lambda: self.number(arguments[2])
        )
        return self.exchanged_if(place, kind, convert(old, kind), convert(new, kind), node)

    def exchanged_if(self, place: Place, kind: Integer, old: Number, new: Number, node: Node) -> Number:
        """Compare and exchange."""
        self.line = self.at(node)
        found = self.locked_word(place, kind, node)
        if found is None:
            old, new = (each if each.pure else self.frozen(each) for each in (old, new))
            was = self.frozen(self.load(place, kind, node), "was")
            same = compare("==", was, old)
            both = ast.IfExp(cloned(same.node), cloned(new.node), cloned(was.node))
            least, most = min(new.least, was.least), max(new.most, was.most)
            self.store(place, ranged(both, kind, least, most), node)
            return was
        word, shift = found
        if shift >= 0:
            self.refuse(node, f"{text_of(node)}: a compare-and-exchange of a part of a word")
        return Number(call("cmpxchg", word, old.node, new.node), kind, kind.least, kind.most, pure=False)

    def op_try_cmpxchg(self, arguments: list[Node], node: Node) -> Value:
        """Compare and exchange; return whether it was done, and put what was there where the old value is."""
        (place, kind), (kept, old_kind), new = self.in_order(
            lambda: self.integer_at(arguments[0]),
            lambda: self.integer_at(arguments[1]),
            lambda: self.number(arguments[2]),
        )
        old = self.kept(convert(self.load(kept, old_kind, node), kind), "expected")
        was = self.kept(self.exchanged_if(place, kind, old, convert(new, kind), node), "was")
        done = self.frozen(flag(compare("==", was, old), BOOL), "exchanged")
        self.store(kept, convert(was, old_kind), node)
        return done

    def op_atomic_inc(self, arguments: list[Node], node: Node) -> Value:
        """Add one, locked."""
        place, kind = self.integer_at(arguments[0])
        found = self.locked_word(place, kind, node)
        if found is not None:
            if found[1] >= 0:
                self.refuse(node, f"{text_of(node)}: an atomic counter that is a part of a word")
            return self.void("atomic_inc", [found[0]], node)
        return self._counted(place, kind, 1, node)

    def op_atomic_dec(self, arguments: list[Node], node: Node) -> Value:
        """Subtract one, locked."""
        place, kind = self.integer_at(arguments[0])
        if self.locked_word(place, kind, node) is not None:
            self.refuse(node, f"{text_of(node)}: this machine has no such operation on a shared word")
        return self._counted(place, kind, -1, node)

    def _counted(self, place: Place, kind: Integer, by: int, node: Node) -> Value:
        if not isinstance(place, LocalPlace | ArrayPlace):
            self.note(self.report.remarks, node, text_of(node), "no barrier", "only one thread has this word here")
        new = binary("+", self.load(place, kind, node), constant(by, kind))
        self.store(place, convert(new, kind), node)
        return Nothing()

    def op_atomic_read(self, arguments: list[Node], node: Node) -> Value:
        """Load."""
        place, kind = self.integer_at(arguments[0])
        return self.load(place, kind, node)

    def op_atomic_set(self, arguments: list[Node], node: Node) -> Value:
        """Store."""
        (place, kind), value = self.in_order(lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]))
        self.store(place, convert(value, kind), node)
        return Nothing()

    # --- bits ----------------------------------------------------------------------------------------------------

    def bit_given(self, arguments: list[Node], node: Node) -> tuple[Place, ast.expr | None, Number]:
        """Return the place of a bitmap, its word if it is the machine's, and the bit in that."""
        number, place = self.in_order(
            lambda: convert(self.number(arguments[0]), LONG), lambda: self.place_given(arguments[1])[0]
        )
        if isinstance(place, LocalPlace | ArrayPlace):
            return place, None, number
        if isinstance(place, PagePlace):
            found = self.register(place, node)
            word, shift = self.whole_word(found, node)
            return found, word, binary("+", shift, number)
        word, bit = self.bit_of(place, number, node)
        return place, word, bit

    def fixed_bits(self, node: Node) -> FixedPlace | None:
        """Return the register that is always empty here, if it is one."""
        with self.steps():
            place = self.place_given(node)[0]
            found = self.register(place, node) if isinstance(place, PagePlace) else place
        return found if isinstance(found, FixedPlace) and found.value == 0 else None

    def op_constant_p(self, arguments: list[Node], node: Node) -> Value:
        """Return whether an argument is known."""
        with self.steps():
            known = self.number(arguments[0]).constant is not None
        return constant(int(known), INT)

    def op_test_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return whether a bit is set, by a plain load."""
        fixed = self.fixed_bits(arguments[1])
        if fixed is not None:
            self.note(self.report.constants, node, text_of(node), "0", fixed.reason)
            return constant(0, BOOL)
        place, word, bit = self.bit_given(arguments, node)
        if word is None:
            value = self._local_bitmap(place, bit, node)
            return flag(compare("!=", binary("&", value, _bit(bit)), constant(0, ULONG)))
        name = "READ_ONCE" if self.is_shared(place, node) else "local_read"
        return self.tested(call(name, word), bit)

    def _local_bitmap(self, place: Place, bit: Number, node: Node) -> Number:
        if bit.least < 0 or bit.most >= WORD_BITS or not isinstance(place, LocalPlace):
            self.refuse(node, f"{text_of(node)}: a bit of a local has a number up to 63 here")
        assert isinstance(place.variable.type, Integer)  # noqa: S101 - what else is of no such place
        return convert(self.load(place, place.variable.type, node), ULONG)

    def bit_changed(self, arguments: list[Node], node: Node, name: str, *, locked: bool) -> Value:
        """Set or clear a bit, and return whether it was set, if the name asks."""
        place, word, bit = self.bit_given(arguments, node)
        asks, sets = name.startswith("test_and_"), name.endswith("set_bit")
        if word is not None and locked and self.is_shared(place, node):
            made = call(name, bit.node, word)
            if asks:
                return Number(made, INT, 0, 1, pure=False)
            self.line = self.at(node)
            self.emit(ast.Expr(made))
            return Nothing()
        if word is None:
            old = self.kept(self._local_bitmap(place, bit, node), "old")
        else:
            read = call("READ_ONCE" if self.is_shared(place, node) else "local_read", cloned(word))
            old = self.frozen(Number(read, ULONG, ULONG.least, ULONG.most, pure=False), "old")
        was = flag(compare("!=", binary("&", old, _bit(bit)), constant(0, ULONG)))
        if asks:
            was = self.frozen(was, "was_set")
        new = binary("|", old, _bit(bit)) if sets else binary("&", old, _not(_bit(bit)))
        if word is None:
            assert isinstance(place, LocalPlace)  # noqa: S101 - see _local_bitmap
            assert isinstance(place.variable.type, Integer)  # noqa: S101
            self.store(place, convert(new, place.variable.type), node)
        else:
            write = call("WRITE_ONCE" if self.is_shared(place, node) else "local_write", word, new.node)
            self.line = self.at(node)
            self.emit(ast.Expr(write))
        return was if asks else Nothing()

    def op_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return an ``unsigned long`` with one bit set."""
        return binary("<<", constant(1, ULONG), self.number(arguments[0]))

    def op_last_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the highest set bit, from 0; not defined for 0."""
        value = convert(self.number(arguments[0]), ULONG)
        return self._position(value, ULONG, -1)

    def op_fls(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the highest set bit of 32, from 1; 0 if there is none."""
        return self._position(convert(self.number(arguments[0]), UINT), INT, 0)

    def op_fls64(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the highest set bit, from 1; 0 if there is none."""
        return self._position(convert(self.number(arguments[0]), ULONG), INT, 0)

    def _position(self, value: Number, kind: Integer, less: int) -> Number:
        if value.constant is not None:
            known = (value.constant & ((1 << WORD_BITS) - 1)).bit_length() + less
            return constant(known, kind)
        most = value.most.bit_length() if value.least >= 0 else WORD_BITS
        node = call("fls64", value.node)
        if less:
            node = operation(node, ast.Sub, ast.Constant(-less))
        return ranged(
            node,
            kind,
            max(1 + less, 0) if value.least > 0 else min(0, less) if not less else 0,
            most + less,
            pure=value.pure,
        )

    def op_first_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the lowest set bit, from 0; not defined for 0."""
        value = self.kept(convert(self.number(arguments[0]), ULONG))
        lowest = operation(cloned(value.node), ast.BitAnd, ast.UnaryOp(ast.USub(), cloned(value.node)))
        return self._position(Number(lowest, ULONG, ULONG.least, ULONG.most, value.pure), ULONG, -1)

    def op_hweight(self, arguments: list[Node], node: Node) -> Value:
        """Count the set bits of 32."""
        value = convert(self.number(arguments[0]), UINT)
        return ranged(call("hweight64", value.node), UINT, 0, 32, pure=value.pure)

    def op_hweight64(self, arguments: list[Node], node: Node) -> Value:
        """Count the set bits."""
        value = convert(self.number(arguments[0]), ULONG)
        return ranged(call("hweight64", value.node), ULONG, 0, WORD_BITS, pure=value.pure)

    # --- the rest ------------------------------------------------------------------------------------------------

    def op_likely(self, arguments: list[Node], node: Node) -> Value:
        """Return whether a condition holds."""
        return flag(self.test(arguments[0]))

    def op_same(self, arguments: list[Node], node: Node) -> Value:
        """Return the argument."""
        return self.expression(arguments[0])

    def op_array_size(self, arguments: list[Node], node: Node) -> Value:
        """Return how many elements an array has."""
        kind = self.type_of_operand(arguments[0])
        if not isinstance(kind, Array):
            self.refuse(node, f"{text_of(node)}: this is no array")
        return constant(kind.count, ULONG)

    def lesser(self, arguments: list[Node], node: Node, operator: str, kind: Integer | None = None) -> Value:
        """Return the lesser or greater of two numbers."""
        one, other = self.in_order(*(lambda each=each: self.number(each) for each in arguments[-2:]))
        kind = kind or common_type(one.type, other.type)
        one, other = self.kept(convert(one, kind)), self.kept(convert(other, kind))
        test = compare(operator, one, other)
        if test.always is not None:
            return one if test.always else other
        choose = min if operator == "<" else max
        least, most = choose(one.least, other.least), choose(one.most, other.most)
        if kind.bits == WORD_BITS and not kind.signed and min(one.least, other.least) < 0:
            least, most = kind.least, kind.most
        return ranged(ast.IfExp(test.node, cloned(one.node), cloned(other.node)), kind, least, most)

    def lesser_typed(self, arguments: list[Node], node: Node, operator: str) -> Value:
        """Return the lesser or greater of two numbers, as a type that is named."""
        kind = self.type_in(arguments[0])
        if not isinstance(kind, Integer):
            self.refuse(node, f"{text_of(node)}: integers are compared")
        return self.lesser(arguments[1:], node, operator, kind)

    def type_in(self, node: Node) -> CType:
        """Return a type that is an argument."""
        return self.base_type(node) if node.type != "identifier" else self.any_type_named(text_of(node), node)

    def op_swap(self, arguments: list[Node], node: Node) -> Value:
        """Exchange two places."""
        (one, kind), (other, second) = self.in_order(
            lambda: self.target(arguments[0]), lambda: self.target(arguments[1])
        )
        if not isinstance(kind, Integer) or not isinstance(second, Integer):
            self.refuse(node, f"{text_of(node)}: integers are exchanged")
        left = self.frozen(self.load(one, kind, node))
        self.store(one, convert(self.load(other, second, node), kind), node)
        self.store(other, convert(left, second), node)
        return Nothing()


def _bit(bit: Number) -> Number:
    return binary("<<", constant(1, ULONG), bit)


def _not(value: Number) -> Number:
    return Number(ast.UnaryOp(ast.Invert(), value.node), ULONG, ULONG.least, ULONG.most, value.pure)


def _renamed(node: Any, old: str, new: str) -> Any:
    """Return an expression or statement that calls another primitive."""
    copied = located(cloned(node), getattr(node, "lineno", 1))
    for each in ast.walk(copied):
        if isinstance(each, ast.Name) and each.id == old:
            each.id = new
    return copied


_BITS: Final = ("set_bit", "clear_bit", "test_and_set_bit", "test_and_clear_bit")
Operation = Callable[[Operations, list["Node"], "Node"], Value]


def _changing(name: str, *, locked: bool) -> Operation:
    return lambda self, arguments, node: self.bit_changed(arguments, node, name, locked=locked)


def _lesser(operator: str) -> Operation:
    return lambda self, arguments, node: self.lesser(arguments, node, operator)


def _lesser_typed(operator: str) -> Operation:
    return lambda self, arguments, node: self.lesser_typed(arguments, node, operator)


OPERATIONS: Final[dict[str, tuple[int, Operation]]] = {
    **dict.fromkeys(("READ_ONCE", "ACCESS_ONCE", "READ_ONCE_NOCHECK"), (1, Operations.op_read_once)),
    "__builtin_constant_p": (1, Operations.op_constant_p),
    "WRITE_ONCE": (2, Operations.op_write_once),
    "smp_load_acquire": (1, Operations.op_load_acquire),
    "smp_store_release": (2, Operations.op_store_release),
    **dict.fromkeys(("smp_store_mb", "set_mb"), (2, Operations.op_store_mb)),
    **dict.fromkeys(("smp_mb", "mb"), (0, Operations.op_mb)),
    **dict.fromkeys(("smp_wmb", "wmb"), (0, Operations.op_wmb)),
    **dict.fromkeys(("smp_rmb", "rmb"), (0, Operations.op_rmb)),
    **dict.fromkeys(
        ("barrier", "smp_mb__before_atomic", "smp_mb__after_atomic", "smp_mb__after_srcu_read_unlock"),
        (0, Operations.op_nothing),
    ),
    **dict.fromkeys(("BUILD_BUG_ON", "BUILD_BUG_ON_MSG", "static_assert"), (-1, Operations.op_nothing)),
    "cpu_relax": (0, Operations.op_relax),
    **dict.fromkeys(("xchg", "arch_xchg", "xchg_relaxed", "atomic_xchg", "atomic64_xchg"), (2, Operations.op_xchg)),
    **dict.fromkeys(("cmpxchg", "arch_cmpxchg", "cmpxchg64", "atomic_cmpxchg"), (3, Operations.op_cmpxchg)),
    **dict.fromkeys(
        ("try_cmpxchg", "try_cmpxchg64", "arch_try_cmpxchg", "atomic_try_cmpxchg"), (3, Operations.op_try_cmpxchg)
    ),
    **dict.fromkeys(("atomic_inc", "atomic64_inc"), (1, Operations.op_atomic_inc)),
    **dict.fromkeys(("atomic_dec", "atomic64_dec"), (1, Operations.op_atomic_dec)),
    **dict.fromkeys(("atomic_read", "atomic64_read"), (1, Operations.op_atomic_read)),
    **dict.fromkeys(("atomic_set", "atomic64_set"), (2, Operations.op_atomic_set)),
    **dict.fromkeys(("test_bit", "arch_test_bit"), (2, Operations.op_test_bit)),
    **{name: (2, _changing(name, locked=True)) for name in _BITS},
    **{f"__{name}": (2, _changing(name, locked=False)) for name in _BITS},
    **dict.fromkeys(("BIT", "BIT_ULL"), (1, Operations.op_bit)),
    "__fls": (1, Operations.op_last_bit),
    "__ffs": (1, Operations.op_first_bit),
    "fls": (1, Operations.op_fls),
    "fls64": (1, Operations.op_fls64),
    "hweight32": (1, Operations.op_hweight),
    **dict.fromkeys(("hweight64", "hweight_long"), (1, Operations.op_hweight64)),
    **dict.fromkeys(("likely", "unlikely"), (1, Operations.op_likely)),
    **dict.fromkeys(("data_race",), (1, Operations.op_same)),
    "ARRAY_SIZE": (1, Operations.op_array_size),
    "min": (2, _lesser("<")),
    "max": (2, _lesser(">")),
    "min_t": (3, _lesser_typed("<")),
    "max_t": (3, _lesser_typed(">")),
    "swap": (2, Operations.op_swap),
}
"""Operations by name: how many arguments each takes (-1: any), and what makes it."""
