"""Construction of a witness with its events, its explanation and, of a progress violation, its lasso."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from hosts.explorer.build import Builder
from hosts.explorer.counterexample.lasso import lasso_from
from hosts.explorer.counterexample.witness import Witness, make_witness, steps_of
from hosts.explorer.explanation.events import record_events
from hosts.explorer.explanation.explain import explanation_of
from hosts.explorer.explanation.table import places_in
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move
from hosts.explorer.model.system import Model
from hosts.explorer.search.result import Violation


def explained_witness(
    builder: Builder,
    model: Model,
    options: Options,
    moves: Sequence[Move],
    violation: Violation,
    *,
    scenario: str,
    policy: str,
) -> Witness:
    """Return the witness of a violation with its events and explanation, to be printed, saved and replayed."""
    found = violation.sighting if violation.what == "sighting" else violation.what
    there, round_again = _cycle(model, options, moves) if violation.what == "no-progress" else ([], [])
    moves = [*moves, *there, *round_again]
    witness, _states = make_witness(builder, model, options, moves, found, scenario=scenario, policy=policy)
    seen = record_events(builder, model, options, moves)
    _end_at_sighting(seen)
    witness = replace(witness, states=tuple(seen), cycle=len(round_again))
    story = explanation_of(witness, builder.mutation, builder.program.own)
    return replace(witness, story=story, lines=_users_lines(seen, story, builder.program.lines))


def _users_lines(seen: Sequence[dict[str, Any]], story: str, lines: Mapping[str, str]) -> dict[str, str]:
    """Return the user's source lines that the events or the explanation name."""
    named = {f"{act['file']}:{act['line']}" for state in seen for act in state.get("acts", ())}
    return {place: text for place, text in lines.items() if place in named or place in places_in(story)}


def _cycle(model: Model, options: Options, moves: Sequence[Move]) -> tuple[list[Move], list[Move]]:
    """Return the stem from the last state to a cycle (mostly empty), and the cycle."""
    _steps, states = steps_of(model, options, moves)
    return lasso_from(model, options, states[-1])


def _end_at_sighting(seen: list[dict[str, Any]]) -> None:
    """Drop what the last step does behind the assertion violation: the instrument repairs what it has found."""
    acts = seen[-1]["acts"]
    first = next((i for i, act in enumerate(acts) if act["kind"] == "sighting"), None)
    if first is None:
        return
    before = acts[first - 1]["view"] if first else seen[-2]["view"]
    more = next((i for i, act in enumerate(acts[first:], first) if act["kind"] != "sighting"), len(acts))
    seen[-1] |= {"view": before, "acts": [*acts[:first], *({**act, "view": before} for act in acts[first:more])]}
