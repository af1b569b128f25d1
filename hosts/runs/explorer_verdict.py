"""The verdict on a search of the explorer, graded as a stress run is, and the facts of the search for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hosts.explorer.counterexample.witness import Witness, check_of
from hosts.explorer.model.entered import windows_in
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Result
from hosts.explorer.search.result import Violation as Found
from hosts.kernel_names import on_vector
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.plural import counted
from hosts.runs.collect import Measured, Violation
from hosts.runs.explore_request import Asked
from hosts.runs.explorer_runner import Engine, Searched, Watch
from hosts.runs.verdict import Circumstances, Row, Verdict, grade

BOUNDS: Final = {
    "seconds": "its time limit",
    "memory": "its memory limit",
    "states": "its limit of states",
    "buffer": "the store buffer (a store waited for room in it)",
    "windows": "the windows and checks that a search can tell apart (62)",
    "cancelled": "Ctrl-C",
}
"""The bounds of a search."""

NO_TRAIL: Final = "no counterexample was reconstructed within the limits: --no-symmetry, or more --budget and --memory"
"""Of a violation seen in states that stand for others (:attr:`hosts.explorer.search.bfs.Search.pathless`)."""


def with_expected_violations(
    engine: Engine, asked: Asked, options: Options, watch: Watch, searched: Searched
) -> Searched:
    """Search again for every violation if the first one found is none that the table of expected verdicts names."""
    sought, found = asked.planned.sought, searched.result.violation
    if (
        found is None
        or not sought
        or found.what != "sighting"
        or check_of(found.sighting, asked.planned.own.checks)[0] in sought
    ):
        return searched
    everything = engine.search(asked, replace(options, stop_at_first=False), watch)
    return replace(searched, result=replace(searched.result, violations=everything.result.violations))


def bounded_by_time(bounds: Iterable[str]) -> tuple[str, ...]:
    """Return the bounds of a search that its watch ended because the time was over, not because it was cancelled."""
    return tuple("seconds" if each == "cancelled" else each for each in bounds)


def out_of_time(searched: Searched) -> Searched:
    """Return a search that its watch ended because the time was over."""
    result = searched.result
    return replace(searched, result=replace(result, bounded_by=bounded_by_time(result.bounded_by)))


def windows_entered(result: Result, own: Own = NOTHING_OWN) -> list[str]:
    """Return the names of the race windows that a search entered; ``own``: the user's among them."""
    return windows_in(result.windows, own.windows)


def judged(asked: Asked, searched: Searched, options: Options, *, cancelled: bool) -> Row:
    """Grade a search as a stress run is graded; only a complete search can pass."""
    result = searched.result
    planned = asked.planned
    seen = measured(searched, planned.own)
    if searched.fault:
        return grade(planned, seen, Circumstances(ending="fault", why=searched.fault))
    if cancelled and not seen.violations:
        why = f"cancelled after {counted(result.states, 'state')}" if result.states else "not begun"
        return grade(planned, seen, Circumstances(ending="cancelled", why=why))
    if seen.violations:
        row = grade(planned, seen, Circumstances())
        return replace(row, reason=_finding(searched, planned.own))
    if not result.complete:
        bounds = ", ".join(BOUNDS.get(each, each) for each in result.bounded_by) or "the search"
        return grade(planned, seen, Circumstances(ending="no time", why=f"bounded by {bounds}"))
    if not planned.own_scenario:  # a window not entered is one that no interleaving enters: listed with the others
        planned = replace(planned, scenario=replace(planned.scenario, windows=()))
    everything = Circumstances(processors=planned.pcpus, exhaustive=True)
    row = replace(grade(planned, seen, everything), planned=asked.planned)
    small = asked.own_scope or not options.buffer
    if small and row.verdict is Verdict.PASS and asked.planned.sought:
        return replace(row, planned=replace(asked.planned, expectation=None), reason="in this scope and memory model")
    return row


def measured(searched: Searched, own: Own = NOTHING_OWN) -> Measured:
    """Return the findings of a search in the form of those of a run."""
    result = searched.result
    names = windows_entered(result, own)
    found = result.violations or ([result.violation] if result.violation is not None else [])
    checks = dict.fromkeys(found_check(each, own)[0] for each in found)
    first = _first(searched)
    return Measured(
        windows={name: int(name in names) for name in own.windows},
        violations=tuple(Violation(check, 1, first if i == 0 else {}) for i, check in enumerate(checks)),
        seconds=result.seconds,
    )


def _first(searched: Searched) -> dict[str, Any]:
    witness = searched.witness
    if witness is None:
        return {}
    vector = witness.vector if witness.vector >= 0 else None
    return {
        "vector": vector,
        "steps": len(witness.steps),
        "model": witness.model,
        "without_buffers": witness.without_buffers or None,
        "fate": witness.fate or None,
        "story": witness.story,
    }


def found_check(found: Found, own: Own = NOTHING_OWN) -> tuple[str, int]:
    """Return what a violation is, a check or another ending, and its vector or -1."""
    return check_of(found.sighting, own.checks) if found.what == "sighting" else (found.what, -1)


def _finding(searched: Searched, own: Own) -> str:
    """Return the check that fired, with its vector, and the number of steps to it."""
    witness, result = searched.witness, searched.result
    found = result.violation
    if found is None:
        return ""
    check, vector = found_check(found, own)
    no_trail = f", {NO_TRAIL}" if searched.pathless else ""
    if witness is not None and witness.without_buffers == "violates":
        return f"{check}{on_vector(vector)}, also without store buffers: {_witness_text(witness)}"
    length = witness.length if witness is not None else f"{counted(found.depth, 'step')}"
    return f"{check}{on_vector(vector)} in {length}{no_trail}"


def _witness_text(witness: Witness) -> str:
    return f"{witness.check}{on_vector(witness.vector)} in {witness.length}"


def search_facts(asked: Asked, searched: Searched, options: Options) -> dict[str, Any]:
    """Return the facts of a search for the JSON record."""
    result = searched.result
    return {
        "scope": str(asked.scope),
        "model": "tso" if options.buffer else "sc",
        "buffer": options.buffer,
        "overtake": options.overtake,
        "reduce": options.reduce,
        "symmetry": options.symmetry,
        "fuse": options.fuse,
        "workers": options.workers,
        "complete": result.complete,
        "bounded_by": list(result.bounded_by),
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "bytes": result.bytes,
        "bytes_per_state": round(result.bytes_per_state, 1),
        "longest_buffer": result.longest_buffer,
        "local_states": list(result.locals),
        "same_as": list(searched.same_as),
        "unreached": [f"{Path(file).name}:{line}" for file, line, _name in searched.coverage.missed],
    }
