"""The size of what is explored is said first, and refused if it does not fit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from hosts.cli.explore import ExploreOptions, explore_command
from hosts.errors import Failure
from tests.unit.explore_cli.asking import run


def test_the_size_of_what_may_be_big_is_said_first_and_once(fake: Any, seen: Any, capsys: Any) -> None:
    """As a range; nothing is run for it, and of what is small nothing is said."""
    out = run(ExploreOptions(policy=("always-2021", "kick-2016")), fake([seen(), seen()]), capsys)[1]
    said = re.findall(r"default: (.*): ([\d,]+) to ([\d,]+) states", out)
    assert len(said) == 1
    assert number(said[0][1]) < 73_727_409, "measured of elide-self-2022"
    assert number(said[0][2]) > 92_462_437, "measured of always-2021"
    assert out.index(" to ") < out.index("PASS")
    assert " to " not in run(ExploreOptions(("device-irq",), ("always-2021",)), fake([seen()]), capsys)[1]


def number(text: str) -> int:
    """Read a number with commas."""
    return int(text.replace(",", ""))


def test_what_does_not_fit_is_refused_before_it_starts(fake: Any, seen: Any, capsys: Any) -> None:
    """Unless the user wants it anyway."""
    given = ExploreOptions(policy=("always-2021",), memory=20_000_000)
    engine = fake([seen()])
    made: list[Any] = []
    with pytest.raises(Failure, match="too big"):
        explore_command(given, made.append)
    assert made == []  # not even the explorer
    with pytest.raises(
        Failure, match=r"default: too big for --memory 20 MB: [\d.]+ MB of states at the least; a smaller --scope"
    ) as failed:
        run(given, engine, capsys)
    assert failed.value.exit_code == 64
    assert engine.searched == []
    assert run(replace(given, anyway=True), engine, capsys)[0] == 0


def test_what_may_fit_is_begun(fake: Any, seen: Any, capsys: Any) -> None:
    """Though the most is more than the memory; the search ends where that does."""
    assert run(ExploreOptions(policy=("always-2021",), memory=2_000_000_000), fake([seen()]), capsys)[0] == 0


def test_what_was_not_measured_has_no_upper_end(fake: Any, seen: Any, capsys: Any) -> None:
    """Without a reduction there may be any number of states, and with a seeded bug: which is not refused either."""
    seeded = ExploreOptions(policy=("always-2021",), mutation=("no-entry-sync",), memory=20_000_000)
    for given in (ExploreOptions(policy=("always-2021",), reduce=False), seeded):
        out = run(given, fake([seen()]), capsys)[1]
        assert re.search(r"default: .*: [\d,]+ states or more", out)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (" | ".join(["post:34"] * 64), "too big: a machine has up to 64 pCPUs, and this scope has 65"),
        (" | ".join(["post:34"] * 10_000), "too big: a machine has up to 64 pCPUs, and this scope has 10001"),
        (" ".join(["post:34"] * 100), "too big: a guest has up to 99 timers, a pCPU up to 99 acts"),
        ("post:34 | timers=100", "too big: a guest has up to 99 timers"),
        (f"post:34 | timers={'9' * 5000}", "too big: a guest has up to 99 timers"),
    ],
)
def test_a_scope_beyond_the_machine_is_refused_at_once(capsys: Any, scope: str, said: str) -> None:
    """No explorer is made for it."""
    made: list[Any] = []
    with pytest.raises(Failure, match=said) as failed:
        explore_command(ExploreOptions(scope=scope), made.append)
    assert (failed.value.exit_code, made, capsys.readouterr().out) == (64, [], "")


def test_the_biggest_scope_has_a_size_that_can_be_read(fake: Any, seen: Any, capsys: Any) -> None:
    """As a power of ten."""
    scope = " | ".join([" ".join(["post:34"] * 99)] * 63)
    given = ExploreOptions(policy=("always-2021",), scope=scope, anyway=True)
    assert re.search(r": 10\^\d+ to 10\^\d+ states", run(given, fake([seen()]), capsys)[1])


def test_a_scope_of_tasks_is_not_explored_by_histories() -> None:
    """A thread's history says nothing of a task that has run on another: one line, before anything starts."""
    given = ExploreOptions(policy=("always-2021",), scope="cpus=2 | vcpus=1 | iommu@0", exact=True)
    with pytest.raises(Failure, match="default: --exact knows a thread by its history") as failed:
        explore_command(given, lambda _code: pytest.fail("no explorer is asked for"))
    assert failed.value.exit_code == 64
