"""Interleaved series of samples, with their medians, extremes, and ratios of neighbours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Measure = Callable[[], float]
DistanceProbe = Callable[[], float | None]

NEAR_BELOW: Final = 70.0
"""Nanoseconds that a cache line takes one way: 26 to 33 near, 150 to 166 far, when measured."""


def distance(nanoseconds: float | None) -> str:
    """Return the distance of the processors that a probe shows, as text."""
    if nanoseconds is None:
        return "one processor"
    return "near" if nanoseconds < NEAR_BELOW else "far"


@dataclass(frozen=True)
class Series:
    """Samples of one contender, each with the probe taken just before it."""

    name: str
    unit: str
    samples: tuple[float, ...]
    probes: tuple[float | None, ...] = ()

    @property
    def median(self) -> float:
        """Return the median."""
        return statistics.median(self.samples)

    def cells(self) -> tuple[str, ...]:
        """Return a line of a table: name, median, minimum, maximum, unit, distance."""
        numbers = (self.median, min(self.samples), max(self.samples))
        return (self.name, *map(number, numbers), self.unit, self.distance())

    def distance(self) -> str:
        """Return how many samples were taken at which distance, as text."""
        seen = [distance(probe) for probe in self.probes]
        return ", ".join(f"{seen.count(name)} {name}" for name in dict.fromkeys(sorted(seen, reverse=True)))

    def record(self) -> dict[str, object]:
        """Return all of it for a file."""
        return {"series": self.name, "unit": self.unit, "samples": self.samples, "probes_ns": self.probes}


@dataclass(frozen=True)
class Target:
    """What a benchmark has to reach."""

    about: str
    measured: float
    limit: float
    at_least: bool = False
    spread: tuple[float, float] | None = None
    """The smallest and the largest of the single ratios."""
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Return whether it is reached."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        """Return the comparison as a line."""
        spread = "" if self.spread is None else f" [{number(self.spread[0])} to {number(self.spread[1])}]"
        wanted = f"wanted: {'at least' if self.at_least else 'at most'} {number(self.limit)} {self.unit}"
        verdict = "reached" if self.met else "FALLS SHORT"
        return f"{self.about}: {number(self.measured)} {self.unit}{spread}; {wanted}: {verdict}"

    def record(self) -> dict[str, object]:
        """Return all of it for a file."""
        return {
            "target": self.about,
            "measured": self.measured,
            "unit": self.unit,
            "limit": self.limit,
            "at_least": self.at_least,
            "spread": self.spread,
            "met": self.met,
        }


def interleave(contenders: Mapping[str, Measure], unit: str, repeats: int, probe: DistanceProbe) -> dict[str, Series]:
    """Measure A B A B ...; the order turns round in every other round, so that a trend favours nobody."""
    samples: dict[str, list[tuple[float, float | None]]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        names = list(contenders)
        for name in names if repeat % 2 == 0 else reversed(names):
            found = probe()
            samples[name].append((contenders[name](), found))
    return {
        name: Series(name, unit, tuple(value for value, _ in taken), tuple(found for _, found in taken))
        for name, taken in samples.items()
    }


def ratios(above: Series, below: Series) -> tuple[float, float, float]:
    """Compare neighbours; return the median ratio, the smallest and the largest."""
    single = [a / b for a, b in zip(above.samples, below.samples, strict=True)]
    return statistics.median(single), min(single), max(single)


def compare(about: str, above: Series, below: Series, limit: float, *, at_least: bool = False) -> Target:
    """Hold the ratio of two contenders against a limit."""
    median, least, most = ratios(above, below)
    return Target(about, median, limit, at_least, (least, most))


def number(value: float) -> str:
    """Write a number with three figures that count."""
    if value == 0 or value != value:  # noqa: PLR0124 - not a number
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004


def spread(values: Sequence[float]) -> tuple[str, str, str]:
    """Write the median, the smallest and the largest of some numbers."""
    return number(statistics.median(values)), number(min(values)), number(max(values))
