"""What the ways of weakening a locked operation say together, and when one has been atomic all the same."""

from __future__ import annotations

import pytest

from hosts.explorer.audit.atomicity import was_atomic
from hosts.explorer.audit.relax import NEITHER, NO_ATOMICITY, NO_FENCE_BEFORE, NO_FENCE_BEHIND
from hosts.explorer.audit.verdicts import Answer, Attempt, Outcome, answer_of, fence_and_atomicity, locked_verdict
from hosts.explorer.counterexample.witness import Row, Step

N, Y, U = "not needed", "needed", "unknown"


def _row(kind: str, word: str, line: int = 1, a: int = 0, answer: int = 0) -> Row:
    return Row(kind, word, a, 0, answer, "f", "file.py", line, "")


def _runs(thread: int, *rows: Row) -> Step:
    return Step("run", thread, -1, (), rows)


def _drains(thread: int, word: str) -> Step:
    return Step("drain", thread, -1, (), (), word, 0)


LATE = _runs(0, _row("LOAD", "w", 7), _row("STORE", "w", 7))


@pytest.mark.parametrize(
    ("between", "atomic"),
    [
        ([], True),
        ([_runs(1, _row("LOAD", "w"))], True),
        ([_runs(1, _row("OR", "v", a=1))], True),
        ([_runs(1, _row("OR", "w", a=1))], False),
        ([_runs(1, _row("OR", "w", a=1, answer=3))], True),
        ([_runs(1, _row("AND", "w", a=~1, answer=1))], False),
        ([_runs(1, _row("CMPXCHG", "w", a=2, answer=1))], True),
        ([_runs(1, _row("CMPXCHG", "w", a=1, answer=1))], False),
        ([_runs(1, _row("STORE", "w"))], True),
        ([_runs(1, _row("STORE", "w")), _drains(1, "w")], False),
        ([_runs(0, _row("STORE", "v"))], True),
    ],
)
def test_another_write_in_between_makes_it_not_atomic(*, between: list[Step], atomic: bool) -> None:
    """A load is none, nor is a locked operation that changes nothing, nor a store that still waits."""
    assert was_atomic([LATE, *between, _drains(0, "w")], "f", 7) is atomic
    assert was_atomic([LATE, _drains(0, "w"), *between], "f", 7), "what comes later does not matter"
    assert was_atomic([LATE, *between, _drains(0, "w")], "f", 8), "nor do other lines"


def _attempt(outcome: Outcome, way: str = NO_FENCE_BEHIND, *, atomic: bool = True) -> Attempt:
    return Attempt(way, "scope", outcome, atomic=atomic)


@pytest.mark.parametrize(
    ("outcomes", "answer"),
    [
        (["clean", "clean"], N),
        (["clean", "violation"], Y),
        (["bounded", "violation"], Y),
        (["clean", "bounded"], U),
        (["clean", "fault"], U),
        (["clean", "never reached"], N),
        (["never reached"], U),
        ([], U),
    ],
)
def test_only_what_was_seen_completely_is_not_needed(outcomes: list[Outcome], answer: Answer) -> None:
    """One scope that was cut short leaves it open; one that never comes there says nothing."""
    assert answer_of([_attempt(outcome) for outcome in outcomes]) == answer


@pytest.mark.parametrize(
    ("before", "behind", "atomicity", "neither", "verdict"),
    [
        (Y, N, Y, Y, "needs both"),
        (N, Y, Y, Y, "needs both"),
        (N, Y, N, Y, "needs the fence"),
        (N, N, Y, Y, "needs atomicity"),
        (N, N, N, Y, "needs one of the two"),
        (N, N, N, N, "needs neither"),
        (N, N, N, U, "unknown"),
        (U, N, U, Y, "unknown"),
        (U, N, Y, Y, "needs atomicity, the fence unknown"),
        (Y, N, U, Y, "needs the fence, atomicity unknown"),
        (N, N, U, Y, "atomicity unknown, the fence not needed"),
        (N, U, N, Y, "the fence unknown, atomicity not needed"),
    ],
)
def test_the_ways_add_up(before: Answer, behind: Answer, atomicity: Answer, neither: Answer, verdict: str) -> None:
    """Which of the two halves is needed."""
    answers: dict[str, Answer] = {
        NO_FENCE_BEFORE: before,
        NO_FENCE_BEHIND: behind,
        NO_ATOMICITY: atomicity,
        NEITHER: neither,
    }
    assert locked_verdict(answers, [_attempt("violation")]) == verdict


def test_a_late_store_that_was_not_atomic_does_not_show_that_the_fence_is_needed() -> None:
    """Unless what is fenced and not atomic does no harm: then the lost atomicity was not it."""
    torn = [_attempt("violation", atomic=False)]
    answers: dict[str, Answer] = {NO_FENCE_BEFORE: N, NO_FENCE_BEHIND: Y, NO_ATOMICITY: Y, NEITHER: Y}
    assert fence_and_atomicity(answers, torn) == (U, Y)
    assert fence_and_atomicity(answers, [*torn, _attempt("violation")]) == (Y, Y)
    assert fence_and_atomicity({**answers, NO_ATOMICITY: N}, torn) == (Y, N)


def test_no_fence_is_needed_if_all_runs_in_which_it_is_atomic_are_clean() -> None:
    """Of each scope that showed a violation; and the others were seen completely."""
    apart = Attempt(NO_FENCE_BEHIND, "scope", "violation", atomic=False, apart=True)
    answers: dict[str, Answer] = {NO_FENCE_BEFORE: N, NO_FENCE_BEHIND: Y, NO_ATOMICITY: Y, NEITHER: Y}
    assert fence_and_atomicity(answers, [apart, _attempt("clean")]) == (N, Y)
    assert fence_and_atomicity(answers, [apart, _attempt("bounded")]) == (U, Y)
    assert fence_and_atomicity(answers, [apart, _attempt("violation", atomic=False)]) == (U, Y)
    assert locked_verdict(answers, [apart]) == "needs atomicity"
