"""A number of things, as one writes it."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Give ``1 row``, ``2 rows``, ``0 rows``; ``plural`` is for what takes no s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def how_often(number: int) -> str:
    """Give how often."""
    return "once" if number == 1 else f"{number:,} times"
