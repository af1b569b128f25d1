# mypy: allow-untyped-calls

"""The machine instructions of each intrinsic of :mod:`hosts.explorer.jit.intrinsics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from hosts.compiler.arrays import ArrayDescribed, element, load_element, store_element
from hosts.compiler.emit import I32, I64, POINTER, VOID, declared
from hosts.explorer.jit import intrinsics


def _give_meaning(function: Callable[..., Any], numbers: int, emit: Callable[..., Any], result: Any) -> None:
    """Make ``emit`` what compiled code does for a function of an array and so many numbers."""

    class Typing(AbstractTemplate):
        key = function

        def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
            if kws or len(args) != numbers + 1 or not isinstance(args[0], ArrayDescribed):
                return None
            fit = all(isinstance(arg, (types.Integer, types.Boolean)) for arg in args[1:])
            return signature(result, args[0], *[types.int64] * numbers) if fit else None

    Typing.__name__ = f"Typing_{function.__name__}"
    infer_global(function, types.Function(Typing))

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = emit(builder, signature.args[0], *args)
        return context.get_dummy_value() if value is None else value

    lower_builtin(function, ArrayDescribed, *[types.int64] * numbers)(lower)


def _prefetch(builder: Any, kind: ArrayDescribed, array: Any, index: Any) -> None:
    function = declared(builder, "llvm.prefetch.p0", VOID, POINTER, I32, I32, I32)
    to_read, kept, data = I32(0), I32(3), I32(1)
    builder.call(function, [element(builder, kind, array, index), to_read, kept, data])


def _claim(builder: Any, kind: ArrayDescribed, array: Any, index: Any, value: Any) -> Any:
    place = element(builder, kind, array, index)
    return builder.extract_value(builder.cmpxchg(place, ir.Constant(I64, 0), value, "seq_cst", "seq_cst"), 0)


_give_meaning(intrinsics.prefetch, 1, _prefetch, types.void)
_give_meaning(intrinsics.get, 1, load_element, types.int64)
_give_meaning(intrinsics.put, 2, store_element, types.void)
_give_meaning(intrinsics.claim, 2, _claim, types.int64)
