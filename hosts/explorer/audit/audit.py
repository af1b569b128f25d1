"""The memory-ordering audit: is each ordering needed? Each relaxation is explored scope by scope, the small ones first.

A scope counts only if the unchanged protocol is clean in it, and only for what it reaches: a site that no run of it
reaches would look superfluous. *Not needed* holds in the scopes named, on x86, and all of each was explored.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from hosts.explorer.audit.atomic_runs import atomic_runs
from hosts.explorer.audit.atomicity import was_atomic
from hosts.explorer.audit.relax import NO_FENCE_BEHIND, Relaxation, Site, weakened
from hosts.explorer.audit.verdicts import Attempt
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import check_of, steps_of
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, NotTerminating
from hosts.explorer.refine import explore
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress, Result
from hosts.explorer.threads.cfg import cut
from hosts.explorer.threads.coverage import Endless
from hosts.explorer.threads.harness import Scope
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.sharing import Words
from hosts.loader.program import Program
from hosts.loader.rule.faults import RuleFault

Watch = Callable[[Progress], bool]

BOUNDS: Final = {
    "seconds": "budget",
    "cancelled": "budget",
    "buffer": "a store waited for room in the buffer",
    "windows": "more windows and checks than a search can tell apart",
}


APART_STATES: Final = 20_000
"""Scopes bigger than this are not searched in plain Python for the runs in which an operation is atomic."""
_NONE: Final = (0, 0, 0, 0, 0.0, 0)
"""Progress of what counts nothing."""


@dataclass(frozen=True)
class Baseline:
    """The search of one scope with the unchanged protocol."""

    name: str
    builder: Builder
    result: Result
    reached: frozenset[tuple[str, int, str]]
    """The lists of statements that were come to: file, first line, function."""

    @property
    def sound(self) -> bool:
        """Return whether a violation in it shows anything."""
        return self.result.violation is None

    def reaches(self, site: Site) -> bool:
        """Return whether a run may come to a site."""
        return not self.result.complete or (site.file, site.block, site.function) in self.reached


def baseline_of(name: str, builder: Builder, options: Options, watch: Watch) -> Baseline:
    """Explore a scope with the unchanged protocol."""
    result, _, _ = explored(builder, options, watch)
    lines = builder.protocol.lines
    reached = frozenset(span for span, hit in zip(lines.spans, lines.hit, strict=True) if hit)
    return Baseline(name, builder, result, reached)


def explored(builder: Builder, options: Options, watch: Watch) -> tuple[Result, Search, Model]:
    """Explore; rebuilding the model counts to the time."""
    begun = time.monotonic()

    def goes_on(progress: Progress) -> bool:
        return watch(progress) and (not options.seconds or time.monotonic() - begun < options.seconds)

    return explore(builder, options, goes_on)


class Auditor:
    """Judges one relaxation after another."""

    def __init__(self, program: Program, policy: int, options: Options) -> None:
        """``options.seconds`` is the time of one relaxation in one scope."""
        self.program, self.policy, self.options = program, policy, options
        self.baselines: list[Baseline] = []

    def add(self, name: str, scope: Scope, watch: Watch) -> Baseline:
        """Explore a scope with the unchanged protocol; it becomes a baseline if it is clean."""
        baseline = baseline_of(name, Builder(self.program, scope, self.policy), self.options, watch)
        if baseline.sound:
            self.baselines.append(baseline)
        return baseline

    def attempts(self, site: Site, way: Relaxation, watch: Callable[[str], Watch]) -> Iterator[Attempt]:
        """Relax a site in one way; yield the outcome in each scope, up to the first that decides."""
        for baseline in self.baselines:
            if not baseline.reaches(site):
                yield Attempt(way.name, baseline.name, "never reached")
                continue
            now = self._explored(baseline, site, way, watch(baseline.name))
            yield now
            if now.outcome == "violation" and now.atomic:
                return

    def _explored(self, baseline: Baseline, site: Site, way: Relaxation, watch: Watch) -> Attempt:
        begun = time.monotonic()
        try:
            builder = with_relaxation(baseline.builder, way)
            result, search, model = explored(builder, self.options, watch)
        except (NotTerminating, Endless) as error:
            return Attempt(way.name, baseline.name, "fault", reason=str(error), seconds=time.monotonic() - begun)
        except RuleFault as error:
            told = error.told(tuple(self.program.files))
            return Attempt(way.name, baseline.name, "fault", reason=told, seconds=time.monotonic() - begun)
        attempt = Attempt(way.name, baseline.name, "clean", states=result.states, seconds=time.monotonic() - begun)
        if result.violation is not None:
            attempt = self._violated(attempt, site, result, search, model)
            if attempt.atomic or baseline.result.states > APART_STATES:
                return attempt
            return self._told_apart(attempt, site, builder, lambda: watch(Progress(*_NONE)))
        if not result.complete:
            bounds = dict.fromkeys(BOUNDS.get(each, each) for each in result.bounded_by)
            return replace(attempt, outcome="bounded", reason=", ".join(bounds))
        return attempt

    def _violated(self, attempt: Attempt, site: Site, result: Result, search: Search, model: Model) -> Attempt:
        found = result.violation
        assert found is not None  # noqa: S101 - asked before
        check, vector = (
            check_of(found.sighting, self.program.own.checks) if found.what == "sighting" else (found.what, -1)
        )
        moves = search.path()
        atomic = True
        if attempt.way == NO_FENCE_BEHIND:
            steps, _ = steps_of(model, self.options, moves)
            atomic = was_atomic(steps, site.function, site.line)
        return replace(attempt, outcome="violation", check=check, vector=vector, steps=len(moves), atomic=atomic)

    def _told_apart(self, attempt: Attempt, site: Site, builder: Builder, goes_on: Callable[[], bool]) -> Attempt:
        """Search the runs in which the operation is atomic: what they violate, the missing fence is to blame for."""
        begun = time.monotonic()
        ending, sighting, steps = atomic_runs(builder, self.options, site.function, site.line, goes_on)
        attempt = replace(attempt, apart=ending == "clean", seconds=attempt.seconds + time.monotonic() - begun)
        if ending != "violation":
            return attempt
        check, vector = check_of(sighting, self.program.own.checks)
        return replace(attempt, check=check, vector=vector, steps=steps, atomic=True)


# --- a builder like another, with one function changed -----------------------------------------------------------


def with_relaxation(builder: Builder, way: Relaxation) -> Builder:
    """Return a builder that differs in one function and knows from the start which words are shared.

    A word that is shared no more is still taken for shared; that costs states, never a verdict.
    """
    new = copy.copy(builder)
    new.program = weakened(builder.program, way)
    new.world = _like(builder.world)
    new.protocol = _with(builder.protocol, new.program, way)
    return new


def _with(protocol: Protocol, program: Program, way: Relaxation) -> Protocol:
    new = copy.copy(protocol)
    new.program = program
    old = protocol.flows[way.tree.name]
    marked = protocol.lines.marked(way.tree, old.file)
    flow = cut(marked, old.file, old.module, protocol.suspends, protocol.namespace)
    new.flows = {**protocol.flows, way.tree.name: flow}
    return new


def _like(world: World) -> World:
    """Return a world that knows the users of each word, and nothing else."""
    words = Words(world.words.initial)
    words.users = {word: set(users) for word, users in world.words.users.items()}
    words.written, words.read = set(world.words.written), set(world.words.read)
    words.shared = dict(world.words.shared)
    words.opened = set(world.words.opened)
    words.private, words.owner = dict(world.words.private), dict(world.words.owner)
    return replace(
        world,
        words=words,
        interrupted=set(world.interrupted),
        uninterrupted=set(),
        slots=[dict(slots) for slots in world.slots],
        spots={},
        breathers=set(world.breathers),
        suspects=list(world.suspects),
        renewers=[set(threads) for threads in world.renewers],
    )
