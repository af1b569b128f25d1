"""The grades, each with what earns it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from emu.workload.scenarios import PolicyInfo
from hosts.runs.collect import Measured
from hosts.runs.plan import Planned
from hosts.runs.verdict import Circumstances, Row, Verdict, exit_code, grade

Make = Callable[..., Measured]
Plan = Callable[..., Planned]

TWO = Circumstances(processors=2, canary="caught")

GRADES = [
    # (mutation, fired, circumstances, windows entered, verdict, reason)
    (None, (), TWO, True, "PASS", "^$"),
    (None, ("C1",), TWO, True, "VIOLATION", "^C1 x 3$"),
    (None, ("C1", "C7"), TWO, True, "VIOLATION", "^C1 x 3, C7 x 3$"),
    (None, (), TWO, False, "INCONCLUSIVE", "^never entered: post-sees-in-guest, "),
    (None, ("C1",), TWO, False, "VIOLATION", "C1"),
    (None, (), replace(TWO, ending="no time"), True, "INCONCLUSIVE", "budget ended first"),
    (None, (), replace(TWO, processors=1), True, "UNTRUSTWORTHY", "^2 pCPUs on 1 processor$"),
    (None, (), replace(TWO, processors=1), False, "UNTRUSTWORTHY", "^2 pCPUs on 1 processor$"),
    (None, ("C1",), replace(TWO, processors=1), True, "VIOLATION", "C1"),
    (None, (), replace(TWO, placement="shared"), True, "UNTRUSTWORTHY", "share a processor"),
    (None, (), replace(TWO, placement="unpinned"), True, "PASS", "^$"),
    (None, (), replace(TWO, stalled=(1,)), True, "UNTRUSTWORTHY", "^stalled by the machine: pCPU 1$"),
    (None, (), replace(TWO, canary="missed"), True, "UNTRUSTWORTHY", "canary"),
    (None, (), replace(TWO, canary="none"), True, "PASS", "^$"),
    (None, ("C5",), replace(TWO, canary="missed", stalled=(0,)), True, "VIOLATION", "C5"),
    (None, (), replace(TWO, ending="skipped", why="needs 2 pCPUs"), True, "SKIPPED", "needs 2 pCPUs"),
    (None, (), replace(TWO, ending="crash", why="pCPU 1 was killed by SIGKILL"), True, "CRASH", "SIGKILL"),
    (None, ("C1",), replace(TWO, ending="crash", why="pCPU 1 hung"), True, "VIOLATION", "^C1 x 3; then pCPU 1 hung$"),
    ("no-entry-sync", ("C1",), replace(TWO, ending="crash", why="fault\npCPU 1"), True, "VIOLATION", "; then pCPU 1$"),
    (None, (), replace(TWO, ending="fault", why="my.py:7: divides by zero"), True, "CRASH", "^my.py:7: div"),
    (None, (), replace(TWO, ending="cancelled"), True, "CANCELLED", "cancelled"),
    (None, ("C1",), replace(TWO, ending="cancelled"), True, "CANCELLED", "cancelled"),
    ("no-entry-sync", ("C1",), TWO, True, "VIOLATION", "C1"),
    ("no-entry-sync", (), TWO, True, "INCONCLUSIVE", "^C1 or C7 not seen in 1.0 s and 4 entries of its windo"),
    ("no-entry-sync", (), replace(TWO, exhaustive=True), True, "PASS", "^$"),
    ("no-entry-sync", (), replace(TWO, canary="missed"), True, "INCONCLUSIVE", "not seen"),
    ("irq-instant-before-entry", (), TWO, True, "INCONCLUSIVE", "^no check is expected by name; nothing seen in 1.0 s"),
    ("no-entry-sync", (), replace(TWO, processors=1), True, "UNTRUSTWORTHY", "1 processor"),
]


@pytest.mark.parametrize(("mutation", "fired", "what", "entered", "verdict", "reason"), GRADES)
def test_grades(
    row: Plan,
    measured: Make,
    mutation: str | None,
    fired: tuple[str, ...],
    what: Circumstances,
    verdict: str,
    reason: str,
    *,
    entered: bool,
) -> None:
    """Every way to every grade."""
    planned = row("remote-post", "always-2021", mutation)
    counted = measured(*fired) if entered else measured(*fired, windows=())
    graded = grade(planned, counted, what)
    assert graded.verdict == verdict
    assert re.search(reason, graded.reason)


def test_a_crash_is_never_as_expected(row: Plan, measured: Make) -> None:
    """Though the check that had to fire has fired: what went wrong with the processes stands beside it."""
    crashed = replace(TWO, ending="crash", why="pCPU 1 was killed by SIGSEGV")
    graded = grade(row("remote-post", "always-2021", "no-entry-sync"), measured("C1"), crashed)
    assert (graded.verdict, graded.as_expected, graded.crash) == (Verdict.VIOLATION, False, crashed.why)
    assert exit_code([graded]) == 1


def test_what_may_be_seen_and_is_not_is_inconclusive(row: Plan, measured: Make) -> None:
    """MAY: the hardware may never show it."""
    graded = grade(row("self-vs-remote", "always-2021", "on-cleared-plainly"), measured(), TWO)
    assert (graded.verdict, graded.reason) == (Verdict.INCONCLUSIVE, "may be seen, was not")


@pytest.mark.parametrize(
    ("names", "fired", "as_expected"),
    [
        (("remote-post", "always-2021", None), (), True),
        (("remote-post", "always-2021", None), ("C1",), False),
        (("device-irq", "skip-running-2020", None), ("C2",), True),
        (("device-irq", "skip-running-2020", None), ("C5",), False),
        (("device-irq", "skip-running-2020", None), (), None),
        (("remote-post", "always-2021", "no-entry-sync"), ("C7", "C5"), True),
        (("remote-post", "always-2021", "no-entry-sync"), (), None),
        (("device-irq", "always-2021", "irq-instant-before-entry"), (), True),
        (("remote-post", "always-2021", "wake-dropped"), ("C2",), False),
        (("self-vs-remote", "always-2021", "on-cleared-plainly"), ("C4",), True),
        (("self-vs-remote", "always-2021", "on-cleared-plainly"), (), True),
        (("all-to-all", "always-2021", "no-entry-sync"), ("C1",), None),
    ],
)
def test_as_expected(
    row: Plan,
    measured: Make,
    names: tuple[str, str, str | None],
    fired: tuple[str, ...],
    *,
    as_expected: bool | None,
) -> None:
    """A violation that must come counts only if one of its checks fired; nothing is held against what has no entry."""
    assert grade(row(*names), measured(*fired), TWO).as_expected is as_expected


@pytest.mark.parametrize("seconds", [0.02, 5.0, 3600.0])
def test_no_race_refutes_a_seeded_bug(row: Plan, measured: Make, seconds: float) -> None:
    """However long it took without a sighting: it proves nothing, says how long to go on, and the exit code is 2."""
    seeded = row("remote-post", "always-2021", "early-return-on-empty-pir")
    graded = grade(seeded, measured(seconds=seconds), TWO)
    assert (graded.verdict, graded.as_expected, exit_code([graded])) == (Verdict.INCONCLUSIVE, None, 2)
    assert graded.enough_seconds == max(5.0, 4 * seconds)
    again = f"--mutation early-return-on-empty-pir --cpus 2 --seconds {max(5, 4 * seconds):.0f}"
    assert graded.reason.endswith(f": pirace stress --scenario remote-post --policy always-2021 {again}")


def test_only_a_search_that_has_been_everywhere_refutes_the_table(row: Plan, measured: Make) -> None:
    """What no interleaving shows does not show: the seeded bug that had to be found was not."""
    seeded = row("remote-post", "always-2021", "early-return-on-empty-pir")
    graded = grade(seeded, measured(), replace(TWO, exhaustive=True))
    assert (graded.verdict, graded.as_expected, exit_code([graded])) == (Verdict.PASS, False, 1)


def test_a_users_policy_stands_by_itself(row: Plan, measured: Make) -> None:
    """No table: PASS is fine, a violation is not."""
    own = replace(row("kick", "kick-2016"), policy=PolicyInfo("a.py:f", 4, "", ""), expectation=None)
    assert exit_code([grade(own, measured(), TWO)]) == 0
    assert exit_code([grade(own, measured("C9"), TWO)]) == 1


def rows_of(row: Plan, measured: Make) -> dict[str, Row]:
    """Return a row of each kind."""
    clean = row("remote-post", "always-2021")
    return {
        "pass": grade(clean, measured(), TWO),
        "caught": grade(row("remote-post", "always-2021", "no-entry-sync"), measured("C1"), TWO),
        "alarm": grade(clean, measured("C1"), TWO),
        "open": grade(clean, measured(windows=()), TWO),
        "untrusted": grade(clean, measured(), replace(TWO, stalled=(0,))),
        "skipped": grade(clean, measured(), replace(TWO, ending="skipped")),
        "crash": grade(clean, measured(), replace(TWO, ending="crash")),
        "fault": grade(clean, measured(), replace(TWO, ending="fault", why="my.py:7: divides by zero")),
        "cancelled": grade(clean, measured(), replace(TWO, ending="cancelled")),
        "may": grade(row("self-vs-remote", "always-2021", "on-cleared-plainly"), measured(), TWO),
        "may, untrusted": grade(
            row("self-vs-remote", "always-2021", "on-cleared-plainly"), measured(), replace(TWO, processors=1)
        ),
    }


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([], 0),
        (["pass", "caught", "may"], 0),
        (["pass", "may, untrusted"], 0),
        (["pass", "alarm", "open"], 1),
        (["pass", "crash"], 1),
        (["pass", "fault"], 64),
        (["alarm", "crash", "fault"], 64),
        (["fault", "cancelled"], 130),
        (["pass", "open"], 2),
        (["untrusted"], 2),
        (["pass", "skipped"], 2),
        (["alarm", "crash", "cancelled"], 130),
    ],
)
def test_exit_codes(row: Plan, measured: Make, kinds: list[str], code: int) -> None:
    """The worst decides; a MAY never counts."""
    rows = rows_of(row, measured)
    assert exit_code(rows[kind] for kind in kinds) == code
