"""What repairs a violation, as the last sentence says it: worked out by hand for each kind of what may still come."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from emu.exits import EXIT_REASON_CPUID, EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_PREEMPTION_TIMER
from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.semantics import Micro, Move, Outcome, State
from hosts.explorer.model.system import Model, SourceLocation
from hosts.explorer.repair import repair
from hosts.explorer.repair.events import RepairPath
from hosts.explorer.repair.threads import Event
from tests.unit.explore_cli.causes import Cause
from tests.unit.explore_cli.test_causes import by, told, told_once

LOST: Final = "Lost: nothing that is still to come in this scope repairs it."
EXIT: Final = r"the next VM-exit of vCPU 0 \(CPUID\)"
EITHER: Final = "Late if it comes, else lost: {} repairs it the soonest, and there are ways on without."
LATE: Final = "Late, not lost: every way on repairs it, the soonest {}."
TWO_TASKS: Final = "cpus=1 | vcpus=2 | iommu@1"


def of(mutation: str, scenario: str, policy: str, scope: str) -> Cause:
    """Return a way in a scope of its own."""
    return Cause(mutation, scenario, policy, (), scope=scope)


@pytest.mark.parametrize(
    ("cause", "fate", "last"),
    [
        pytest.param(by(""), "lost", LOST, id="a sleeper whom nothing wakes"),
        pytest.param(
            of("wake-dropped", "halt-wake", "always-2021", "post:34 | kick | guest=hlt | timers=0"),
            "late",
            LATE.format(r"the next kick or wake-up of pCPU 2 \(kick\)"),
            id="a sleeper whom a kick will wake",
        ),
        pytest.param(
            of("events-from-on-alone", "halt-wake", "always-2021", "post:34 | post:35 | guest=hlt | timers=0"),
            "late",
            LATE.format(r"the next post of pCPU 2 \(post:0x35\)"),
            id="a sleeper whom the next post will wake, as ON is clear",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            of("wake-dropped", "halt-wake", "always-2021", "post:34 | post:35 | guest=hlt | timers=0"),
            "lost",
            LOST,
            id="a sleeper whom the next post will not wake, as ON is set",
        ),
        pytest.param(by("no-entry-barrier"), "either", EITHER.format(EXIT), id="a guest that may never exit again"),
        pytest.param(by("request-after-kick"), "late", LATE.format(EXIT), id="a guest that can but exit"),
        pytest.param(
            by("no-entry-sync"),
            "lost",
            LOST,
            id="an exit that repairs nothing, as no entry syncs",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            by("on-cleared-plainly"),
            "either",
            EITHER.format("the 0xf2 that is on its way"),
            id="a notification on its way, which may be taken in root mode",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            by("pir-set-plainly"), "", "Lost: nothing that is still to come accounts for the difference.", id="books"
        ),
        pytest.param(by("self-ipi-not-elided"), "", "Nothing is owed that could be repaired: .*", id="a cost"),
        pytest.param(by("no-wakeup-to-self"), "lost", LOST, id="a sleeper on the wake-up list", marks=pytest.mark.slow),
        pytest.param(
            of("no-on-repair", "preempt", "elide-self-2022", f"{TWO_TASKS} | post:34@1 | guest=cpuid | timers=0"),
            "late",
            LATE.format(r"the next post of pCPU 2 \(post:0x34@1\)"),
            id="the other one of two tasks, to which somebody still posts",
        ),
    ],
)
def test_the_last_sentence_says_what_repairs_it(cause: Cause, fate: str, last: str) -> None:
    """Nothing, or the next exit, post or kick; checks that put right what they see play no part in it."""
    witness = told_once(cause)
    assert witness.fate == fate
    assert re.search(f" {last}$", witness.story), witness.story


@pytest.mark.slow
def test_what_was_not_determined_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too much may come: what repairs it the soonest is told if that was found."""
    monkeypatch.setattr(repair, "MOST_STATES", 1)
    witness = told(by("no-entry-barrier"))
    assert witness.fate == "open"
    assert re.search(
        "What repairs it was not determined: too much may come, or the time was over.$"
        f"|Late: {EXIT} repairs it the soonest; whether every way on does was not determined.$",
        witness.story,
    )


@pytest.mark.parametrize(
    ("reason", "named"),
    [
        (EXIT_REASON_PREEMPTION_TIMER, "the timer of vCPU 0"),
        (EXIT_REASON_CPUID, "the next VM-exit of vCPU 0 (CPUID)"),
        (EXIT_REASON_EXTERNAL_INTERRUPT, "the next look of vCPU 0"),
    ],
)
def test_an_exit_is_named_by_its_reason(reason: int, named: str) -> None:
    """That of an interrupt by whoever has sent it, here by nobody."""
    micro = Micro(0, Operation(Op.LOAD, 0), 0)
    thread = SimpleNamespace(
        along={(0, 0): (Event("exit", new=reason),)}, place=lambda _: SourceLocation("", "", 0, "")
    )
    witness = SimpleNamespace(threads=("vCPU 0",), states=[{"view": {"vcpus": [{}]}}])
    outcome = Outcome(Move("run", 0), State((), (), (), (), ()), 0, -1, (micro,))
    model = Model([], (), ["vcpu0.mode"], [0])
    assert RepairPath(model, cast("Any", [thread]), cast("Any", witness), 0, [outcome]).event() == named


@pytest.mark.parametrize(("vcpu", "named"), [(0, "the next look of vCPU 1"), (1, "the next VM-exit of vCPU 1 (CPUID)")])
def test_an_exit_is_that_of_the_task_that_runs(vcpu: int, named: str) -> None:
    """A pCPU of tasks runs now one vCPU and now another."""
    micro = Micro(0, Operation(Op.LOAD, 0), 0)
    thread = SimpleNamespace(
        along={(0, 0): (Event("exit", new=EXIT_REASON_CPUID, vcpu=vcpu),)},
        place=lambda _: SourceLocation("", "", 0, ""),
    )
    witness = SimpleNamespace(threads=("pCPU 0",), states=[{"view": {"vcpus": [{}, {}], "runs": [-1]}}])
    outcome = Outcome(Move("run", 0), State((), (), (), (), ()), 0, -1, (micro,))
    model = Model([], (), ["vcpu0.mode"], [0])
    assert RepairPath(model, cast("Any", [thread]), cast("Any", witness), 1, [outcome]).event() == named
