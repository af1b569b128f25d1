"""Calls between compiled functions: results of every kind, and what Numba compiled by a convention of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiled import Compiled

pytestmark = pytest.mark.timeout(60)  # some ten functions of a few lines


def pair(a: int, b: int) -> tuple[int, int]:
    """Return two numbers."""
    return a + b, a - b


def nothing(a: int) -> None:
    """Return nothing."""


def forgets(a: int) -> object:
    """Return a number, or, having come to its end, nothing; nobody asks."""
    if a != 0:
        return 1
    return None


forgets.__annotations__.clear()  # as a user's function may have none


def even(a: int) -> int:
    """Call in a circle."""
    return 1 if a == 0 else odd(a - 1)


def odd(a: int) -> int:
    """Close it."""
    return 0 if a == 0 else even(a - 1)


def of_ours(a: int, b: int) -> int:
    """Use all of them."""
    total, difference = pair(a, b)
    nothing(a)
    forgets(a)
    return 100 * total + 10 * even(abs(a)) + difference


def of_numbas(a: int, b: int) -> int:
    """Use what Numba has a function of its own for: some found by name, some made on the way."""
    found = max(a, b) + 10 * min(a, b, 4) + 100 * abs(b)
    made = (1 if a in range(b) else 0) + (2 if a in (3, 5) else 0) + pow(a, 3) + 7 * (a // 3) + a % 3
    return found * 1000 + made


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """Compile both."""
    return Compiled({"of_ours": of_ours, "of_numbas": of_numbas})


@pytest.mark.parametrize(("a", "b"), [(3, 4), (4, 4), (0, 0), (-3, 7), (5, -2), (12, 13)])
def test_results_come_over(compiled: Compiled, a: int, b: int) -> None:
    """Pairs, numbers, nothing; and Numba's own functions, which are called as they were compiled."""
    assert compiled.of_ours(a, b) == of_ours(a, b)
    assert compiled.of_numbas(a, b) == of_numbas(a, b)


RAISES = """
from tests.compiled import Compiled

def raises(a: int) -> int:
    if a != 0:
        raise ValueError("no")
    return 1

def asks(a: int) -> int:
    return raises(a) + 1

compiled = Compiled({"asks": asks})
print(compiled.asks(0), flush=True)
compiled.asks(1)
"""


def test_what_would_raise_ends_the_process() -> None:
    """Seen by whoever waits for it: SIGILL."""
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", RAISES], cwd=root, capture_output=True, text=True, check=False)
    assert (told.stdout, told.returncode) == ("2\n", -4)
