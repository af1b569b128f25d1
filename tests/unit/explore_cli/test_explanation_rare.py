"""The paragraphs of the checks that fire seldom, each of a witness that the search has found (or why there is none)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from emu.expected import by_name, policy_by_name
from emu.machine import USER
from emu.mutations import Edit, Mutation
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample import lasso
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.explain import explanation_of
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.explanation.rows import rows_of
from hosts.explorer.explanation.table import table_lines
from hosts.explorer.model.operations import FENCELESS, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product, State
from hosts.explorer.model.system import Model
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Violation
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program
from hosts.loader.user_code import code_of

SILENT = Mutation(
    1,
    "self-elided",
    "always does not notify itself",
    "this test",
    (
        Edit(
            "always_2021",
            "apic_send_IPI(READ_ONCE(vcpu.cpu), vec)",
            "if vcpu != kvm_get_running_vcpu():\n    apic_send_IPI(READ_ONCE(vcpu.cpu), vec)",
        ),
    ),
    (),
)
UNREAD = Mutation(
    2,
    "mail-not-read",
    "the handler reads no mailbox",
    "this test",
    (Edit("guest_interrupt_handler", "mark(vcpu.acknowledged[box], peek(vcpu.mail[box]))"),),
    (),
)
WAITS = """
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_wake_up
from emu.waist import READ_ONCE, cpu_relax

def waits(vcpu, vec):
    while READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        cpu_relax()
    kvm_vcpu_wake_up(vcpu)
"""
ROW = r"\d+(\.\d+)?  +\S"


@cache
def own() -> Program:
    """Load the protocol with the bugs of these tests."""
    return load_program(mutations=(SILENT, UNREAD))


@cache
def found(scenario: str, policy: str, mutation: Mutation | None, scope: str | None) -> tuple[Violation, Witness]:
    """Search; give what was found, and its witness."""
    race = next(each for each in SCENARIOS if each.name == scenario)
    program = own() if mutation in (SILENT, UNREAD) else load_program(code_of(policy))
    number = USER if ":" in policy else policy_by_name(policy).number
    builder = Builder(program, scope_of(race, scope), number, mutation)
    result, search, model = explore(builder, Options())
    assert result.violation is not None
    return result.violation, explained_witness(
        builder, model, Options(), search.path(), result.violation, scenario=scenario, policy=policy
    )


def step_of(witness: Witness, test: Callable[[Any], bool]) -> str:
    """Return the number of the last row that passes a test."""
    return [row.number for row in rows_of(witness) if test(row)][-1]


def named_steps_are_rows(witness: Witness) -> None:
    """Each step that the paragraph names can be found in the table."""
    numbers = {line.split()[0] for line in table_lines(witness) if re.match(ROW, line)}
    assert set(re.findall(r"step (\d+(?:\.\d+)?)", witness.story)) <= numbers


# --- C3 ----------------------------------------------------------------------------------------------------------


def test_an_rvi_that_was_not_written() -> None:
    """What came into the vIRR, which sync brought it, and between which steps the write is missing."""
    _, witness = found("tscdeadline-immed", "elide-self-2022", by_name("rvi-not-written"), None)
    assert (witness.check, witness.vector) == ("C3", 0xE8)
    taken = step_of(witness, lambda row: row.act.function == "harvest" and row.act.kind == "XCHG")
    entry = step_of(witness, lambda row: row.act.kind == "entry")
    synced = step_of(witness, lambda row: row.act.function == "pi_test_on")
    assert "vCPU 0 enters the guest with RVI 0x00, but the highest vIRR is 0xe8." in witness.story
    assert "owes the processor the RVI" in witness.story
    assert f"0xe8 came into the vIRR with step {taken} (harvest)." in witness.story
    assert f"The last sync before VM-entry found ON set (step {synced}). RVI never changed." in witness.story
    assert f"What broke it: RVI was not written between step {taken} and the VM-entry of step {entry}." in witness.story
    named_steps_are_rows(witness)


@pytest.mark.slow
def test_an_rvi_that_was_lowered() -> None:
    """The early return of B01: the vector that waited, and the step behind which RVI no longer names it."""
    _, witness = found("remote-post", "elide-self-2022", by_name("early-return-on-empty-pir"), None)
    assert (witness.check, witness.vector) == ("C3", 0x34)
    lowered = step_of(witness, lambda row: row.before["vcpus"][0]["rvi"] != row.view["vcpus"][0]["rvi"])
    entry = step_of(witness, lambda row: row.act.kind == "entry")
    assert f"RVI changed last with step {lowered}, from 0x34 to 0x00." in witness.story
    cause = f"RVI became 0x00 with step {lowered}, and nothing raised it before the VM-entry of step {entry}."
    assert f"What broke it: {cause}" in witness.story
    named_steps_are_rows(witness)


def test_a_bit_cleared_by_its_owner_was_what_it_was() -> None:
    """Of a word that one thread alone uses, too: *was 1*, if ON was set."""
    _, witness = found("tscdeadline-immed", "elide-self-2022", by_name("rvi-not-written"), None)
    (line,) = [line for line in table_lines(witness) if "ON cleared" in line]
    assert "ON cleared, was 1" in line
    assert "ON" not in line.partition("was 1")[2]


# --- C8 ----------------------------------------------------------------------------------------------------------


def test_a_notification_that_should_have_been_elided() -> None:
    """Who sent it, in which step, and that the rule leaves it to the sync."""
    _, witness = found("tscdeadline-immed", "elide-self-2022", by_name("self-ipi-not-elided"), None)
    assert witness.check == "C8"
    sent = step_of(witness, lambda row: row.act.kind == "SEND")
    posted = step_of(witness, lambda row: row.act.kind == "OR" and row.act.function == "pi_test_and_set_on")
    assert (
        "vCPU 0 has sent itself a notification of its own post in guest mode; elide-self-2022 leaves" in witness.story
    )
    assert f"vCPU 0 turned ON on last (step {posted}) and from then on owed itself a look." in witness.story
    assert f"What broke it: step {sent} sent the notification that the rule leaves out." in witness.story
    assert "had looked" not in witness.story
    named_steps_are_rows(witness)


def test_an_ipi_is_in_flight_from_the_row_that_sends_it() -> None:
    """Not from the beginning of the step that it leaves in."""
    _, witness = found("tscdeadline-immed", "elide-self-2022", by_name("self-ipi-not-elided"), None)
    flights = [(row.act.kind, row.view["flight"]) for row in rows_of(witness)]
    sent = next(i for i, (kind, _) in enumerate(flights) if kind == "SEND")
    assert not any(flight for _, flight in flights[:sent])
    assert all(flight == [[0, 0xF2]] for _, flight in flights[sent:])


def test_a_notification_to_self_that_is_missing() -> None:
    """A rule that promises one, and the step in which it read the mode and sent none."""
    _, witness = found("tscdeadline-immed", "always-2021", SILENT, None)
    assert witness.check == "C8"
    posted = step_of(witness, lambda row: row.act.kind == "OR" and row.act.function == "pi_test_and_set_on")
    read = step_of(witness, lambda row: row.act.function == "always_2021" and row.act.kind == "LOAD")
    assert "vCPU 0 has sent itself no notification of its own post in guest mode; always-2021 prom" in witness.story
    cause = f"behind step {posted} vCPU 0 sent no notification to itself, though it read IN_GUEST in step {read}."
    assert f"What broke it: {cause}" in witness.story
    named_steps_are_rows(witness)


# --- no-progress -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    """A rule that waits for the guest to leave, and a guest that never does."""
    file = tmp_path_factory.mktemp("policy") / "waits.py"
    file.write_text(WAITS)
    violation, witness = found("remote-post", f"{file}:waits", None, "post:34 | guest=self | timers=0")
    assert violation.what == "no-progress"
    assert witness.stem >= violation.depth > 0  # the search's moves may be several steps
    return witness


def test_a_cycle_is_told_step_by_step(waiting: Witness) -> None:
    """It leads back to where it begins; the debt is unpaid all the way; both threads move in it."""
    assert waiting.cycle > 0
    after = [state["view"] for state in waiting.states]
    assert after[waiting.stem] == after[-1]
    assert all(view["vcpus"][0]["pir"] == [0x34] for view in after[waiting.stem :])
    assert {step.thread for step in waiting.steps[waiting.stem :]} == {0, 1}
    lines = list(table_lines(waiting))
    assert lines[0].endswith(f"no-progress in {waiting.stem} steps and a cycle of {waiting.cycle}")
    around = next(i for i, line in enumerate(lines) if line.startswith("(from here round and round: steps "))
    assert re.match(r"\d+", lines[around + 1])
    assert int(lines[around + 1].split()[0].partition(".")[0]) > waiting.stem


def test_who_waits_for_whom_in_a_cycle(waiting: Witness) -> None:
    """Who owes the look, what it waits for, what the others do meanwhile, and that this is the cause."""
    read = step_of(waiting, lambda row: row.act.thread == 1 and row.act.kind == "LOAD")
    on = step_of(waiting, lambda row: row.act.kind == "OR" and row.act.word.endswith("control"))
    spun = step_of(waiting, lambda row: row.act.kind == "guest")
    story = waiting.story
    assert story.startswith("0x34 can stay in the PIR of vCPU 0 for ever: steps ")
    assert f"pCPU 1 (post:0x34) turned ON on last (step {on}) and from then on owed vCPU 0 a look." in story
    assert f"In the cycle vCPU 0 goes on: guest: self-IPI (step {spun})" in story
    assert f"In the cycle pCPU 1 (post:0x34) reads mode -> IN_GUEST (step {read}) again and again" in story
    assert f"What broke it: pCPU 1 (post:0x34) waits in step {read} for another mode before it has told" in story
    named_steps_are_rows(waiting)


def test_a_cycle_too_big_to_be_walked_is_left_out(waiting: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paragraph then says that it is there, and no more."""
    monkeypatch.setattr(lasso, "MOST_STATES", 1)
    found.cache_clear()
    _, witness = found("remote-post", waiting.policy, None, "post:34 | guest=self | timers=0")
    found.cache_clear()
    assert (witness.cycle, len(witness.steps)) == (0, waiting.stem)
    assert witness.story.startswith("From here 0x34 can stay in the PIR of vCPU 0 for ever, with all threads")
    assert "In the cycle" not in witness.story
    assert not any(line.startswith("(from here") for line in table_lines(witness))


@pytest.mark.slow
def test_a_rule_that_waits_for_itself_is_named(tmp_path: Path) -> None:
    """No other thread can end that loop: it is an error of the rule, with its line, and no cycle."""
    from hosts.explorer.threads.coverage import Endless

    file = tmp_path / "waits.py"
    file.write_text(WAITS)
    with pytest.raises(Endless, match=r"waits\.py:6: .* does not come to an end"):
        found("tscdeadline-immed", f"{file}:waits", None, None)


# --- what has no witness -----------------------------------------------------------------------------------------


def test_lost_mail_is_told_as_c5_before_the_end_could_tell_it_as_c10() -> None:
    """Both look at the mailboxes, and the books are looked at first; so C10 has no witness of its own here."""
    _, witness = found("remote-post", "always-2021", UNREAD, "post:34 | guest=cpuid | timers=0")
    assert witness.check == "C5"
    handled = step_of(witness, lambda row: row.act.kind == "deliver")
    assert f"to the guest's handler (step {handled})." in witness.story
    later = explanation_of(replace(witness, check="C10"), UNREAD)
    assert later.startswith(
        "The run is over, and a mailbox of 0x34 has not been read to the end: an interrupt was lost."
    )
    assert f"to the guest's handler (step {handled})." in later


@pytest.mark.parametrize("flags", [0, FENCELESS])
@pytest.mark.parametrize("kind", [kind for kind in Op if kind != Op.END])
@pytest.mark.parametrize("options", [Options(), Options(buffer=0), Options(buffer=1, overtake=True)], ids=str)
def test_no_thread_is_ever_stuck(kind: Op, flags: int, options: Options) -> None:
    """Every operation can be done once the own buffer has drained, and a buffer always can: no deadlock has a witness.

    A thread that waits for another goes round; what it owes meanwhile makes a no-progress of it.
    """
    model = Model([], (), ["word"], [0], (0xF2,))
    state = State((0,), (0,), ((),), (), (1,))
    assert Product(model, options)._possible(state, 0, Operation(kind, 0, 0, 0, flags))


def test_a_deadlock_would_say_where_everybody_stands(waiting: Witness) -> None:
    """Shown on a witness that is cut off before its cycle."""
    cut = replace(waiting, steps=waiting.steps[: waiting.stem], states=waiting.states[: waiting.stem + 1], cycle=0)
    story = explanation_of(replace(cut, check="deadlock"), None)
    assert story.startswith("Nothing can move any more, and not all threads have ended.")
    assert "vCPU 0 was last seen in vm_entry, nonroot.py:" in story
    assert "pCPU 1 (post:0x34) was last seen in pi_test_and_set_on, posted_intr.py:" in story
