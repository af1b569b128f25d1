"""Attributes of functions that decide how they are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

COLD: Final = "pirace_cold"
"""The attribute of a function that is hardly ever called."""
INLINED: Final = "pirace_inlined"
"""The attribute of a function that is put into its callers whatever its size."""


def cold(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the function out of line, and its calls out of the way of its callers: it is hardly ever called."""
    setattr(plain(function), COLD, True)
    return function


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put the function into its callers, whatever its size."""
    setattr(plain(function), INLINED, True)
    return function


def plain(value: Any) -> Any:
    """Return the Python function behind one that Numba has wrapped."""
    return getattr(value, "py_func", value)
