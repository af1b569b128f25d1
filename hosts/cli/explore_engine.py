"""The door to the explorer: searches what was asked for, guesses how big it is, and tells errors in one line."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from emu.memory import WORD_BYTES
from hosts.cli.errors import Failure
from hosts.cli.explore_plan import Asked
from hosts.cli.loops import have_loops
from hosts.explorer.build import Builder, explore
from hosts.explorer.flow import Endless
from hosts.explorer.learning import Learning
from hosts.explorer.model import Options, Unstable
from hosts.explorer.product import NotTerminating
from hosts.explorer.scope import Scope, ScopeError
from hosts.explorer.search import Progress, Result, Search
from hosts.explorer.witness import Witness
from hosts.loader import LoaderError, PolicyError, Program, load_program
from hosts.report.exits import EXIT_USAGE

PATIENCE: Final = 2.0
"""Seconds more that a part of a guess may begin anew; then what it has seen is all."""
GUESS_SECONDS: Final = 1.0
"""What each part of a guess may take."""

TABLE_BYTES: Final = 16
"""What a state takes of the table, half of which is free."""


Watch = Callable[[Progress], bool]
Spans = Sequence[tuple[str, int, str]]
"""Places of the source: file, line, function."""


@dataclass(frozen=True)
class Coverage:
    """Which lists of statements of ``emu`` (and of a user's file) were never come to, by their first line."""

    places: int = 0
    missed: Spans = ()
    uncalled: frozenset[tuple[str, str]] = frozenset()
    """The functions, as (file, name), of which no line was reached."""


@dataclass(frozen=True)
class Searched:
    """What a search has come to."""

    result: Result
    coverage: Coverage = Coverage()
    witness: Witness | None = None
    pathless: bool = False
    """There is a violation without a witness (:attr:`hosts.explorer.search.Search.pathless`)."""


@dataclass(frozen=True)
class Guess:
    """How big a scope is, from its parts."""

    most: float
    """States if each pCPU multiplied them as it does when it is alone with the guest: what they wake up in the guest
    is counted once for each."""
    least: float
    """States if each pCPU only multiplied them by its own local states."""
    bytes_per_state: float
    at_least: bool
    """A part was bigger than could be seen in its time."""

    @property
    def states(self) -> float:
        """The guess: of six scopes with two other pCPUs it was 0.5 to 2 times what was found."""
        return math.sqrt(self.most * self.least)

    @property
    def least_bytes(self) -> float:
        """What the states take at least."""
        return self.least * self.bytes_per_state


class Engine(Protocol):
    """Searches."""

    def guess(self, asked: Asked, options: Options) -> Guess:
        """Guess how big a scope is."""

    def search(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        """Search it."""


class Explorer:
    """The real one."""

    def __init__(self, user_policy: str | None, *, fold: bool = True, forget: bool = True, exact: bool = False) -> None:
        self._user_policy = user_policy
        self._fold, self._forget, self._exact = fold, forget, exact
        self._learning = Learning()
        with _errors(user_policy):
            self._program: Program = load_program(user_policy)
        have_loops()

    def guess(self, asked: Asked, options: Options) -> Guess:
        """Explore the guest alone and with each other pCPU alone; what --exact adds is not in it.

        Without the reduction, which leaves out far more of a part than of the whole, and begins anew again and again.
        """
        quick = replace(options, workers=1, reduce=False, progress_check=False, stop_at_first=False)
        others = range(len(asked.scope.acts))
        alone = [asked.scope.without(frozenset(others))]
        alone += [asked.scope.without(frozenset(others) - {i}) for i in others]
        with _errors(self._user_policy):
            parts = [_part(self._builder(asked, scope, exact=False), quick) for scope in alone]
        words = max(part.store.words for part in parts)
        cut_short = self._exact or any(part.result.bounded_by for part in parts)
        return put_together([part.result for part in parts], words * WORD_BYTES + TABLE_BYTES, cut_short=cut_short)

    def search(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        """Search; make the witness if there is a violation."""
        with _errors(self._user_policy):
            builder = self._builder(asked, asked.scope, exact=self._exact)
            result, search, model = explore(builder, options, watch, self._learning)
            seen = Coverage()
            if not builder.exact:
                lines = builder.protocol.lines
                seen = coverage(lines.spans, lines.hit)
            witness = None
            if result.violation is not None and not search.pathless:
                from hosts.explorer.story_make import tell_witness

                names = {"scenario": asked.planned.scenario.name, "policy": asked.planned.policy.name}
                witness = tell_witness(builder, model, options, search.path(), result.violation, **names)
        return Searched(result, seen, witness, search.pathless)

    def _builder(self, asked: Asked, scope: Scope, *, exact: bool) -> Builder:
        planned = asked.planned
        builder = Builder(self._program, scope, planned.policy.number, planned.mutation, self._fold, exact)
        builder.world.forget = self._forget
        return builder


def put_together(parts: Sequence[Result], bytes_per_state: float, *, cut_short: bool) -> Guess:
    """Guess from the guest alone, and from the guest with each other pCPU."""
    alone, *others = parts
    if not others:
        return Guess(alone.states, alone.states, bytes_per_state, cut_short)
    most = alone.states * math.prod(max(each.states / max(alone.states, 1), 1.0) for each in others)
    biggest = max(others, key=lambda each: each.states)
    least = biggest.states * math.prod(each.locals[-1] if each.locals else 1 for each in others if each is not biggest)
    return Guess(max(most, least), min(most, least), bytes_per_state, cut_short)


def _part(builder: Builder, options: Options) -> Search:
    """Search a part of a scope for a second; beginning anew counts too."""
    begun = time.monotonic()
    while True:
        left = GUESS_SECONDS - (time.monotonic() - begun)
        try:
            search = Search(builder.model(), replace(options, seconds=max(left, GUESS_SECONDS / 10)))
        except Unstable:
            continue
        try:
            search.run()
        except Unstable:
            if left > -PATIENCE:
                continue
            search.result = Result(bounded_by=("seconds",), states=search.store.total)
        return search


def coverage(spans: Spans, hit: bytes | bytearray) -> Coverage:
    """Find out what was never come to.

    A mutation's copy of a statement has the statement's own line: a line counts as reached if any copy was.
    """
    places = dict.fromkeys(place for place in spans if not place[0].startswith("<"))
    reached = {place for place, seen in zip(spans, hit, strict=True) if seen}
    called = {(file, function) for file, _line, function in reached}
    missed = tuple(place for place in places if place not in reached)
    uncalled = frozenset((file, name) for file, _line, name in missed if (file, name) not in called)
    return Coverage(len(places), missed, uncalled)


@contextmanager
def _errors(user_policy: str | None) -> Iterator[None]:
    """Turn what a user can put right into one line."""
    try:
        yield
    except (PolicyError, ScopeError, NotTerminating, Endless) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    except LoaderError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a user's function does
        raise _users_fault(error, user_policy) or error from None


def _users_fault(error: Exception, user_policy: str | None) -> Failure | None:
    """Turn an error that a user's own function is behind into one line that says where."""
    if user_policy is None:
        return None
    if isinstance(error, TypeError) and "unhashable" in str(error):
        return Failure(f"{user_policy}: keeps a local that cannot be compared ({error})", EXIT_USAGE)
    path = Path(user_policy.rpartition(":")[0]).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path]
    text = f"{path.name}:{lines[-1]}: {type(error).__name__}: {error}" if lines else ""
    return Failure(text, EXIT_USAGE) if lines else None
