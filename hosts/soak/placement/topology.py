"""The topology of the machine's processors, as Linux reports it in sysfs.

Read directly: of the bindings to hwloc, the library for this, the maintained one wants a newer Python than this project
and a newer C library than many hosts have; those to libnuma know neither cores nor caches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

_HYPERVISOR: Final = "009F"
"""The number of the processor feature that says that this is a guest: word 4, bit 31 (Linux's cpufeatures.h)."""


@dataclass(frozen=True, order=True, slots=True)
class Processor:
    """A logical processor: one hardware thread. Two are on the same core, node and so on if those numbers are equal."""

    number: int
    """The kernel's."""
    core: int
    """The lowest number on the core, also of processors that this process may not use."""
    complex: int
    """The lowest number at the last cache that it shares with others."""
    node: int
    """Its NUMA node."""
    package: int
    kind: str = ""
    """On a machine with several kinds of cores the kernel's word for this one: ``core``, ``atom``, ``lowpower``."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The processors that this process may run on."""

    processors: tuple[Processor, ...]
    """In the order of their numbers."""
    notes: tuple[str, ...] = ()
    """What a reader of figures measured here must know; one sentence each."""

    @classmethod
    def read(cls, root: Path = Path("/sys"), allowed: Collection[int] | None = None) -> Self:
        """Read it; ``allowed`` stands for what the kernel says of this process."""
        machine = _Machine(root)
        processors = tuple(
            machine.processor(number)
            for number in sorted(os.sched_getaffinity(0) if allowed is None else allowed)
            if machine.is_online(number)
        )
        return cls(processors, (*machine.unknown(), *_limits(root)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The processors' numbers."""
        return tuple(one.number for one in self.processors)

    def describe(self) -> str:
        """Return the counts of packages, nodes, caches, cores and processors in one line."""
        kinds = sorted({one.kind for one in self.processors if one.kind})
        return ", ".join(
            (
                _count(len({one.package for one in self.processors}), "package"),
                _count(len({one.node for one in self.processors}), "NUMA node"),
                _count(len({one.complex for one in self.processors}), "last-level cache"),
                _count(len({one.core for one in self.processors}), "core")
                + (f" of {len(kinds)} kinds" if len(kinds) > 1 else ""),
                _count(len(self.processors), "processor"),
            )
        )


class _Machine:
    """What sysfs reports of each processor, and of which ones it reports nothing."""

    def __init__(self, root: Path) -> None:
        self._cpus = root / "devices/system/cpu"
        self._node = dict(_members((root / "devices/system/node").glob("node[0-9]*"), "cpulist", "node"))
        self._kind = dict(_members((root / "devices").glob("cpu_*"), "cpus", "cpu_"))
        self._cores: dict[int, Processor] = {}
        """The first processor seen of each."""
        self._unreported: dict[str, list[int]] = {}

    def is_online(self, number: int) -> bool:
        """Return whether a processor is online; one that cannot be taken offline has no such file."""
        return _text(self._cpus / f"cpu{number}" / "online") != "0"

    def processor(self, number: int) -> Processor:
        """Place one processor: the threads of a core are all where the first of them is, whatever else is said."""
        core = self._first(self._core, number, number, "core: each taken to be on one of its own")
        if core not in self._cores:
            self._cores[core] = self._placed(number, core)
        return replace(self._cores[core], number=number)

    def _placed(self, number: int, core: int) -> Processor:
        package = _number(self._cpus / f"cpu{number}/topology/physical_package_id")
        if package is None or package < 0:
            self._missing("package: taken to be all on one", number)
            package = 0
        node = self._node.get(number)
        if node is None:
            self._missing("NUMA node: taken to be all on one", number)
            node = "-1"
        return Processor(
            number=number,
            core=core,
            complex=self._first(self._last_cache, number, core, "caches: each core taken to share none"),
            node=int(node),
            package=package,
            kind=self._kind.get(number, ""),
        )

    def unknown(self) -> Iterator[str]:
        """Return what had to be assumed, a sentence for each."""
        for what, numbers in self._unreported.items():
            yield f"The kernel reports of processor {_ranges(numbers)} no {what}."

    def _first(self, reported: Callable[[int], frozenset[int]], number: int, otherwise: int, what: str) -> int:
        together = reported(number)
        if number not in together:
            self._missing(what, number)
            return otherwise
        return min(together)

    def _core(self, number: int) -> frozenset[int]:
        folder = self._cpus / f"cpu{number}/topology"
        # The second name is that of kernels before 5.3.
        return _list(folder / "core_cpus_list") or _list(folder / "thread_siblings_list")

    def _last_cache(self, number: int) -> frozenset[int]:
        last, together = 0, frozenset[int]()
        for cache in (self._cpus / f"cpu{number}/cache").glob("index[0-9]*"):
            level = _number(cache / "level") or 0
            if level > last:
                last, together = level, _list(cache / "shared_cpu_list")
        return together

    def _missing(self, what: str, number: int) -> None:
        self._unreported.setdefault(what, []).append(number)


# --- what sysfs's small files hold


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _list(path: Path) -> frozenset[int]:
    """Read a list like ``0-3,8``; anything else is taken as empty."""
    found: set[int] = set()
    for part in filter(None, _text(path).split(",")):
        first, _, last = part.partition("-")
        try:
            found.update(range(int(first), int(last or first) + 1))
        except ValueError:
            return frozenset()
    return frozenset(found)


def _members(folders: Iterable[Path], file: str, prefix: str) -> Iterator[tuple[int, str]]:
    """Return each processor that a folder's file lists, with the rest of the folder's name."""
    for folder in folders:
        for number in _list(folder / file):
            yield number, folder.name.removeprefix(prefix)


# --- what bounds the figures of a machine


def _limits(root: Path) -> Iterator[str]:
    if _HYPERVISOR in _text(root / "devices/system/cpu/modalias").partition(":feature:")[2].split(","):
        yield "This is a virtual machine: cores, caches and packages are what its hypervisor makes of them."
    groups = root / "fs/cgroup"
    quota, _, period = _text(groups / "cpu.max").partition(" ")
    if not quota:  # the first version of control groups
        quota, period = _text(groups / "cpu/cpu.cfs_quota_us"), _text(groups / "cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        yield f"Its control group gives this process the time of {int(quota) / int(period):.3g} processors, no more."


# --- words


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _ranges(numbers: Iterable[int]) -> str:
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
