"""What is said of a run: sentences, costs, tables. Nothing is said that the run did not show."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from emu.observe.accounting import CHECKS
from emu.workload.scenarios import PolicyInfo
from hosts.report.live import LiveTable, PlainLines, Silent, make_display, plain_line
from hosts.report.sentences import BROKEN, sentences
from hosts.report.tables import print_report, summary
from hosts.runs.cost import costs
from hosts.runs.plan import Planned
from hosts.runs.verdict import Circumstances, Row, grade

TWO = Circumstances(processors=2, canary="caught")


@pytest.fixture
def graded(row: Callable[..., Planned], measured: Any) -> Callable[..., Row]:
    """Make rows up: scenario, policy, mutation, what fired, what was counted."""

    def make(scenario: str, policy: str, mutation: str | None, *fired: str, **counts: int) -> Row:
        made = grade(row(scenario, policy, mutation), measured(*fired, **counts), TWO)
        return replace(made, round_trips=(120.0, 80.0, 100.0))

    return make


def said(policy: str, rows: list[Row]) -> str:
    """Return a policy's sentence."""
    (sentence,) = (sentence for sentence in sentences(rows) if sentence.startswith(f"{policy}: "))
    return sentence


def test_a_survivor(graded: Callable[..., Row]) -> None:
    """How many scenarios, how many posts."""
    rows = [graded(scenario, "always-2021", None, posts=1000) for scenario in ("kick", "halt-wake")]
    assert "no check fired in all 2 scenarios (2,000 posts)" in said("always-2021", rows)


def test_a_failure_is_named_with_what_it_means(graded: Callable[..., Row]) -> None:
    """And only where it was seen."""
    rows = [graded("device-irq", "skip-running-2020", None, "C2"), graded("kick", "skip-running-2020", None, posts=5)]
    sentence = said("skip-running-2020", rows)
    assert "it fails in device-irq: a vCPU slept on a deliverable interrupt" in sentence
    assert "(C2, 3 times)" in sentence
    assert "no check fired in kick (5 posts)" in sentence


def test_nothing_known_is_nothing_said(row: Callable[..., Planned], measured: Any) -> None:
    """A run that was cut short has no opinion, whatever is known of the policy."""
    rows = [grade(row("kick", "elide-self-2022"), measured(), replace(TWO, ending="cancelled"))]
    assert sentences(rows) == [
        "elide-self-2022: this run proves nothing about it in kick; what a self-post costs it was not measured."
    ]


def test_cost_is_compared_with_who_was_there(graded: Callable[..., Row]) -> None:
    """IPIs for a self-post, and what became of them."""
    sent = {"ipis_sent": 100, "ipis_taken": 50, "notifications_spurious": 50}
    rows = [
        graded("tscdeadline-immed", "always-2021", None, self_posts=100, **sent),
        graded("tscdeadline-immed", "elide-self-2022", None, self_posts=100),
    ]
    assert "sends 1.00 IPIs for a self-post" in said("always-2021", rows)
    assert "not one of these notifications found anything to do" in said("always-2021", rows)
    assert "it sends no IPI for a self-post of the timer fastpath, where always-2021 does" in said(
        "elide-self-2022", rows
    )
    assert "where" not in said("elide-self-2022", rows[1:])


def test_a_notification_that_was_good_for_something(graded: Callable[..., Row]) -> None:
    """Is not called useless."""
    sent = {"ipis_sent": 100, "ipis_taken": 90, "notifications_spurious": 50}
    rows = [graded("tscdeadline-immed", "always-2021", None, self_posts=100, **sent)]
    assert "50 of 90 notifications taken found nothing to do" in said("always-2021", rows)


def test_what_a_policy_relies_on(graded: Callable[..., Row]) -> None:
    """Said where this run has seen the bug break one policy and not another."""
    clean = [graded("kick", policy, None) for policy in ("always-2021", "elide-self-2022")]
    held = graded("tscdeadline-immed", "always-2021", "no-fastpath-sync")
    broke = graded("tscdeadline-immed", "elide-self-2022", "no-fastpath-sync", "C1")
    beside = graded("remote-post", "elide-self-2022", "no-fastpath-sync")
    rows = [*clean, held, broke, beside]
    assert "it holds even if the run loop does not sync before it re-enters" in said("always-2021", rows)
    assert "it breaks if the run loop does not sync before it re-enters" in said("elide-self-2022", rows)
    assert "it holds" not in said("elide-self-2022", rows)
    assert "it breaks" not in said("elide-self-2022", [*clean, broke])


def test_a_bug_in_one_policy_says_nothing_of_the_others(graded: Callable[..., Row]) -> None:
    """``always`` does not *hold even if* ``elide-self`` is broken."""
    rows = [
        graded("kick", "always-2021", None),
        graded("tscdeadline-immed", "always-2021", "self-ipi-not-elided"),
        graded("tscdeadline-immed", "elide-self-2022", "self-ipi-not-elided", "C8"),
    ]
    assert "holds" not in said("always-2021", rows)


def test_every_check_has_its_meaning() -> None:
    """In words that stand in a sentence."""
    assert set(BROKEN) == set(CHECKS)


def test_costs_are_exact_ratios(graded: Callable[..., Row]) -> None:
    """Counts over self-posts; time from the one scenario that is timed; nothing divided by nothing."""
    rows = [
        graded("timer-slowpath", "always-2021", None, self_posts=10, vm_entries=20),
        graded("tscdeadline-immed", "always-2021", None, self_posts=100, ipis_sent=100, syncs=150),
        graded("tscdeadline-immed", "kick-2016", None),
        graded("tscdeadline-immed", "always-2021", "no-entry-barrier", self_posts=100),
        graded("kick", "always-2021", None, self_posts=100),
    ]
    first, second = costs(rows)
    assert (first.scenario, first.per_self_post("ipis_sent"), first.per_self_post("syncs")) == (
        "tscdeadline-immed",
        1.0,
        1.5,
    )
    assert first.spread == (80.0, 100.0, 120.0)
    assert (second.scenario, second.per_self_post("vm_entries"), second.spread) == ("timer-slowpath", 2.0, None)


def rows_of_all_kinds(graded: Callable[..., Row], row: Callable[..., Planned], measured: Any) -> list[Row]:
    """Return rows for tables."""
    own = replace(row("kick", "kick-2016"), policy=PolicyInfo("a/long/path/to/a.py:f", 4, "", ""), expectation=None)
    return [
        graded("tscdeadline-immed", "always-2021", None, self_posts=100, ipis_sent=100),
        graded("kick", "always-2021", None, "C9"),
        graded("kick", "always-2021", "request-after-kick", "C9"),
        grade(own, measured("C1"), TWO),
        grade(row("halt-wake", "kick-2016"), measured(), replace(TWO, ending="crash", why="one\npCPU 1 was killed")),
        grade(row("halt-wake", "always-2021"), measured(), replace(TWO, ending="cancelled")),
    ]


def test_the_end_of_a_run(graded: Callable[..., Row], row: Callable[..., Planned], measured: Any) -> None:
    """Verdicts, what was not as expected, costs, sentences, and the count."""
    out = io.StringIO()
    print_report(Console(file=out, width=200), rows_of_all_kinds(graded, row, measured), 7)
    text = out.getvalue()
    assert "VIOLATION (!) C9" in text
    assert "kick x always-2021: VIOLATION (expected PASS): C9 x 3; first C9: pcpu=0" in text
    assert "halt-wake x kick-2016: CRASH (expected PASS): pCPU 1 was killed" in text
    assert "it says nothing about hardware" in text
    assert "1.0000" in text
    assert "always-2021: it fails in kick" in text
    assert "6 of 7 rows: 1 PASS, 3 VIOLATION, 1 CRASH, 1 CANCELLED; 3 not as expected" in text


def test_nothing_at_all() -> None:
    """A run without a row ends without an error."""
    out = io.StringIO()
    print_report(Console(file=out), [], 3)
    assert out.getvalue().strip() == "0 of 3 rows: nothing; none against the table"
    assert summary([], 3) in out.getvalue()


def test_the_last_line_of_one_row(graded: Callable[..., Row]) -> None:
    """As of several."""
    row = graded("kick", "always-2021", None)
    assert summary([row], 1).startswith("1 of 1 row: 1 PASS;")
    assert summary([row], 2).startswith("1 of 2 rows: 1 PASS;")


def test_a_plain_line_has_what_the_live_table_has(graded: Callable[..., Row]) -> None:
    """Rounds, deliveries, IPIs sent and elided, windows, violations."""
    row = graded("kick", "always-2021", None, "C9", rounds=1, deliveries=2, ipis_sent=3, ipis_elided=4)
    assert plain_line(row, 5, 9) == (
        "[5/9] kick x always-2021: VIOLATION (!) (C9 x 3); "
        "rounds 1, deliveries 2, sent 3, elided 4, windows 4/4, violations 3, 1.00 s"
    )


def test_who_sees_what(graded: Callable[..., Row], row: Callable[..., Planned], measured: Any) -> None:
    """A terminal gets a moving table, a file plain lines, --quiet nothing."""
    terminal = Console(file=io.StringIO(), force_terminal=True, width=160, height=20)
    plain = Console(file=io.StringIO(), width=160)
    rows = [row("kick", "kick-2016")] * 3
    assert isinstance(make_display(terminal, rows, 60, quiet=False), LiveTable)
    assert isinstance(make_display(plain, rows, 60, quiet=False), PlainLines)
    assert type(make_display(terminal, rows, 60, quiet=True)) is Silent
    for console in (terminal, plain):
        with make_display(console, rows, 60, quiet=False) as display:
            display.running(row("kick", "kick-2016"), measured(rounds=1234))
            display.finished(graded("kick", "always-2021", None, rounds=77))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert "77" in text
        assert ("1,234" in text) == console.is_terminal
