"""The options of a run of benchmarks."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass


class BenchError(Exception):
    """A run did not end as a measured run must."""


class MissingError(BenchError):
    """A peer that has to be there is not."""


def positive(text: str) -> float:
    """Read a finite number above zero, for argparse."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: not a finite number above zero")
    return number


def whole(text: str) -> int:
    """Read a whole number above zero, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a whole number above zero")
    return number


@dataclass(frozen=True)
class Options:
    """Length and chance."""

    quick: bool = False
    """A look, not a measurement: short runs, few repeats."""
    seed: int = 1
    minutes: float = 10.0
    """How long the search for false alarms goes on."""
    repeated: int | None = None

    def repeats(self, usual: int, quick: int = 2) -> int:
        """Return the number of repeats."""
        if self.repeated is not None:
            return self.repeated
        return quick if self.quick else usual

    def seconds(self, usual: float, quick: float) -> float:
        """Return the length of one run."""
        return quick if self.quick else usual
