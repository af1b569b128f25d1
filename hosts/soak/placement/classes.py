"""Placements of a run's pCPUs, in classes by the topology between their processors.

A class is named after the nearest thing that all of its processors share, so every run belongs to exactly one, and the
rates of one class are not mixed with another's.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from hosts.soak.placement.topology import Processor, Topology

PlaceName = Literal["alone", "smt", "core-complex", "package", "numa", "other-package", "shared", "unpinned"]

MULTICORE: Final[frozenset[PlaceName]] = frozenset(("core-complex", "package", "numa", "other-package"))
"""The classes in which every one of several pCPUs has a core of its own."""

WORDS: Final[dict[PlaceName, str]] = {
    "alone": "one pCPU on a processor of its own",
    "smt": "hardware threads of the same cores",
    "core-complex": "cores that share their last cache and NUMA node",
    "package": "cores of one package and NUMA node, not all on one cache",
    "numa": "cores of one package, not all on one NUMA node",
    "other-package": "cores of several packages",
    "shared": "pCPUs share a processor",
    "unpinned": "left to the scheduler",
}
"""Each class in words, nearest first."""

_TRIES: Final = 16
"""Draws for each example that is wanted: enough to draw the rarer kinds of cores as well."""

T = TypeVar("T")
Drawn = tuple[Processor, ...]
Group = list[Processor]
Key = Callable[[Processor], object]


@dataclass(frozen=True, slots=True)
class Place:
    """One placement of the pCPUs of a run."""

    name: PlaceName
    processors: tuple[int, ...] = ()
    """One for each pCPU; none: left to the scheduler."""

    @property
    def multicore(self) -> bool:
        """Whether figures measured here may be called multicore figures."""
        return self.name in MULTICORE

    def __str__(self) -> str:
        """Return the class and the processors in one line."""
        return f"{self.name} ({', '.join(map(str, self.processors))})" if self.processors else self.name


def placements(topology: Topology, pcpus: int, *, seed: int = 0, examples: int = 4) -> list[Place]:
    """Return examples of each class that this machine has for so many pCPUs, the nearest class first.

    The first two pCPUs, which a scenario's race is between, are always related as the class says; the others as nearly
    so as the machine allows. On one with several kinds of cores the examples differ in the kinds and who has which.
    """
    if pcpus < 1 or examples < 1:
        raise ValueError(f"{pcpus} pCPUs and {examples} examples cannot be placed")
    found = []
    for name in WORDS:
        # Each class has a random generator of its own: the examples of one class do not depend on the others.
        rng = random.Random(f"{seed} {pcpus} {name}")
        found += [Place(name, numbers) for numbers in _examples(name, topology.processors, pcpus, rng, examples)]
    return found


def place_for(topology: Topology, name: PlaceName, pcpus: int, *, seed: int = 0) -> Place | None:
    """Return one example of a class, or None if this machine has none: for a task that was planned on another."""
    return next((place for place in placements(topology, pcpus, seed=seed, examples=1) if place.name == name), None)


def classify(topology: Topology, processors: Sequence[int]) -> PlaceName | None:
    """Return the class of these processors; None: this process may not run on one of them."""
    known = {one.number: one for one in topology.processors}
    if not processors:
        return "unpinned"
    if not known.keys() >= set(processors):
        return None
    return _class_of([known[number] for number in processors])


def _class_of(processors: Group) -> PlaceName:
    if len(processors) == 1:
        return "alone"
    if len(set(processors)) < len(processors):
        return "shared"
    if _differ(processors, _core) < len(processors):
        return "smt"
    return next((name for name, key in _SPREAD if _differ(processors, key) > 1), "core-complex")


# --- how processors lie to each other: each group is part of one of the next, whatever sysfs says


def _core(one: Processor) -> object:
    return one.core


def _complex(one: Processor) -> object:
    return (_node(one), one.complex)  # a last cache that spans two nodes counts as two: half of it is far


def _node(one: Processor) -> object:
    return (one.package, one.node)


def _package(one: Processor) -> object:
    return one.package


def _machine(_one: Processor) -> object:
    return None


_SPREAD: Final[tuple[tuple[PlaceName, Key], ...]] = (
    ("other-package", _package),
    ("numa", _node),
    ("package", _complex),
)
"""Farthest first: a group of processors has the first name of which it has several."""

_WITHIN: Final[dict[PlaceName, tuple[Key, Key]]] = {
    "core-complex": (_complex, _core),
    "package": (_node, _complex),
    "numa": (_package, _node),
    "other-package": (_machine, _package),
}
"""The part of the machine that a class stays within, and the parts of it that it spreads over."""


def _split(processors: Iterable[Processor], key: Key) -> list[Group]:
    groups: dict[object, Group] = {}
    for one in processors:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _differ(processors: Iterable[Processor], key: Key) -> int:
    return len({key(one) for one in processors})


# --- drawing examples


def _examples(
    name: PlaceName, processors: Drawn, pcpus: int, rng: random.Random, examples: int
) -> Iterator[tuple[int, ...]]:
    if name == "unpinned":
        yield ()
        return
    found: dict[object, Drawn] = {}
    for draw in itertools.islice(_draws(name, processors, pcpus, rng), _TRIES * examples):
        found.setdefault((frozenset(draw), _kinds(draw)), draw)
    like: dict[object, int] = {}
    order = []
    for draw in found.values():
        before = like[_kinds(draw)] = like.get(_kinds(draw), -1) + 1
        order.append((before, draw))
    # One of each kind first, then the second ones: the sort keeps the order of what is equal.
    for _, draw in sorted(order, key=lambda item: item[0])[:examples]:
        yield tuple(one.number for one in draw)


def _kinds(draw: Drawn) -> object:
    return (tuple(one.kind for one in draw), len(set(draw)))


def _draws(name: PlaceName, processors: Drawn, pcpus: int, rng: random.Random) -> Iterator[Drawn]:
    """Draw examples of a class without end, or none at all."""
    if name == "alone":
        return _alone(processors, rng) if pcpus == 1 else iter(())
    if pcpus == 1 or not processors:
        return iter(())
    if name == "shared":
        return _shared(processors, pcpus, rng)
    if name == "smt":
        return _threads(processors, pcpus, rng)
    return _cores(name, processors, pcpus, rng)


def _alone(processors: Drawn, rng: random.Random) -> Iterator[Drawn]:
    while processors:
        yield (rng.choice(processors),)


def _shared(processors: Drawn, pcpus: int, rng: random.Random) -> Iterator[Drawn]:
    """All on one; or two and two, on all processors if there are too few."""
    while True:
        yield (rng.choice(processors),) * pcpus
        if pcpus > 2 and len(processors) > 1:  # noqa: PLR2004
            over = min(len(processors), pcpus if len(processors) < pcpus else (pcpus + 1) // 2)
            yield tuple(itertools.islice(itertools.cycle(rng.sample(processors, over)), pcpus))


def _threads(processors: Drawn, pcpus: int, rng: random.Random) -> Iterator[Drawn]:
    """Fill core after core, within the smallest part of the machine that has enough."""
    for key in (_complex, _node, _package, _machine):
        areas = [area for area in _split(processors, key) if len(area) >= pcpus and _differ(area, _core) < len(area)]
        while areas:
            cores = _shuffled(_split(rng.choice(areas), _core), rng)
            cores.sort(key=len, reverse=True)
            yield tuple(itertools.chain.from_iterable(_shuffled(core, rng) for core in cores))[:pcpus]


def _cores(name: PlaceName, processors: Drawn, pcpus: int, rng: random.Random) -> Iterator[Drawn]:
    """Spread over what the class spreads over, a core for each."""
    within, over = _WITHIN[name]
    areas = [area for area in _split(processors, within) if _differ(area, _core) >= pcpus and _differ(area, over) > 1]
    while areas:
        groups = [_a_thread_of_each_core(group, rng) for group in _split(rng.choice(areas), over)]
        yield tuple(itertools.islice(_round_robin(_shuffled(groups, rng)), pcpus))


def _a_thread_of_each_core(group: Group, rng: random.Random) -> Group:
    return _shuffled([rng.choice(core) for core in _split(group, _core)], rng)


def _round_robin(groups: Iterable[Group]) -> Iterator[Processor]:
    for row in itertools.zip_longest(*groups):
        yield from filter(None, row)


def _shuffled(items: list[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))
