"""Where pCPUs are put, judged by tables of recorded machines, not by the code that reads and places."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence

import pytest

from hosts.soak.placement.classes import MULTICORE, WORDS, Place, PlaceName, classify, place_for, placements
from hosts.soak.placement.topology import Topology
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
    part,
    topology_of,
)

REST = ["shared", "unpinned"]

by_name = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


def names(places: Sequence[Place]) -> list[PlaceName]:
    """Return the classes in the order in which they come."""
    return list(dict.fromkeys(place.name for place in places))


def place_of(machine: Machine, number: int) -> tuple[frozenset[int] | int, ...]:
    """Return package, node, cache and core of a processor as the machine's table has them."""
    node = next((node for node, members in machine.nodes.items() if number in listed(members)), -1)
    package = next((package for package, members in machine.packages.items() if number in listed(members)), 0)
    itself = frozenset({number})
    core = next((listed(group) for group in machine.cores if number in listed(group)), itself)
    cache = next((listed(group) for group in machine.caches.get(3, ()) if number in listed(group)), core)
    return package, node, cache, core


def class_by_table(machine: Machine, processors: Sequence[int]) -> str:
    """Say what class processors are, from the table alone."""
    package, node, cache, core = (
        set(column) for column in zip(*(place_of(machine, n) for n in processors), strict=True)
    )
    if len(set(processors)) < len(processors):
        return "shared"
    if len(core) < len(processors):
        return "smt"
    if len(package) > 1:
        return "other-package"
    if len(node) > 1:
        return "numa"
    return "package" if len(cache) > 1 else "core-complex"


# --- which classes there are


@pytest.mark.parametrize(
    ("machine", "classes"),
    [
        (XEON_SNC, ["smt", "core-complex", "numa", "other-package"]),
        (EPYC_NPS4, ["smt", "core-complex", "package", "numa", "other-package"]),
        (HYBRID, ["smt", "core-complex"]),
        (CLOUD, ["core-complex"]),
        (SOCKETS, ["other-package"]),
        (OFFLINE, ["core-complex", "other-package"]),
        (OPTERON, ["core-complex", "numa", "other-package"]),
        (NOTHING, ["package"]),
    ],
    ids=lambda item: item.name if isinstance(item, Machine) else "",
)
def test_two_pcpus_are_put_in_every_class_that_a_machine_has(machine: Machine, classes: list[str]) -> None:
    """Nearest first, and the ways to share or not to care last."""
    assert names(placements(topology_of(machine), 2)) == classes + REST


@pytest.mark.parametrize("pcpus", [2, 3, 4])
@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        (XEON_SNC, "0,3,4,40,20,60"),
        (XEON_SNC, "0-2,20"),
        (EPYC_NPS4, "0,1,128,4,132,16"),
        (EPYC_NPS4, "0-3,8,70"),
        (HYBRID, "10-16"),
        (OPTERON, "0-5"),  # a job's cpuset, as recorded
        (OFFLINE, "4-9"),
        (SOCKETS, "0-4"),
        (NOTHING, "0-3"),
    ],
    ids=lambda item: item.name if isinstance(item, Machine) else item,
)
def test_no_class_is_missed(machine: Machine, numbers: str, pcpus: int) -> None:
    """Every class that any choice of processors has is there: tried by going through all choices."""
    topology = part(topology_of(machine), numbers)
    every = {class_by_table(machine, choice) for choice in itertools.combinations(sorted(listed(numbers)), pcpus)}
    assert set(names(placements(topology, pcpus))) - set(REST) == every


def test_one_pcpu_is_alone_or_unpinned() -> None:
    """It is near nobody, and shares with nobody."""
    places = placements(topology_of(EPYC_NPS4), 1)
    assert names(places) == ["alone", "unpinned"]
    assert not any(place.multicore for place in places)


def test_too_many_pcpus_share() -> None:
    """All on one processor, or dealt over all; nothing else can be had."""
    places = placements(topology_of(CLOUD), 3)
    assert names(places) == REST
    assert {len(set(place.processors)) for place in places if place.name == "shared"} == {1, 2}
    assert not any(place.multicore for place in places)


def test_a_lone_processor_can_only_be_shared() -> None:
    """The smallest machine."""
    one = part(topology_of(CLOUD), "1")
    assert placements(one, 1) == [Place("alone", (1,)), Place("unpinned")]
    assert placements(one, 2) == [Place("shared", (1, 1)), Place("unpinned")]


def test_no_processor_at_all_leaves_it_to_the_scheduler() -> None:
    """If sysfs and the kernel disagree about everything."""
    for pcpus in (1, 2):
        assert placements(Topology(()), pcpus) == [Place("unpinned")]


# --- the examples


@by_name
@pytest.mark.parametrize("pcpus", [1, 2, 3, 4, 7, 16, 32])
def test_every_example_is_of_its_class(machine: Machine, pcpus: int) -> None:
    """By the table; and the first two pCPUs, whose race it is, are related as the class says by themselves."""
    topology = topology_of(machine)
    for seed in range(3):
        for place in placements(topology, pcpus, seed=seed):
            assert place.name in WORDS
            assert classify(topology, place.processors) == place.name
            if place.name == "unpinned":
                assert place.processors == ()
                continue
            assert len(place.processors) == pcpus
            assert set(place.processors) <= set(machine.online)
            if place.name not in ("alone", "shared"):
                assert class_by_table(machine, place.processors) == place.name
                assert class_by_table(machine, place.processors[:2]) == place.name


@by_name
def test_only_pcpus_with_a_core_each_are_multicore(machine: Machine) -> None:
    """Threads of one core, and pCPUs that share a processor or may come to, never are."""
    for pcpus in (1, 2, 4, 32):
        for place in placements(topology_of(machine), pcpus):
            cores = {place_of(machine, number)[3] for number in place.processors}
            assert place.multicore == (place.name in MULTICORE) == (len(cores) == pcpus > 1)


def test_examples_of_a_class_differ() -> None:
    """As many as asked for, if there are so many; none twice, in whatever order."""
    for machine in (XEON_SNC, EPYC_NPS4):
        for name in names(placements(topology_of(machine), 2))[:-1]:
            places = [place for place in placements(topology_of(machine), 2, examples=6) if place.name == name]
            assert len({frozenset(place.processors) for place in places}) == len(places) == 6
    assert names(placements(topology_of(CLOUD), 2, examples=6)) == ["core-complex", *REST]
    assert len([place for place in placements(topology_of(CLOUD), 2) if place.name == "core-complex"]) == 1


def test_kinds_of_cores_meet_in_every_way() -> None:
    """Who has the faster core decides who wins a race: each way is an example, before any is there twice."""
    for seed in range(20):
        places = placements(topology_of(HYBRID), 2, seed=seed, examples=4)
        met = [tuple(number < 12 for number in place.processors) for place in places if place.name == "core-complex"]
        assert sorted(met) == sorted(itertools.product((False, True), repeat=2))
        alone = placements(topology_of(HYBRID), 1, seed=seed, examples=2)
        assert {place.processors[0] < 12 for place in alone if place.name == "alone"} == {False, True}


def test_threads_fill_cores_before_they_begin_another() -> None:
    """Four pCPUs are two whole cores of one cache; fourteen of the hybrid machine are its six and two slow ones."""
    for place in placements(topology_of(EPYC_NPS4), 4):
        if place.name == "smt":
            assert len({place_of(EPYC_NPS4, number)[3] for number in place.processors}) == 2
            assert len({place_of(EPYC_NPS4, number)[2] for number in place.processors}) == 1
    fourteen = place_for(topology_of(HYBRID), "smt", 14)
    assert fourteen is not None
    assert set(fourteen.processors[:12]) == set(range(12))


def test_far_pcpus_are_spread_evenly() -> None:
    """Eight pCPUs on two packages are four and four, not seven and one."""
    for place in placements(topology_of(EPYC_NPS4), 8):
        if place.name in ("package", "numa", "other-package"):
            column = {"other-package": 0, "numa": 1, "package": 2}[place.name]
            parts = [place_of(EPYC_NPS4, number)[column] for number in place.processors]
            counts = [parts.count(one) for one in set(parts)]
            assert max(counts) - min(counts) <= 1


# --- chosen by seed


def test_a_seed_gives_the_same_examples_anywhere() -> None:
    """What a row of a campaign says can be made again; another seed looks elsewhere."""
    topology = topology_of(EPYC_NPS4)
    again = pickle.loads(pickle.dumps(topology))  # noqa: S301 - as it comes from another host
    assert placements(topology, 2, seed=5) == placements(again, 2, seed=5)
    assert placements(topology, 2, seed=5) != placements(topology, 2, seed=6)


def test_a_planned_class_is_found_on_another_machine() -> None:
    """Its processors there; None where it does not exist, so that a row can say so."""
    for machine in MACHINES:
        place = place_for(topology_of(machine), "numa", 2, seed=3)
        assert (place is not None) == (machine in (XEON_SNC, EPYC_NPS4, OPTERON))
        if place is not None:
            assert class_by_table(machine, place.processors) == "numa"


# --- naming processors that somebody else chose


@pytest.mark.parametrize(
    ("machine", "processors", "name"),
    [
        (XEON_SNC, (), "unpinned"),
        (XEON_SNC, (3,), "alone"),
        (XEON_SNC, (3, 3), "shared"),
        (XEON_SNC, (3, 43), "smt"),
        (XEON_SNC, (3, 4), "core-complex"),
        (XEON_SNC, (2, 3), "numa"),  # one L3, but another node: half of it is far
        (XEON_SNC, (3, 20), "other-package"),
        (EPYC_NPS4, (0, 4), "package"),
        (EPYC_NPS4, (0, 1, 4), "package"),
        (EPYC_NPS4, (0, 128, 64), "smt"),
        (CLOUD, (0, 2), None),
    ],
)
def test_processors_are_named(machine: Machine, processors: tuple[int, ...], name: PlaceName | None) -> None:
    """The farthest two decide, except that threads of one core, or one processor for two, come first."""
    assert classify(topology_of(machine), processors) == name


def test_a_place_says_where_it_is() -> None:
    """Name and processors, for the reader of a rate."""
    assert str(Place("core-complex", (0, 12))) == "core-complex (0, 12)"
    assert str(Place("unpinned")) == "unpinned"


@pytest.mark.parametrize(("pcpus", "examples"), [(0, 1), (2, 0)])
def test_nothing_cannot_be_placed(pcpus: int, examples: int) -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="cannot be placed"):
        placements(topology_of(CLOUD), pcpus, examples=examples)
