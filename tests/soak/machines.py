"""Big hosts that this machine is not: what Linux told of them, as tables, and the sysfs tree that a table stands for.

The tables hold facts that were recorded on such machines and published: which processors are on which core, cache,
NUMA node and package, and which files there were not.
"""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hosts.soak.placement.topology import Topology


@functools.cache
def listed(text: str) -> frozenset[int]:
    """Read ``0-3,8``."""
    numbers: set[int] = set()
    for piece in filter(None, text.split(",")):
        first, _, last = piece.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


def every(step: int, first: int, last: int) -> str:
    """Write ``first, first + step, ...`` up to and with ``last`` at most."""
    return ",".join(map(str, range(first, last + 1, step)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """One machine. Each list of groups names the processors as Linux does."""

    name: str
    packages: dict[int, str]
    nodes: dict[int, str]
    cores: tuple[str, ...] = ()
    """Those of several threads; every other processor is a core."""
    caches: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """By level, where several cores share one; the first level is each core's own."""
    kinds: dict[str, str] = field(default_factory=dict)
    present: str
    offline: str = ""
    features: str = "0000,0001,0009"
    cpu0_has_a_switch: bool = False
    tells: bool = True
    """Whether there is anything to know in the processors' folders."""
    old_names: bool = False
    """A kernel before 5.3, which called ``core_cpus`` ``thread_siblings`` only."""

    @property
    def online(self) -> list[int]:
        """The processors that run."""
        return sorted(listed(self.present) - listed(self.offline))

    def write(self, sys: Path) -> Path:
        """Write it as the kernel would show it below /sys."""
        cpus = sys / "devices/system/cpu"
        for number in listed(self.present):
            self._write_processor(cpus / f"cpu{number}", number)
        _put(cpus / "modalias", f"cpu:type:x86,ven0000fam0006mod0055:feature:,{self.features},")
        _put(cpus / "present", self.present)
        _put(cpus / "offline", self.offline)
        for node, members in self.nodes.items():
            _put(sys / f"devices/system/node/node{node}/cpulist", members)
        for kind, members in self.kinds.items():
            _put(sys / f"devices/cpu_{kind}/cpus", members)
        _put(sys / "devices/cpu_dma_latency/uevent", "")  # of a name like theirs, and something else
        return sys

    def _write_processor(self, folder: Path, number: int) -> None:
        if number or self.cpu0_has_a_switch:
            _put(folder / "online", "1" if number in self.online else "0")
        if number not in self.online:
            return  # what is offline has neither topology nor caches
        if not self.tells:
            _put(folder / "topology/physical_package_id", "-1")  # the kernel's word for unknown
            return
        core = _group_of(number, self.cores) or str(number)
        for name in ("thread_siblings_list",) if self.old_names else ("thread_siblings_list", "core_cpus_list"):
            _put(folder / "topology" / name, core)
        package = next(one for one, members in self.packages.items() if number in listed(members))
        _put(folder / "topology/physical_package_id", str(package))
        caches = [(1, "Data", core), (1, "Instruction", core)]
        for level, groups in self.caches.items():
            if shared := _group_of(number, groups):
                caches.append((level, "Unified", shared))
        for index, (level, kind, shared) in enumerate(caches):
            _put(folder / f"cache/index{index}/level", str(level))
            _put(folder / f"cache/index{index}/type", kind)
            _put(folder / f"cache/index{index}/shared_cpu_list", shared)


def _group_of(number: int, groups: tuple[str, ...]) -> str:
    return next((group for group in groups if number in listed(group)), "")


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n", encoding="ascii")


def _pairs(first: int, last: int, away: int) -> tuple[str, ...]:
    return tuple(f"{number},{number + away}" for number in range(first, last + 1))


XEON_SNC: Final = Machine(
    # Two Xeon Gold 6148 with sub-NUMA clusters: the nodes of a package interleave as its mesh does, its L3 spans both.
    name="xeon-snc",
    present="0-79",
    packages={0: "0-19,40-59", 1: "20-39,60-79"},
    nodes={
        0: "0-2,5,6,10-12,15,16,40-42,45,46,50-52,55,56",
        1: "3,4,7-9,13,14,17-19,43,44,47-49,53,54,57-59",
        2: "20-22,25,26,30-32,35,36,60-62,65,66,70-72,75,76",
        3: "23,24,27-29,33,34,37-39,63,64,67-69,73,74,77-79",
    },
    cores=_pairs(0, 39, 40),
    caches={2: _pairs(0, 39, 40), 3: ("0-19,40-59", "20-39,60-79")},
    old_names=True,
)

EPYC_NPS4: Final = Machine(
    # Two EPYC 7742, four nodes a package: four cores share an L3, four such complexes are a node.
    name="epyc-nps4",
    present="0-255",
    packages={0: "0-63,128-191", 1: "64-127,192-255"},
    nodes={node: f"{16 * node}-{16 * node + 15},{16 * node + 128}-{16 * node + 143}" for node in range(8)},
    cores=_pairs(0, 127, 128),
    caches={
        2: _pairs(0, 127, 128),
        3: tuple(f"{four}-{four + 3},{four + 128}-{four + 131}" for four in range(0, 128, 4)),
    },
)

HYBRID: Final = Machine(
    # An i7-1370P: six cores of two threads, eight efficient ones of one in two clusters, one L3.
    name="hybrid",
    present="0-19",
    packages={0: "0-19"},
    nodes={0: "0-19"},
    cores=tuple(f"{first}-{first + 1}" for first in range(0, 12, 2)),
    caches={2: (*(f"{first}-{first + 1}" for first in range(0, 12, 2)), "12-15", "16-19"), 3: ("0-19",)},
    kinds={"core": "0-11", "atom": "12-19"},
)

CLOUD: Final = Machine(
    # Two processors of an EPYC, as KVM shows them to a guest: no SMT, and the feature that says that it is one.
    name="cloud",
    present="0-1",
    packages={0: "0-1"},
    nodes={0: "0-1"},
    caches={2: ("0", "1"), 3: ("0-1",)},
    features="0000,0001,0009,009F,00A0",
)

SOCKETS: Final = Machine(
    # Another guest: its hypervisor gives each processor a package and caches of its own, whatever is below.
    name="sockets",
    present="0-7",
    packages={number: str(number) for number in range(8)},
    nodes={0: "0-7"},
    caches={2: tuple(map(str, range(8))), 3: tuple(map(str, range(8)))},
    features="0000,0001,009F",
)

OFFLINE: Final = Machine(
    # Two Xeon E5-2680 v3 without SMT, numbered in turn; seven processors offline, the first among them, and their node
    # has no folder, so nothing tells of the node of the others there.
    name="offline",
    present="0-23",
    offline="0-3,21-23",
    packages={0: every(2, 0, 22), 1: every(2, 1, 23)},
    nodes={1: every(2, 1, 23)},
    caches={2: tuple(map(str, range(24))), 3: (every(2, 4, 20), every(2, 5, 19))},
    cpu0_has_a_switch=True,
    old_names=True,
)

OPTERON: Final = Machine(
    # Four Opteron 6134, two nodes a package, each with an L3; a job's cpuset had processors 0-5 of it.
    name="opteron",
    present="0-31",
    packages={package: f"{8 * package}-{8 * package + 7}" for package in range(4)},
    nodes={node: f"{4 * node}-{4 * node + 3}" for node in range(8)},
    caches={2: tuple(map(str, range(32))), 3: tuple(f"{4 * node}-{4 * node + 3}" for node in range(8))},
    old_names=True,
)

NOTHING: Final = Machine(
    # A sandbox that shows processors and tells nothing of them.
    name="nothing",
    present="0-3",
    packages={},
    nodes={},
    tells=False,
)

MACHINES: Final = (XEON_SNC, EPYC_NPS4, HYBRID, CLOUD, SOCKETS, OFFLINE, OPTERON, NOTHING)


@functools.cache
def topology_of(machine: Machine) -> Topology:
    """Write a machine's tree, read it, and remember what was read."""
    with tempfile.TemporaryDirectory() as folder:
        return Topology.read(machine.write(Path(folder)), listed(machine.present))


def part(topology: Topology, numbers: str) -> Topology:
    """Return what a process sees that may run on some processors only."""
    return Topology(tuple(one for one in topology.processors if one.number in listed(numbers)), topology.notes)
