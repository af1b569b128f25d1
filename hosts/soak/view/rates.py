"""Rates per second by policy, scenario and placement: median, least and most over the runs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from hosts.runs.verdict import Verdict
from hosts.soak.placement.core_sharing import TITLES, CoreSharing, core_sharing
from hosts.soak.store.reader import Archive

MEASURED: Final = (Verdict.PASS, Verdict.VIOLATION, Verdict.INCONCLUSIVE, Verdict.UNTRUSTWORTHY)
"""Verdicts of runs that came to their end; runs that crashed or were cancelled have no rates."""
STRAYED: Final = "strayed"
"""The placement of runs in which a pCPU lost its affinity: they are excluded from the rates of a placement."""
UNPLACED: Final = ("", "unpinned")
_PROCESSORS_NAMED: Final = 3
_COLUMNS: Final = (
    "scenario, policy, mutation, canary, place, pcpus, host, processors, seconds, sightings, posts, round_trip"
)


class Key(NamedTuple):
    """The configuration that the runs of one line share."""

    sharing: CoreSharing
    scenario: str
    policy: str
    mutation: str | None
    canary: bool
    place: str
    pcpus: int
    host: str


@dataclass(frozen=True)
class Spread:
    """A figure over several runs."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self | None:
        """Return the spread of the values; None if there are none."""
        return cls(min(values), statistics.median(values), max(values)) if values else None


@dataclass(frozen=True)
class Rate:
    """The rates of one line."""

    key: Key
    runs: int
    seconds: float
    sightings: int
    sightings_per_second: Spread
    posts_per_second: Spread
    round_trip_ns: Spread | None
    """Time per self-post, where it is measured; the emulator's own."""
    processors: tuple[str, ...]
    """The processors of the pCPUs, the most frequent choice first; empty: left to the scheduler."""

    @property
    def processors_named(self) -> str:
        """Return the first few of the processors in words."""
        if not self.processors:
            return "any"
        rest = len(self.processors) - _PROCESSORS_NAMED
        return "; ".join(self.processors[:_PROCESSORS_NAMED]) + (f"; {rest} more" if rest > 0 else "")


def rates(campaign: Archive) -> list[Rate]:
    """Return all lines: multicore figures first, then by scenario and policy."""
    marks = ", ".join("?" * len(MEASURED))
    found = campaign.select(
        f"SELECT {_COLUMNS} FROM run "  # noqa: S608 - constants
        f"WHERE state = 'finished' AND kind = 'race' AND seconds > 0 AND verdict IN ({marks})",
        map(str, MEASURED),
    )
    lines: dict[Key, list[tuple[Any, ...]]] = {}
    for scenario, policy, mutation, canary, place, pcpus, host, processors, *figures in found:
        sharing = core_sharing(place, pcpus, processors.split(",") if processors else ())
        where = place if processors or place in UNPLACED else STRAYED
        key = Key(sharing, scenario, policy, mutation, bool(canary), where, pcpus, host)
        lines.setdefault(key, []).append((processors, *figures))
    return sorted((_rate(key, runs) for key, runs in lines.items()), key=_order)


def runs_without_affinity(campaign: Archive) -> tuple[int, int]:
    """Return how many runs had a pCPU that lost its affinity, and the number of the first; 0: none."""
    marks = ", ".join("?" * len(UNPLACED))
    ((runs, first),) = campaign.select(
        "SELECT count(*), ifnull(min(id), 0) FROM run "  # noqa: S608 - constants
        f"WHERE state = 'finished' AND kind = 'race' AND seconds > 0 AND processors = '' AND place NOT IN ({marks})",
        UNPLACED,
    )
    return int(runs), int(first)


def _rate(key: Key, runs: Sequence[tuple[Any, ...]]) -> Rate:
    processors, seconds, sightings, posts, round_trips = zip(*runs, strict=True)
    return Rate(
        key,
        len(runs),
        sum(seconds),
        sum(sightings),
        _per_second(sightings, seconds),
        _per_second(posts, seconds),
        Spread.of([each for each in round_trips if each is not None]),
        tuple(each for each, _ in Counter(processors).most_common() if each),
    )


def _per_second(counts: Iterable[int], seconds: Iterable[float]) -> Spread:
    found = Spread.of([count / second for count, second in zip(counts, seconds, strict=True)])
    if found is None:
        raise ValueError("a line without a run")
    return found


def _order(rate: Rate) -> tuple[Any, ...]:
    key = rate.key
    return list(TITLES).index(key.sharing), key.scenario, key.mutation or "", *key[2:3], *key[4:]
