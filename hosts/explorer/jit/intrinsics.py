"""Decorators and intrinsics of the kernels: operations for which Python has no word.

The functions are plain Python. Compiled code has the meaning of the operations below from
:mod:`hosts.explorer.jit.lowering`; here they say what that is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numpy as np
import numpy.typing as npt

from hosts.explorer.jit.library import Loop

Ints = npt.NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])

INLINED: Final = "pirace_inlined"


def compiled(function: F) -> F:
    """Compile a function that Python calls."""
    return cast(F, Loop(function))


def called(function: F) -> F:
    """Compile a function that compiled ones call."""
    return function


def inlined(function: F) -> F:
    """Compile a function into its callers: passing the tables costs as much as a short step."""
    setattr(function, INLINED, True)
    return function


def prefetch(array: npt.NDArray[Any], index: int) -> None:
    """Ask for the cache line of an array's element."""


def get(array: npt.NDArray[Any], index: int) -> int:
    """Read an element of a contiguous array by its flat index, which is not negative: one load."""
    return int(array.flat[index])


def put(array: npt.NDArray[Any], index: int, value: int) -> None:
    """Write an element likewise."""
    array.flat[index] = value


def claim(array: Ints, index: int, value: int) -> int:
    """Put a value where there is 0, locked; return what was there."""
    found = int(array.flat[index])
    array.flat[index] = found or value
    return found
