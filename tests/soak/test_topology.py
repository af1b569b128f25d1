"""What is read of a machine's topology, on recorded machines that this one is not."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from hosts.soak.placement.topology import Processor, Topology
from tests.soak.machines import (
    CLOUD,
    EPYC_NPS4,
    HYBRID,
    MACHINES,
    NOTHING,
    OFFLINE,
    OPTERON,
    SOCKETS,
    XEON_SNC,
    Machine,
    listed,
    topology_of,
)

GUEST = "This is a virtual machine: cores, caches and packages are what its hypervisor makes of them."

by_name = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@pytest.mark.parametrize(
    ("machine", "described"),
    [
        (XEON_SNC, "2 packages, 4 NUMA nodes, 2 last-level caches, 40 cores, 80 processors"),
        (EPYC_NPS4, "2 packages, 8 NUMA nodes, 32 last-level caches, 128 cores, 256 processors"),
        (HYBRID, "1 package, 1 NUMA node, 1 last-level cache, 14 cores of 2 kinds, 20 processors"),
        (CLOUD, "1 package, 1 NUMA node, 1 last-level cache, 2 cores, 2 processors"),
        (SOCKETS, "8 packages, 1 NUMA node, 8 last-level caches, 8 cores, 8 processors"),
        (OFFLINE, "2 packages, 2 NUMA nodes, 2 last-level caches, 17 cores, 17 processors"),
        (OPTERON, "4 packages, 8 NUMA nodes, 8 last-level caches, 32 cores, 32 processors"),
        (NOTHING, "1 package, 1 NUMA node, 4 last-level caches, 4 cores, 4 processors"),
    ],
    ids=lambda item: item.name if isinstance(item, Machine) else "",
)
def test_a_machine_is_described_in_a_line(machine: Machine, described: str) -> None:
    """Everything is counted once."""
    assert topology_of(machine).describe() == described


def groups_of(topology: Topology, key: Callable[[Processor], object]) -> set[frozenset[int]]:
    """Return the sets of processors that have something in common."""
    found: dict[object, set[int]] = {}
    for one in topology.processors:
        found.setdefault(key(one), set()).add(one.number)
    return {frozenset(group) for group in found.values()}


def told(machine: Machine, groups: Iterable[str]) -> set[frozenset[int]]:
    """Return the table's sets of processors that run; what is in no set is one of its own."""
    sets = {listed(group) & frozenset(machine.online) for group in groups} - {frozenset[int]()}
    return sets | {frozenset((number,)) for number in machine.online if not any(number in one for one in sets)}


@by_name
def test_cores_caches_and_packages_are_those_of_the_table(machine: Machine) -> None:
    """Whatever order the numbers are in, and under the file names of old kernels too."""
    topology = topology_of(machine)
    assert list(topology.numbers) == machine.online
    assert groups_of(topology, lambda one: one.core) == told(machine, machine.cores)
    assert groups_of(topology, lambda one: one.complex) == told(machine, machine.caches.get(3, machine.cores))
    if machine.tells:
        assert groups_of(topology, lambda one: one.package) == told(machine, machine.packages.values())


def test_nodes_are_those_of_the_table() -> None:
    """Nodes that interleave as those of sub-NUMA clusters do, and more nodes than packages."""
    for machine in (XEON_SNC, EPYC_NPS4, HYBRID, OPTERON):
        for one in topology_of(machine).processors:
            assert one.number in listed(machine.nodes[one.node])


def test_offline_processors_are_left_out_and_unreported_facts_noted() -> None:
    """A processor that is offline has no topology; one in no node's list is in none that is known."""
    topology = topology_of(OFFLINE)
    assert topology.numbers == tuple(range(4, 21))
    assert {one.node for one in topology.processors if one.number % 2 == 0} == {-1}
    assert topology.notes == (
        "The kernel reports of processor 4,6,8,10,12,14,16,18,20 no NUMA node: taken to be all on one.",
    )


def test_a_cpuset_leaves_what_it_allows_where_it_is(tmp_path: Path) -> None:
    """A thread's core keeps the number of the sibling that this process may not use."""
    topology = Topology.read(HYBRID.write(tmp_path), {3, 12})
    assert topology.processors == (
        Processor(number=3, core=2, complex=0, node=0, package=0, kind="core"),
        Processor(number=12, core=12, complex=0, node=0, package=0, kind="atom"),
    )
    assert topology.notes == ()


def test_kinds_of_cores_carry_the_kernels_words() -> None:
    """Only where there are several; a device that is merely called like them is none."""
    assert {one.number: one.kind for one in topology_of(HYBRID).processors} == {
        number: "core" if number < 12 else "atom" for number in range(20)
    }
    assert {one.kind for one in topology_of(EPYC_NPS4).processors} == {""}


@by_name
def test_a_virtual_machine_is_recognised(machine: Machine) -> None:
    """By the processor feature that hypervisors set; what they tell of packages may be invented."""
    assert (GUEST in topology_of(machine).notes) == (machine in (CLOUD, SOCKETS))


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({"cpu.max": "150000 100000"}, ["the time of 1.5 processors"]),
        ({"cpu.max": "max 100000"}, []),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, ["the time of 4 processors"]),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, []),
        ({"cpu.max": "what is this"}, []),
    ],
    ids=["bounded", "free", "bounded, first version", "free, first version", "not understood"],
)
def test_a_quota_of_time_is_noted(tmp_path: Path, files: dict[str, str], note: list[str]) -> None:
    """Many processors of which a container may use some at a time make no multicore machine."""
    HYBRID.write(tmp_path)
    for name, text in files.items():
        file = tmp_path / "fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="ascii")
    notes = Topology.read(tmp_path, listed(HYBRID.present)).notes
    assert len(notes) == len(note)
    assert all(words in said for words, said in zip(note, notes, strict=True))


def test_where_nothing_is_reported_every_assumption_is_noted() -> None:
    """Each processor a core; four assumptions, each named with the processors it was made of."""
    topology = topology_of(NOTHING)
    assert [one.core for one in topology.processors] == [0, 1, 2, 3]
    assert topology.notes == (
        "The kernel reports of processor 0-3 no core: each taken to be on one of its own.",
        "The kernel reports of processor 0-3 no package: taken to be all on one.",
        "The kernel reports of processor 0-3 no NUMA node: taken to be all on one.",
        "The kernel reports of processor 0-3 no caches: each core taken to share none.",
    )


def test_threads_of_a_core_are_never_taken_apart(tmp_path: Path) -> None:
    """Not even if sysfs says that they are on different caches and packages."""
    HYBRID.write(tmp_path)
    odd = tmp_path / "devices/system/cpu/cpu1"
    (odd / "cache/index3/shared_cpu_list").write_text("1\n", encoding="ascii")
    (odd / "topology/physical_package_id").write_text("7\n", encoding="ascii")
    first, second, *_ = Topology.read(tmp_path, range(20)).processors
    assert (first.core, first.complex, first.package) == (second.core, second.complex, second.package)


def test_garbage_counts_as_nothing(tmp_path: Path) -> None:
    """A file that holds no list of processors is as good as none."""
    CLOUD.write(tmp_path)
    for file in (tmp_path / "devices/system").rglob("*"):
        if file.is_file():
            file.write_text("7-,x\u20ac\n", encoding="utf-8")
    assert Topology.read(tmp_path, {0, 1}).processors == topology_of(NOTHING).processors[:2]


def test_this_machine_is_read_and_a_narrower_affinity_obeyed() -> None:
    """What the kernel lets this thread run on, no more; affinity is a thread's own, so the test's stays as it was."""
    assert Topology.read().numbers == tuple(sorted(os.sched_getaffinity(0)))
    seen: list[Topology] = []

    def narrow() -> None:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        seen.append(Topology.read())

    thread = threading.Thread(target=narrow)
    thread.start()
    thread.join()
    assert [one.number for one in seen[0].processors] == [max(os.sched_getaffinity(0))]
