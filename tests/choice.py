"""Which cases of a sweep are fast tests, and which are left to ``--all``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def slow_but(fast: Collection[Any], cases: Iterable[Any], *, several: bool = False) -> list[Any]:
    """Return the cases for ``parametrize``, all but the ``fast`` ones marked slow.

    ``several``: each case is a tuple of the values of several arguments.
    """
    cases = list(cases)
    assert all(case in cases for case in fast), "what is to be fast is not among the cases"
    return [
        case if case in fast else pytest.param(*(case if several else (case,)), marks=pytest.mark.slow)
        for case in cases
    ]


def first_of_each(cases: Iterable[T], kind: Callable[[T], object]) -> list[T]:
    """Return the first case of each kind."""
    first: dict[object, T] = {}
    for case in cases:
        first.setdefault(kind(case), case)
    return list(first.values())
