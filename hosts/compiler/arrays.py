# mypy: allow-untyped-calls, allow-untyped-decorators

"""NumPy arrays of whole numbers, for compiled code: a value is the number of the address of a *description*.

A description is three words: where the elements lie, and the first two sizes of the array
(:mod:`hosts.compiler.array_descriptors` writes it). A ``NamedTuple`` of arrays is their descriptions, one behind the
other, so that it is passed on as one number, however many there are. Descriptions do not change during a call: LLVM is
told so, or it would read them again after every store.

An element is a word whatever its size in memory. Indexes are not checked, and not negative.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import lower_builtin, lower_getattr_generic, models, register_model

from hosts.compiler.array_descriptors import COLUMNS, DATA, DESCRIPTION_BYTES, ROWS
from hosts.compiler.emit import I64, POINTER, pointer

WORD_BYTES = 8


class ArrayDescribed(types.Type):
    """The type of an array, with as many bits to an element."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(name=f"array(int{bits})")


class ArraysDescribed(types.Type):
    """The type of a NamedTuple of arrays."""

    def __init__(self, fields: tuple[tuple[str, int], ...], name: str) -> None:
        self.fields = {field: (number, bits) for number, (field, bits) in enumerate(fields)}
        super().__init__(name=f"arrays({name})")


for _kind in (ArrayDescribed, ArraysDescribed):

    @register_model(_kind)
    class _Number(models.PrimitiveModel):
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, cgutils.intp_t)


def element(builder: Any, kind: ArrayDescribed, array: Any, index: Any) -> Any:
    """Emit the address of an element."""
    data = _described(builder, array, DATA, POINTER)
    return builder.gep(data, [index], inbounds=True, source_etype=ir.IntType(kind.bits))


def load_element(builder: Any, kind: ArrayDescribed, array: Any, index: Any) -> Any:
    """Emit the load of an element."""
    value = builder.load(element(builder, kind, array, index), align=kind.bits // 8, typ=ir.IntType(kind.bits))
    return value if kind.bits == I64.width else builder.sext(value, I64)


def store_element(builder: Any, kind: ArrayDescribed, array: Any, index: Any, value: Any) -> None:
    """Emit the store of an element."""
    value = value if kind.bits == I64.width else builder.trunc(value, ir.IntType(kind.bits))
    builder.store(value, element(builder, kind, array, index), align=kind.bits // 8)


def _described(builder: Any, array: Any, word: int, kind: Any = I64) -> Any:
    at = builder.add(array, I64(word * WORD_BYTES))
    value = builder.load(pointer(builder, at), align=WORD_BYTES, typ=kind)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


# --- attributes --------------------------------------------------------------------------------------------------


@infer_getattr
class _Field(AttributeTemplate):
    key = ArraysDescribed

    def generic_resolve(self, kind: ArraysDescribed, name: str) -> Any:  # type: ignore[override]
        return ArrayDescribed(kind.fields[name][1]) if name in kind.fields else None


@infer_getattr
class _Shape(AttributeTemplate):
    key = ArrayDescribed

    def generic_resolve(self, _kind: ArrayDescribed, name: str) -> Any:  # type: ignore[override]
        return types.UniTuple(types.int64, 2) if name == "shape" else None


@lower_getattr_generic(ArraysDescribed)
def _array_of(_context: Any, builder: Any, kind: ArraysDescribed, value: Any, name: str) -> Any:
    return builder.add(value, I64(kind.fields[name][0] * DESCRIPTION_BYTES))


@lower_getattr_generic(ArrayDescribed)
def _shape(context: Any, builder: Any, _kind: ArrayDescribed, value: Any, _name: str) -> Any:
    sizes = [_described(builder, value, word) for word in (ROWS, COLUMNS)]
    return context.make_tuple(builder, types.UniTuple(types.int64, 2), sizes)


# --- indexing ----------------------------------------------------------------------------------------------------


def _index(kind: Any) -> Any:
    """Return the type that an index is brought to; None if it is none."""
    if isinstance(kind, types.Integer):
        return types.int64
    two = isinstance(kind, types.BaseTuple) and len(kind) == 2  # noqa: PLR2004 - rows and columns
    return types.UniTuple(types.int64, 2) if two and all(isinstance(each, types.Integer) for each in kind) else None


@infer_global(operator.getitem)
class _Get(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        array, index = args
        kind = _index(index) if isinstance(array, ArrayDescribed) and not kws else None
        return signature(types.int64, array, kind) if kind is not None else None


@infer_global(operator.setitem)
class _Set(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        array, index, value = args
        kind = _index(index) if isinstance(array, ArrayDescribed) and not kws else None
        fits = isinstance(value, (types.Integer, types.Boolean))
        return signature(types.none, array, kind, types.int64) if kind is not None and fits else None


def _flat(builder: Any, array: Any, index: Any) -> Any:
    row, column = (builder.extract_value(index, number) for number in range(2))
    return builder.add(builder.mul(row, _described(builder, array, COLUMNS)), column)


@lower_builtin(operator.getitem, ArrayDescribed, types.int64)
def _get(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return load_element(builder, signature.args[0], *args)


@lower_builtin(operator.getitem, ArrayDescribed, types.UniTuple)
def _get_in_row(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array, index = args
    return load_element(builder, signature.args[0], array, _flat(builder, array, index))


@lower_builtin(operator.setitem, ArrayDescribed, types.int64, types.int64)
def _set(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
    store_element(builder, signature.args[0], *args)


@lower_builtin(operator.setitem, ArrayDescribed, types.UniTuple, types.int64)
def _set_in_row(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array, index, value = args
    store_element(builder, signature.args[0], array, _flat(builder, array, index), value)
