"""Witnesses shown on real processes: each violation every time, and nothing else passes for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.explorer.counterexample.witness import Row, Step, Witness
from hosts.explorer.model.options import Options
from hosts.kernel_names import vector_text
from hosts.replay import process
from hosts.replay.program import replay_program
from hosts.replay.scheduler import Replayed, replay
from tests.replay.witnesses import NONE, Case, program

pytestmark = pytest.mark.timeout(120)

TIMES = 3

TSO, SC = Options(buffer=4), Options(buffer=0)

CASES = {
    "no barrier": (("remote-post", "always-2021", "no-entry-barrier", "post:34 | guest=cpuid", TSO), "C7"),
    "lost kick": (("kick", "always-2021", "no-exit-request-check", "kick | guest=cpuid", TSO), "C9"),
    "lost signal": (("signal", "always-2021", "signal-after-kick", "signal | guest=cpuid,hlt", TSO), "C12"),
}


def again(witness: Witness) -> Replayed:
    """Take a witness of an unchanged policy."""
    return replay(witness, replay_program(witness, program()))


def shows_every_time(witness: Witness, check: str) -> None:
    """Take it some times: the checkers have recorded this check once in the processes' memory, at the end."""
    assert witness.check == check
    for _ in range(TIMES):
        done = again(witness)
        assert done.shown, done.why
        assert done.steps == len(witness.steps)
        assert {each.check: each.count for each in done.violations}[check] == 1


@pytest.mark.parametrize(("name", "fold"), [("no barrier", True), ("lost kick", False), ("lost signal", True)])
def test_the_violation_shows_every_time(name: str, fold: bool) -> None:  # noqa: FBT001
    """Also if the explorer kept the instruments' counters as they are: the witness has operations on them then."""
    case, check = CASES[name]
    shows_every_time(Case(*case, fold=fold).shortest(), check)


def test_the_lost_wakeup_shows_every_time(lost_wakeup: Witness) -> None:
    """The bug of 2021."""
    shows_every_time(lost_wakeup, "C2")


def test_the_missing_sync_shows_every_time(missed_on_the_fastpath: Witness) -> None:
    """What the elision rests on."""
    shows_every_time(missed_on_the_fastpath, "C7")


def test_the_missing_barrier_shows_every_time(store_buffered: Witness) -> None:
    """A store is delayed in its process."""
    shows_every_time(store_buffered, "C7")


LAZY = """
def trigger(vcpu, vec):
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec{})
"""


def test_a_users_own_rule(tmp_path: Path) -> None:
    """A rule out of the user's file runs in the processes: its mistake shows, a failure is told by its line."""
    file = tmp_path / "lazy.py"
    file.write_text(LAZY.format(""))
    witness = Case("device-irq", f"{file}:trigger", None, "device | guest=hlt", SC).shortest()
    assert replay(witness, replay_program(witness)).shown
    file.write_text(LAZY.format(" // (vec - vec)").replace("==", "!="))
    done = replay(witness, replay_program(witness))
    assert done.ending == "crash"
    assert f"{file}:4: divides by zero" in done.why
    file.write_text("def trigger(vcpu, vec):\n    while vec:\n        pass\n")
    done = replay(witness, replay_program(witness))
    assert f"{file}:2: goes round a loop 100,000 times and does nothing" in done.why


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("cpu_relax()", "the code runs on and on without calling anything"),
        ("smp_mb()", "the process did FENCE -> 0 in thread"),
    ],
)
def test_what_a_file_has_a_thread_run_may_go_on_and_on(
    monkeypatch: pytest.MonkeyPatch, store_buffered: Witness, before: str, said: str
) -> None:
    """It is source out of a file, in which no loop is counted as in a rule's: the process looks up now and then.

    Ahead of its first operation, too, when no step of its own is under way yet.
    """
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.05)
    name = f"thread_{store_buffered.steps[0].thread}"
    endless = {name: f"def {name}():\n    {before}\n    more = 1\n    while more:\n        pass\n"}
    done = again(replace(store_buffered, drivers={**store_buffered.drivers, **endless}))
    assert done.ending == "diverged"
    assert said in done.why


# --- store buffers -----------------------------------------------------------------------------------------------


def test_the_missing_barrier_needs_the_store_buffer(store_buffered: Witness) -> None:
    """A store is delayed in the witness; the same moves without buffers cannot be made."""
    assert store_buffered.delayed_stores > 0
    done = again(replace(store_buffered, buffer=0))
    assert (done.ending, done.shown) == ("diverged", False)


def test_a_store_that_drains_at_once_is_not_delayed(store_buffered: Witness) -> None:
    """Under TSO each store leaves its buffer in a step of its own, which alone makes nothing late."""
    step = next(step for step in store_buffered.steps if any(row.kind == "STORE" for row in step.rows))
    drain = Step("drain", step.thread, -1, (), ())
    steps = (step, drain) * 2
    assert replace(store_buffered, steps=steps).delayed_stores == 0
    assert replace(store_buffered, steps=(step, step, drain, drain)).delayed_stores == 1
    assert replace(store_buffered, steps=(step,)).delayed_stores == 0
    assert replace(store_buffered, steps=(step, step), buffer=0).delayed_stores == 0


# --- what is no replay -------------------------------------------------------------------------------------------


def changed_row(witness: Witness, kind: str, **changes: int) -> Witness:
    """Return the witness with the first row of a kind changed."""
    steps = list(witness.steps)
    for i, step in enumerate(steps):
        for k, row in enumerate(step.rows):
            if row.kind == kind:
                rows: tuple[Row, ...] = (*step.rows[:k], replace(row, **changes), *step.rows[k + 1 :])
                steps[i] = replace(step, rows=rows)
                return replace(witness, steps=tuple(steps))
    raise AssertionError(kind)


@pytest.mark.parametrize(("kind", "changes"), [("LOAD", {"answer": 77}), ("STORE", {"a": 77}), ("LOAD", {"line": 1})])
def test_another_operation_is_a_divergence(store_buffered: Witness, kind: str, changes: dict[str, int]) -> None:
    """A value or a place that the processes do not confirm is told with the step, though the check fires."""
    done = again(changed_row(store_buffered, kind, **changes))
    assert done.ending == "diverged"
    assert done.why.startswith(f"diverged at step {done.steps + 1}: the witness has {kind}")


def test_every_step_is_needed(lost_wakeup: Witness) -> None:
    """Without any one step the rest cannot be taken as it was, or ends without the violation."""
    steps = lost_wakeup.steps
    for i in range(len(steps)):
        done = again(replace(lost_wakeup, steps=steps[:i] + steps[i + 1 :]))
        assert done.ending == ("none" if i == len(steps) - 1 else "diverged"), f"without step {i + 1}: {done.why}"


def test_another_answer_is_a_divergence(missed_on_the_fastpath: Witness) -> None:
    """A choice that is answered another way leads elsewhere; one too few or too many is told too."""
    steps = missed_on_the_fastpath.steps
    at = next(i for i, step in enumerate(steps) if step.answers)
    first, *rest = steps[at].answers

    def answered(*answers: int) -> Replayed:
        changed = (*steps[:at], replace(steps[at], answers=answers), *steps[at + 1 :])
        return again(replace(missed_on_the_fastpath, steps=changed))

    assert "CHOOSE" in answered(1 - first, *rest).why
    assert "a choice to make that is not in the witness" in answered(*steps[at].answers[:-1]).why
    assert "1 left" in answered(*steps[at].answers, 0).why
    assert "possibilities" in answered(99, *rest).why


def test_an_interrupt_that_nobody_sent_does_not_arrive(store_buffered: Witness) -> None:
    """Arrival is told by the counters, not waited for."""
    steps = (Step("arrive", 0, 0xF2, (), ()), *store_buffered.steps)
    done = again(replace(store_buffered, steps=steps))
    assert done.why == "diverged at step 1: no IPI with vector 0xf2 is under way"


def test_an_empty_buffer_does_not_drain(store_buffered: Witness) -> None:
    """Nor does another store than the witness's reach memory."""
    steps = store_buffered.steps
    done = again(replace(store_buffered, steps=(Step("drain", 1, -1, (), ()), *steps)))
    assert done.why == "diverged at step 1: no store waits in the buffer"
    store = next(i for i, step in enumerate(steps) if any(row.kind == "STORE" for row in step.rows))
    early = (*steps[: store + 1], Step("drain", steps[store].thread, -1, (), (), "vcpu0.mode", 99))
    done = again(replace(store_buffered, steps=early))
    assert done.why.startswith(f"diverged at step {store + 2}: the witness has 0x63 reach")


def test_another_check_is_not_the_witnesss(lost_wakeup: Witness) -> None:
    """The violation has to be the one that the witness is about, vector included."""
    done = again(replace(lost_wakeup, check="C1"))
    assert done.ending == "other"
    assert done.why.startswith(f"{lost_wakeup.check} on vector {vector_text(lost_wakeup.vector)}")
    assert again(replace(lost_wakeup, vector=0x20)).ending == "other"


def test_a_deadlock_needs_that_nobody_can_move(lost_wakeup: Witness) -> None:
    """A thread that can go on is no deadlock, and neither is an end."""
    done = again(replace(lost_wakeup, steps=lost_wakeup.steps[:3], check="deadlock"))
    assert (done.ending, done.why) == ("none", "somebody can still move")


# --- walks -------------------------------------------------------------------------------------------------------

EVERYTHING = "post:34 post:f6 | post:35 | device | kick"

WALKS = [
    (("halt-wake", "kick-2016", "on-set-plainly", EVERYTHING, Options(buffer=4, overtake=True)), 1),
    (("all-to-all", "always-2021", None, None, Options(buffer=1)), 2),
]


@pytest.mark.parametrize(("case", "seed"), WALKS)
def test_processes_do_what_the_explorer_does(case: tuple[str, str, str | None, str | None, Options], seed: int) -> None:
    """Step for step along a random walk: the automaton and the plain functions are one program."""
    witness = Case(*case).walk(seed, 60)
    done = again(witness)
    assert (done.ending, done.steps) == ("none" if witness.check == NONE else "shown", len(witness.steps)), done.why
