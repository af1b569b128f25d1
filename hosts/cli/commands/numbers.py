"""Numbers with units on the command line: times and sizes, finite and above zero on every command."""

from __future__ import annotations

import math
import re
from typing import Final

import click

_TIMES: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_NUMBER: Final = r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
LONGEST: Final = 1000 * 86400.0
"""Seconds: what is longer is a slip of the hand."""
LARGEST: Final = 10**15
"""Bytes."""
MOST_PCPUS: Final = 64
"""``emu.machine.MAX_PCPUS``, which ``--help`` does without."""
LARGEST_NUMBER: Final = (1 << 63) - 1
"""That a run of a campaign can have."""


def seconds_of(text: str) -> float:
    """Read ``60s``, ``5m``, ``1h``, ``2d`` or a number of seconds; ValueError."""
    seconds = _number_of(text, _TIMES, "")
    if not 0 < seconds <= LONGEST:
        raise ValueError(text)
    return seconds


def bytes_of(text: str) -> int:
    """Read ``4GB``, ``500MB``, ``2GiB`` or a number of bytes; ValueError."""
    size = _number_of(text, _SIZES, "b?")
    if not 1 <= size <= LARGEST:
        raise ValueError(text)
    return int(size)


def _number_of(text: str, units: dict[str, int], behind: str) -> float:
    match = re.fullmatch(rf"{_NUMBER}\s*({'|'.join(units)}){behind}", text.strip().lower(), re.ASCII)
    if match is None:
        raise ValueError(text)
    number = float(match[1] + (match[2] or "")) * units[match[3]]
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def SECONDS(text: str) -> float:
    """Read a time, or say what is right."""
    try:
        return seconds_of(text)
    except ValueError:
        said = f"{text:.20}: not a time like 90s, 1.5m, 8h or 2d, above zero and up to 1000 days"
        raise click.BadParameter(said) from None


def SIZE(text: str) -> int:
    """Read a size, or say what is right."""
    try:
        return bytes_of(text)
    except ValueError:
        said = f"{text:.20}: not a size like 500MB, 4GB or 2GiB, above zero and up to 1000 TB"
        raise click.BadParameter(said) from None


def PCPUS(text: str) -> int:
    """Read how many pCPUs a machine is to have, or say how many it can."""
    try:
        pcpus = int(text)
    except ValueError:
        pcpus = 0
    if not 1 <= pcpus <= MOST_PCPUS:
        raise click.BadParameter(f"{text:.20}: a machine has 1 to {MOST_PCPUS} pCPUs")
    return pcpus


RUN: Final = click.IntRange(1, LARGEST_NUMBER)
"""The number of a run of a campaign."""
TIMES: Final = click.IntRange(1, 10**6)
"""How often something is done again."""
