"""Reads counters, windows and violations out of a machine's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from emu.machine import Machine, OwnMarks, Pcpu
from emu.memory import WORD_BYTES
from emu.observe.accounting import CHECKS, COUNTERS, RECORD, RECORD_WORDS, WINDOWS
from emu.posted_intr import NDST_SHIFT, NV_SHIFT, POSTED_INTR_ON, POSTED_INTR_SN
from hosts.kernel_names import MODES
from hosts.loader.own.declared import NOTHING_OWN, Own

MachineWords = npt.NDArray[np.int64]
"""A machine's words, from its first."""

_FIRST: Final = Machine(0).pcpus[0].at // WORD_BYTES
_EACH: Final = Pcpu.nbytes // WORD_BYTES
_FIRST_OWN: Final = Machine(0).own_marks[0].at // WORD_BYTES
_EACH_OWN: Final = OwnMarks.nbytes // WORD_BYTES


@dataclass(frozen=True)
class Violation:
    """How often a check fired, and what was seen the first time."""

    check: str
    count: int
    first: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """The counts, windows and violations of a configuration."""

    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    windows: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(WINDOWS, 0))
    violations: tuple[Violation, ...] = ()
    seconds: float = 0.0

    def fired(self, check: str) -> int:
        """Return how often a check fired."""
        return sum(violation.count for violation in self.violations if violation.check == check)

    @property
    def sightings(self) -> int:
        """How often checks fired, all together."""
        return sum(violation.count for violation in self.violations)

    def __add__(self, other: Measured) -> Measured:
        """Add what another run of the same configuration has done; first sightings stay first."""
        return Measured(
            _sum(self.counts, other.counts),
            _sum(self.windows, other.windows),
            merged(self.violations + other.violations),
            self.seconds + other.seconds,
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def merged(violations: tuple[Violation, ...]) -> tuple[Violation, ...]:
    """Return one violation for each check, in the order of the checks; a user's own come last."""
    counts: Counter[str] = Counter()
    first: dict[str, Mapping[str, Any]] = {}
    for violation in violations:
        counts[violation.check] += violation.count
        first.setdefault(violation.check, violation.first)
    order = dict.fromkeys((*(check for check in CHECKS if check in first), *first))
    return tuple(Violation(check, counts[check], first[check]) for check in order)


def collect(words: MachineWords, pcpus: int, seconds: float, own: Own = NOTHING_OWN) -> Measured:
    """Read everything. The machine may be running: each number by itself is right."""
    table = pcpu_table(words, pcpus)
    counters = _named(table, Pcpu(0).counters.at, COUNTERS)
    windows = _named(table, Pcpu(0).windows.at, WINDOWS)
    if own.own_windows:
        names = tuple(window.name for window in own.own_windows)
        windows |= _named(_own_table(words, pcpus), OwnMarks(0).windows.at, names)
    return Measured(counters, windows, violations_in(words, pcpus, own), seconds)


def pcpu_table(words: MachineWords, pcpus: int) -> MachineWords:
    """Return a view of the pCPUs' words, one row each."""
    return words[_FIRST : _FIRST + pcpus * _EACH].reshape(pcpus, _EACH)


def _own_table(words: MachineWords, pcpus: int) -> MachineWords:
    """Return a view of what the pCPUs count for a user's code, one row each."""
    return words[_FIRST_OWN : _FIRST_OWN + pcpus * _EACH_OWN].reshape(pcpus, _EACH_OWN)


def _named(table: MachineWords, at: int, names: tuple[str, ...]) -> dict[str, int]:
    sums = table[:, at // WORD_BYTES :][:, : len(names)].sum(axis=0)
    return dict(zip(names, map(int, sums), strict=True))


def violations_in(words: MachineWords, pcpus: int, own: Own = NOTHING_OWN) -> tuple[Violation, ...]:
    """Read the records of all pCPUs."""
    found = _violations(pcpu_table(words, pcpus), Pcpu(0).records.at, CHECKS)
    if own.own_checks:
        names = tuple(check.name for check in own.own_checks)
        found += _violations(_own_table(words, pcpus), OwnMarks(0).records.at, names)
    return merged(tuple(found))


def _violations(table: MachineWords, at: int, names: tuple[str, ...]) -> list[Violation]:
    records = table[:, at // WORD_BYTES :][:, : len(names) * RECORD_WORDS]
    return [
        Violation(check, int(record[0]), {"pcpu": cpu, **readable(list(map(int, record)))})
        for cpu, each in enumerate(records.reshape(len(table), len(names), RECORD_WORDS))
        for check, record in zip(names, each, strict=True)
        if record[0] != 0
    ]


def count_fired(words: MachineWords, pcpus: int, checks: tuple[str, ...]) -> int:
    """Return how often any of these checks has fired so far; quick enough to be asked all the time."""
    at = Pcpu(0).records.at // WORD_BYTES
    columns = [at + CHECKS.index(check) * RECORD_WORDS for check in checks]
    return int(pcpu_table(words, pcpus)[:, columns].sum())


def readable(record: list[int]) -> dict[str, Any]:
    """Return the fields of a check's record; a vector that was not there is None."""
    seen = dict(zip(RECORD, record, strict=True))
    control = seen["control"]
    return {
        "vector": _vector(seen["vector"]),
        "mode": MODES.get(seen["mode"], str(seen["mode"])),
        "pir": _vector(seen["pir"]),
        "on": control >> POSTED_INTR_ON & 1,
        "sn": control >> POSTED_INTR_SN & 1,
        "nv": control >> NV_SHIFT & 0xFF,
        "ndst": control >> NDST_SHIFT & 0xFFFF_FFFF,
        "rvi": seen["rvi"],
        "turn": seen["turn"],
        "entries": seen["entries"],
    }


def _vector(number: int) -> int | None:
    return number if number >= 0 else None


# --- the fabric --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Undelivered:
    """IPIs of one kind that were sent and never taken, or taken and never sent."""

    sender: int
    target: int
    vector: int | None
    sent: int
    taken: int


def fabric_violation(undelivered: tuple[Undelivered, ...]) -> tuple[Violation, ...]:
    """C10 as the host sees it: at the end of a clean run, sent = taken per source, target and vector."""
    if not undelivered:
        return ()
    first = undelivered[0]
    details = {"vector": first.vector, "sender": first.sender, "target": first.target}
    details |= {"sent": first.sent, "taken": first.taken}
    return (Violation("C10", sum(abs(each.sent - each.taken) for each in undelivered), details),)
