"""What a function of the corpus looks like."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.c_semantics.generator.statements import indented
from tests.c_semantics.generator.widths import NAMED, Width

NAMES: Final = ("a", "b", "c", "d")
"""Of its parameters."""


@dataclass(frozen=True)
class Function:
    """A function and what it is called with."""

    name: str
    result: Width
    parameters: tuple[Width, ...]
    text: str


def function(result: Width, parameters: Sequence[Width], body: Sequence[str], before: Sequence[str] = ()) -> Function:
    """Return a function; NAME stands for its name, which nobody else's helpers and macros begin with."""
    given = ", ".join(f"{width.name} {name}" for width, name in zip(parameters, NAMES, strict=False))
    lines = [*before, f"static {result.name} NAME({given})", "{", *indented(body), "}"]
    return Function("NAME", result, tuple(parameters), "\n".join(lines) + "\n")


def scope(rng: random.Random, most: int = 4) -> tuple[tuple[Width, ...], dict[str, Width]]:
    """Return parameters of random types."""
    widths = tuple(rng.choice(NAMED) for _ in range(rng.randint(2, most)))
    return widths, dict(zip(NAMES, widths, strict=False))
