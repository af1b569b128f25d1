"""A complete explanation: the violation is sought without store buffers, too, and what would repair it is determined.

Both take the time that the search has left; what was not determined in it is reported as not known.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from msgspec import structs

from hosts.explorer.build import Builder
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.cause import Cause
from hosts.explorer.explanation.explain import explanation_of
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.explanation.query import EventLog
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.refine import explore
from hosts.explorer.repair.repair import ASTRAY, fate_of
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress


@dataclass(frozen=True)
class Found:
    """A search that has found a violation, with its trail."""

    builder: Builder
    options: Options
    model: Model
    search: Search


def completely_explained(
    found: Found,
    make: Callable[[], Builder],
    scenario: str,
    policy: str,
    left: float = 0.0,
    watch: Callable[[Progress], bool] | None = None,
    learning: Learning | None = None,
) -> Witness:
    """Return an explained counterexample, one without store buffers if there is one and the first blames a buffer.

    ``make`` gives another builder of the same scope; ``left``: seconds that may be taken, 0: as many as it likes.
    """
    until = time.monotonic() + left if left else math.inf
    witness = _told(found, scenario, policy)
    without = ""
    if witness.model == "tso" and Cause(EventLog(witness)).blames_a_buffer():
        without, plain = _without_buffers(found, make(), left, watch, learning)
        if plain is not None:
            found, witness = plain, _told(plain, scenario, policy)
    fate = fate_of(found.builder, found.options, found.search.path(), witness, until)
    witness = structs.replace(witness, without_buffers=without, fate=fate.fate, repaired_by=fate.by)
    return structs.replace(witness, story=explanation_of(witness, found.builder.mutation, found.builder.program.own))


def _without_buffers(
    found: Found,
    builder: Builder,
    left: float,
    watch: Callable[[Progress], bool] | None,
    learning: Learning | None,
) -> tuple[str, Found | None]:
    """Search without store buffers; return the outcome, and the search if it has found a violation with its trail."""
    options = replace(found.options, buffer=0, seconds=left)
    try:
        result, search, model = explore(builder, options, watch, learning)
    except ASTRAY:
        return "unknown", None
    if result.violation is None or search.pathless:
        return "holds" if result.complete else "unknown", None
    return "violates", Found(builder, options, model, search)


def _told(found: Found, scenario: str, policy: str) -> Witness:
    violation = found.search.result.violation
    assert violation is not None  # noqa: S101 - it was found
    moves = found.search.path()
    return explained_witness(
        found.builder, found.model, found.options, moves, violation, scenario=scenario, policy=policy
    )
