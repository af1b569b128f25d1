"""Runner of the explorer: searches a requested row, and turns errors into one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from msgspec import structs

from emu.machine import USER
from emu.workload.scenarios import POLICIES
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.explorer.build import Builder
from hosts.explorer.cache.learnt import Learning, key_of
from hosts.explorer.cache.programs import ready_program
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.refine import explore
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress, Result
from hosts.explorer.threads.coverage import Endless
from hosts.explorer.threads.harness import ScopeError
from hosts.loader.program import LoaderError, PolicyError
from hosts.loader.rule.blame import failure_of_code
from hosts.loader.rule.faults import RuleFault
from hosts.loader.sent_vectors import TRIGGER
from hosts.loader.user_code import UserCode, paths_of
from hosts.runs.explore_request import Asked
from hosts.runs.search_loops import have_loops

Watch = Callable[[Progress], bool]
Spans = Sequence[tuple[str, int, str]]
"""Source locations: file, line, function."""


@dataclass(frozen=True)
class Coverage:
    """The blocks of statements of ``emu`` (and of a user's file) that were never reached, by their first line."""

    places: int = 0
    missed: Spans = ()
    uncalled: frozenset[tuple[str, str]] = frozenset()
    """The functions, as (file, name), of which no line was reached."""


@dataclass(frozen=True)
class Searched:
    """The result of a search."""

    result: Result
    coverage: Coverage = Coverage()
    witness: Witness | None = None
    pathless: bool = False
    """There is a violation without a witness (:attr:`hosts.explorer.search.bfs.Search.pathless`)."""
    same_as: tuple[str, ...] = ()
    """Of a user's own rule: the policies under which the search would have been the same."""
    fault: str = ""
    """The fault of the user's rule, as ``file:line: reason``; the search ended there."""


class Engine(Protocol):
    """What searches the scope of a row."""

    def search(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        """Search the scope of a row."""


class Explorer:
    """The explorer."""

    def __init__(self, code: UserCode | None, *, fold: bool = True, forget: bool = True, exact: bool = False) -> None:
        self._code = code
        self._fold, self._forget, self._exact = fold, forget, exact
        self._learning = Learning()
        with _errors(code):
            self._program = ready_program(code)
        have_loops()

    def search(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        """Search; make the witness if there is a violation."""
        try:
            return self._searched(asked, options, watch)
        except RuleFault as fault:
            return Searched(Result(), fault=fault.told(paths_of(self._code)))
        except Endless as fault:
            return Searched(Result(), fault=str(fault))

    def _searched(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        with _errors(self._code):
            builder = self._builder(asked)
            result, search, model = explore(builder, options, watch, self._learning)
            seen = Coverage()
            if not builder.exact:
                lines = builder.protocol.lines
                seen = coverage(lines.spans, lines.hit)
            witness = None
            if result.violation is not None and not search.pathless and options.stop_at_first:
                witness = self._witness(asked, builder, model, options, search, watch)
            same = self._same(asked, builder, model, search, options, watch)
        return Searched(result, seen, witness, search.pathless, same)

    def _same(
        self, asked: Asked, builder: Builder, model: Model, search: Search, options: Options, watch: Watch
    ) -> tuple[str, ...]:
        """Return the policies that a user's rule is equivalent to; the result is cached as learnt tables are."""
        result = search.result
        own_rule = asked.planned.policy.number == USER and TRIGGER not in self._program.replaced
        if not own_rule or not result.complete or result.violation is not None or builder.exact:
            return ()
        from hosts.explorer.rule_equivalence import same_as

        files, key = self._learning.files, f"{key_of(builder, options)}-same"
        kept = files.read(key)
        if kept is not None:
            return tuple(kept.decode().split())
        now = Progress(result.states, result.transitions, result.depth, 0, result.seconds, result.bytes)
        ended = False

        def goes_on() -> bool:
            nonlocal ended
            ended = ended or not watch(now)
            return not ended

        newest_first = [(policy.name, policy.number) for policy in reversed(POLICIES)]
        same = same_as(builder, model, search.learnt, newest_first, goes_on)
        if not ended:
            files.write(key, " ".join(same).encode())
        return same

    def _witness(
        self, asked: Asked, builder: Builder, model: Model, options: Options, search: Search, watch: Watch
    ) -> Witness:
        """Make the witness of a violation, in the time that is left."""
        from hosts.explorer.explanation.complete import Found, completely_explained

        taken, given = search.result.seconds, options.seconds
        left = max(given - taken, 0.1) if given else 0.0
        found = Found(builder, options, model, search)
        scenario, policy = asked.planned.scenario.name, asked.planned.policy.name
        made = completely_explained(found, lambda: self._builder(asked), scenario, policy, left, watch, self._learning)
        return structs.replace(made, code=asked.planned.code)

    def _builder(self, asked: Asked) -> Builder:
        planned = asked.planned
        builder = Builder(self._program, asked.scope, planned.policy.number, planned.mutation, self._fold, self._exact)
        builder.world.forget = self._forget
        return builder


def coverage(spans: Spans, hit: bytes | bytearray) -> Coverage:
    """Return the lines that were never reached.

    A mutation's copy of a statement has the statement's own line: a line counts as reached if any copy was.
    """
    places = dict.fromkeys(place for place in spans if not place[0].startswith("<"))
    reached = {place for place, seen in zip(spans, hit, strict=True) if seen}
    called = {(file, function) for file, _line, function in reached}
    missed = tuple(place for place in places if place not in reached)
    uncalled = frozenset((file, name) for file, _line, name in missed if (file, name) not in called)
    return Coverage(len(places), missed, uncalled)


@contextmanager
def _errors(code: UserCode | None) -> Iterator[None]:
    """Turn errors that the user can correct into one line."""
    try:
        yield
    except (Failure, RuleFault, Endless):
        raise
    except (PolicyError, ScopeError, LoaderError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    except Exception as error:  # noqa: BLE001 - whatever a user's function does
        raise failure_of_code(error, code) or error from None
