"""The inputs that every function of the corpus is run on."""

from __future__ import annotations

from typing import Final

from tests.c_semantics.generator.widths import S64, Width, in_width

MOST_PARAMETERS: Final = 4
INPUTS: Final = 192
SHOWN: Final = 12
"""So many results are kept as they are; of the others, one sum."""

_WORD: Final = (1 << 64) - 1

EDGES: Final = tuple(
    value & _WORD
    for power in (0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 31, 32, 33, 63)
    for value in ((1 << power) - 1, 1 << power, -(1 << power), (1 << power) + 1)
)


def _scrambled(state: int) -> int:
    """Return the number that splitmix64 gives for a state."""
    state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    state = ((state ^ state >> 27) * 0x94D049BB133111EB) & _WORD
    return state ^ state >> 31


def words() -> tuple[tuple[int, ...], ...]:
    """Return all inputs, each a tuple of unsigned 64-bit words: edge values, and random ones of any length."""
    drawn = [_scrambled(0x9E3779B97F4A7C15 * (k + 1) & _WORD) for k in range(INPUTS * MOST_PARAMETERS * 3)]
    values = [
        EDGES[edge % len(EDGES)] if choice & 3 else value >> (choice >> 8 & 63)
        for choice, edge, value in zip(drawn[::3], drawn[1::3], drawn[2::3], strict=True)
    ]
    return tuple(tuple(values[i : i + MOST_PARAMETERS]) for i in range(0, len(values), MOST_PARAMETERS))


def arguments(given: tuple[int, ...], widths: tuple[Width, ...]) -> tuple[int, ...]:
    """Return what parameters of these types get of an input: a number of 64 bits is a signed word."""
    return tuple(
        in_width(value, S64 if width.bits == S64.bits else width) for value, width in zip(given, widths, strict=False)
    )


def summed(results: list[int]) -> int:
    """Return one number for many: the compiled driver sums in the same way."""
    total = 0xCBF29CE484222325
    for result in results:
        total = ((total ^ result & _WORD) * 0x100000001B3) & _WORD
        total ^= total >> 29
    return total
