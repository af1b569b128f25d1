# mypy: allow-untyped-calls

"""Signatures of compiled functions, read from their annotations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numba.core import types
from numba.core.typing.templates import signature

from emu.memory import Array, Struct, Words
from hosts.compiler.arrays import ArrayDescribed, ArraysDescribed
from hosts.compiler.structs import ArrayAddress, address_type


class CompileError(Exception):
    """A function cannot be compiled, or would not mean what it means in Python."""


def place(function: FunctionType) -> str:
    """Return the file and line of a function."""
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}: {function.__name__}"


def annotated(function: FunctionType) -> Any:
    """Return the signature that the annotations say; None if one is missing."""
    try:
        hints = inspect.get_annotations(function, eval_str=True)
    except Exception as error:
        raise CompileError(f"{place(function)}: its annotations cannot be evaluated: {error}") from error
    names = [*inspect.signature(function).parameters, "return"]
    if any(name not in hints for name in names):
        return None
    *args, result = (_numba_type(function, name, hints[name]) for name in names)
    return with_names(signature(result, *args), function)


def with_names(plain: Any, function: FunctionType) -> Any:
    """Return the signature with the parameters' names and defaults, for calls that use them."""
    return plain.replace(pysig=inspect.signature(function))


def _numba_type(function: FunctionType, name: str, hint: Any) -> Any:
    """Return the type of a parameter; a number is a word, True and False are 1 and 0 as they are in Python."""
    while hasattr(hint, "__supertype__"):  # NewType
        hint = hint.__supertype__
    if hint is None:
        return types.none
    if isinstance(hint, type) and issubclass(hint, int):
        return types.int64
    if isinstance(hint, type) and (issubclass(hint, Struct) or hint is Words):
        return address_type(hint)
    if get_origin(hint) is Array:
        return ArrayAddress(get_args(hint)[0])
    if get_origin(hint) is tuple and get_args(hint)[-1] is not Ellipsis:
        return types.Tuple([_numba_type(function, name, item) for item in get_args(hint)])
    arrays = _arrays_type(hint)
    if arrays is not None:
        return arrays
    raise CompileError(f"{place(function)}: {name} is a {hint}, which compiled code cannot hold")


def _arrays_type(hint: Any) -> Any:
    """Return the type of an array of whole numbers, or of a NamedTuple of such; None for anything else."""
    if get_origin(hint) is np.ndarray:
        return ArrayDescribed(_bits(hint))
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = get_type_hints(hint)
        return ArraysDescribed(tuple((each, _bits(fields[each])) for each in hint._fields), hint.__qualname__)
    return None


def _bits(hint: Any) -> int:
    """Return the size of an element of ``npt.NDArray[np.int64]`` or the like."""
    (element,) = get_args(get_args(hint)[1])
    return 8 * int(np.dtype(element).itemsize)


def widened(kind: Any) -> Any:
    """Return the type that a value has as an argument of a function without annotations."""
    return types.int64 if isinstance(kind, types.Integer | types.Boolean | types.IntEnumMember) else kind


def check_words(function: FunctionType, typemap: Mapping[str, Any]) -> None:
    """Refuse numbers that are no words: where Numba makes a uint64 or a float64, Python goes on with an integer."""
    for name, kind in typemap.items():
        members: Any = getattr(kind, "types", (kind,)) if isinstance(kind, types.BaseTuple) else (kind,)
        for member in members:
            number = member.literal_type if isinstance(member, types.IntegerLiteral) else member
            if isinstance(number, types.Number) and number != types.int64:
                what = "an intermediate value" if name.startswith(("$", "arg.")) else name.partition(".")[0]
                raise CompileError(f"{place(function)}: {what} is a {number}; a word is a signed 64-bit number")
