# mypy: allow-untyped-calls

"""The lowering of each primitive of :mod:`emu.waist` that is a few machine instructions.

The others (IPIs, waits, turns, choices: ``NATIVE`` in :mod:`hosts.native.runtime.waist`) are compiled functions
themselves; :mod:`hosts.native.program.root` puts those in place of the waist's.

On x86 an acquire load and a release store are plain ``mov``; they differ from READ_ONCE and WRITE_ONCE in that LLVM
moves nothing across them. Each read-modify-write is ONE locked instruction: LLVM makes a compare-and-exchange loop of a
``fetch_or`` whose old value is used, which is another instruction sequence with other races, so the bit operations
that give the old bit are written as the instruction itself, ``lock bts`` and ``lock btr``, as Linux writes them.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types

from hosts.compiler import emit as code
from hosts.compiler.emit import I8, I32, I64, Emit, give_meaning
from hosts.compiler.variants import SELECTED
from hosts.loader.primitives import TABLE
from hosts.loader.syntax.names import PRIMITIVES

_FLAGS = "~{memory},~{dirflag},~{fpsr},~{flags}"


def _load_acquire(builder: Any, address: Any) -> Any:
    value = code.volatile_load(builder, address)
    code.compiler_fence(builder)
    return value


def _store_release(builder: Any, address: Any, value: Any) -> None:
    code.compiler_fence(builder)
    code.volatile_store(builder, address, value)


def _bit_number(builder: Any, nr: Any) -> Any:
    # The memory form of bts takes a number of any size and goes to another word for one above 63.
    return builder.and_(nr, I64(63))


def _bit(builder: Any, nr: Any) -> Any:
    return builder.shl(I64(1), _bit_number(builder, nr))


def _test_and_change(instruction: str) -> Emit:
    """Emit the locked instruction; the old bit comes out of the carry flag."""
    kind = ir.FunctionType(I8, [I64, code.POINTER])

    def emit(builder: Any, nr: Any, address: Any) -> Any:
        operands = [_bit_number(builder, nr), code.pointer(builder, address)]
        text = f"lock {instruction} $1, ($2)"
        old = builder.asm(kind, text, f"={{@ccc}},Jr,r,{_FLAGS}", operands, side_effect=True)
        return builder.zext(old, I64)

    return emit


def _set_bit(builder: Any, nr: Any, address: Any) -> None:
    code.locked("or")(builder, address, _bit(builder, nr))


def _clear_bit(builder: Any, nr: Any, address: Any) -> None:
    code.locked("and")(builder, address, builder.not_(_bit(builder, nr)))


def _atomic_inc(builder: Any, address: Any) -> None:
    code.locked("add")(builder, address, I64(1))


def _take_half(builder: Any, address: Any, half: Any) -> Any:
    """Emit the exchange of 32 bits: a locked AND that gives the old word would be a loop."""
    place = code.pointer(builder, builder.add(address, builder.shl(half, I64(2))))
    kind = ir.FunctionType(I32, [code.POINTER, I32])
    old = builder.asm(kind, "xchgl $0, ($1)", f"=r,r,0,{_FLAGS}", [place, I32(0)], side_effect=True)
    return builder.zext(old, I64)


def _fls64(builder: Any, word: Any) -> Any:
    return builder.sub(I64(64), builder.ctlz(word, ir.IntType(1)(0)))


def _mutated(builder: Any, number: Any) -> Any:
    selected = code.constant_load(builder, code.symbol_address(SELECTED)(builder))
    answer = builder.zext(builder.icmp_signed("==", selected, number), I64)
    # What is mutated is put out of the way of what is not.
    return builder.call(code.declared(builder, "llvm.expect.i64", I64, I64, I64), [answer, I64(0)])


MEANINGS: Final[dict[str, Emit]] = {
    "READ_ONCE": code.volatile_load,
    "WRITE_ONCE": code.volatile_store,
    "smp_load_acquire": _load_acquire,
    "smp_store_release": _store_release,
    "xchg": code.locked("xchg"),
    "cmpxchg": code.locked_compare,
    "test_and_set_bit": _test_and_change("btsq"),
    "test_and_clear_bit": _test_and_change("btrq"),
    "set_bit": _set_bit,
    "clear_bit": _clear_bit,
    "atomic_inc": _atomic_inc,
    "take_half": _take_half,
    "smp_mb": code.full_fence,
    "smp_wmb": code.compiler_fence,
    "smp_rmb": code.compiler_fence,
    "local_read": code.private_load,
    "local_write": code.private_store,
    "peek": code.volatile_load,
    "mark": code.volatile_store,
    "memory": code.symbol_address("pirace_memory"),
    "mutated": _mutated,
    "BIT": _bit,
    "fls64": _fls64,
    "hweight64": lambda builder, word: builder.ctpop(word),
}
"""What is emitted where a primitive is called."""

for _name, _emit in MEANINGS.items():
    _primitive = PRIMITIVES[_name]
    _result = types.void if TABLE[_name].void else types.int64
    give_meaning(_primitive, _primitive.__code__.co_argcount, _emit, result=_result)
