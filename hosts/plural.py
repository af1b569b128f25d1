"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row``, ``2 rows``, ``0 rows``; ``plural`` is for what takes no s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def how_often(number: int) -> str:
    """Return ``once``, or how many times."""
    return "once" if number == 1 else f"{number:,} times"
