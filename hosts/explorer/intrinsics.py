"""How the loops of the search are compiled, and the operations on arrays that Numba has no word for."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from hosts.native.cache import KEPT, default_folder

Ints = npt.NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])

LOOPS: Final = (
    "codes",
    "deeds",
    "expand",
    "fields",
    "finding",
    "intrinsics",
    "kernel",
    "lags",
    "noticed",
    "recall",
    "rests",
    "sorting",
    "walks",
)
"""The modules whose functions are compiled into each other."""


def _cached(function: F, **options: bool) -> F:
    """Compile a function for its argument types; the machine code is kept for the next start.

    Numba looks only at a function's own file to tell whether that code is still good: so there is a folder for each
    state of all of them.
    """
    before, config.CACHE_DIR = config.CACHE_DIR, _folder()
    try:
        return cast(F, njit(nogil=True, cache=bool(_folder()), **options)(function))
    finally:
        config.CACHE_DIR = before


@functools.cache
def _folder() -> str:
    """Give the folder for machine code, nothing if there cannot be one; of those before, the last few are kept."""
    here = Path(__file__).parent
    digest = hashlib.sha256(b"".join((here / f"{name}.py").read_bytes() for name in LOOPS)).hexdigest()
    folder = default_folder() / ".loops" / digest[:32]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for old in sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        return ""
    return str(folder)


# Numba counts references to every array that a function is handed, with locked operations that cost more than the step
# itself. Nobody in the loops keeps an array or makes one, so they are compiled without that (``_nrt``), as its own
# functions on strings are.


def compiled(function: F) -> F:
    """Compile a function that Python calls."""
    return _cached(function)


def called(function: F) -> F:
    """Compile a function that only compiled ones call: to wrap it for Python would take as long again."""
    return _cached(function, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def inlined(function: F) -> F:
    """Compile a function into its callers: passing the tables costs as much as a short step."""
    return _cached(function, _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Ask for the cache line of an array's element."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, _ = signature.args
        held = context.make_array(array_type)(context, builder, arguments[0])
        pointer = builder.gep(held.data, [arguments[1]])
        pointer = builder.bitcast(pointer, cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t] + [ir.IntType(32)] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        one = ir.Constant(ir.IntType(32), 1)
        builder.call(function, [pointer, ir.Constant(ir.IntType(32), 0), ir.Constant(ir.IntType(32), 3), one])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Read an element of a contiguous array by its flat index, which is not negative: one load."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.sext(builder.load(builder.gep(held.data, [arguments[1]])), ir.IntType(64))

    return types.int64(array, types.int64), generate


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:  # noqa: ARG001
    """Write an element likewise."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(held.data, [arguments[1]])
        builder.store(builder.trunc(arguments[2], pointer.type.pointee), pointer)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@intrinsic
def claim(typingctx: Any, array: Any, index: Any, value: Any) -> Any:  # noqa: ARG001
    """Put a value where there is 0, locked; give what was there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(held.data, [arguments[1]])
        zero = ir.Constant(ir.IntType(64), 0)
        return builder.extract_value(builder.cmpxchg(pointer, zero, arguments[2], "seq_cst", "seq_cst"), 0)

    return types.int64(array, types.int64, types.int64), generate
