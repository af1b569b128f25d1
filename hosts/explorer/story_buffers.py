"""Whether a store buffer is to blame: before one is, the same scope is searched under sequential consistency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hosts.explorer.build import Builder, explore
from hosts.explorer.learning import Learning
from hosts.explorer.model import Options
from hosts.explorer.search import Progress
from hosts.explorer.story_cause import Cause
from hosts.explorer.story_facts import story_of
from hosts.explorer.story_make import tell_witness
from hosts.explorer.witness import Witness


def acquitted(
    make: Callable[[], Builder],
    options: Options,
    witness: Witness,
    left: float,
    watch: Callable[[Progress], bool] | None = None,
    learning: Learning | None = None,
) -> Witness:
    """Give the way without store buffers, if there is one and the one given blames a buffer; else the one given.

    ``make`` gives the builder of the same scope; ``left``: seconds that the search may take, 0: as long as it likes.
    Either way the story says what was found.
    """
    if witness.model != "tso" or not Cause(witness).blames_a_buffer():
        return witness
    builder = make()
    plain = replace(options, buffer=0, seconds=left)
    result, search, model = explore(builder, plain, watch, learning)
    if result.violation is None or search.pathless:
        return _said(builder, witness, "holds" if result.complete else "unknown")
    names = {"scenario": witness.scenario, "policy": witness.policy}
    told = tell_witness(builder, model, plain, search.path(), result.violation, **names)
    return _said(builder, told, "violates")


def _said(builder: Builder, witness: Witness, what: str) -> Witness:
    said = replace(witness, without_buffers=what)
    return replace(said, story=story_of(said, builder.mutation))
