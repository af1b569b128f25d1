"""The trace: the seed's call chain in the seed's order, and what one line of the commit changes in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.expected import by_name
from emu.vectors import SLOT_TIMER, vector_of
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.cli.trace import trace_lines
from hosts.errors import Failure
from hosts.loader.program import Program, load_program
from hosts.trace.record import Step
from hosts.trace.render import lines, tree
from hosts.trace.story import STORIES, tell

SEED_CHAIN = """
vcpu_enter_guest()
-> preempt_disable()
-> local_irq_disable()
-> vcpu->mode = IN_GUEST_MODE
-> kvm_x86_sync_pir_to_irr
-> kvm_x86_run = vmx_vcpu_run()
   -> vmx_vcpu_enter_exit()
      -> __vmx_vcpu_run()
   -> vmx_exit_handlers_fastpath()
      -> EXIT_REASON_PREEMPTION_TIMER: handle_fastpath_preemption_timer()
         -> kvm_lapic_expired_hv_timer()
            -> apic_timer_expired()
               -> kvm_apic_inject_pending_timer_irqs()
                  -> kvm_apic_local_deliver()
                     -> __apic_accept_irq()
                        -> kvm_x86_deliver_posted_interrupt = vmx_deliver_posted_interrupt()
-> vcpu->mode = OUTSIDE_GUEST_MODE
-> kvm_x86_handle_exit_irqoff
-> kvm_before_interrupt
-> local_irq_enable()
-> local_irq_disable()
-> kvm_after_interrupt
-> local_irq_enable()
-> preempt_enable()
"""
"""The timer fastpath as the commit's author wrote it down."""


@pytest.fixture(scope="module")
def program() -> Program:
    """Load the protocol once."""
    return load_program()


@pytest.fixture(scope="module")
def told(program: Program) -> Callable[..., list[Step]]:
    """Tell stories."""

    def telling(scenario: str, policy: str, mutation: str | None = None, *, everything: bool = False) -> list[Step]:
        return tell(program, scenario, policy, by_name(mutation) if mutation else None, everything=everything)

    return telling


def chain() -> list[tuple[int, str]]:
    """Return depth and text of each line of the seed."""
    drawn = [line for line in SEED_CHAIN.splitlines() if line]
    return [(_depth(line), line.split("-> ", 1)[-1]) for line in drawn]


def _depth(line: str) -> int:
    return 0 if "-> " not in line else 1 + line.index("-> ") // 3


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_the_seeds_lines_come_in_the_seeds_order(told: Callable[..., list[Step]], policy: str) -> None:
    """Every line of the seed's call chain, in order, under every policy."""
    printed = iter(told("timer-fastpath", policy))
    for _, wanted in chain():
        assert any(step.label.startswith(wanted) for step in printed), f"{wanted} is missing or out of order"


def test_calls_nest_as_in_the_seed(told: Callable[..., list[Step]]) -> None:
    """Each line stands under the function that it stands under in the seed; ours may have more between."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for depth, text in chain():
        above[depth:] = [text]
        if depth > 1 or text in ("kvm_x86_run = vmx_vcpu_run()", "kvm_x86_handle_exit_irqoff"):
            parents[text] = above[depth - 1]
    path: list[str] = []
    for step in told("timer-fastpath", "elide-self-2022"):
        path[step.depth :] = [step.label]
        for parent in (parent for text, parent in parents.items() if step.label.startswith(text)):
            assert any(label.startswith(parent) for label in path[:-1]), f"{step.label} is not under {parent}"


def changed(one: list[Step], other: list[Step]) -> list[str]:
    """Return the lines that only one of two traces has."""
    found = difflib.ndiff(list(lines(one)), list(lines(other)))
    return [line for line in found if line[0] in "+-"]


@pytest.mark.parametrize("scenario", ["timer-fastpath", "tscdeadline-immed"])
def test_eliding_changes_the_send_and_the_notification_and_nothing_else(
    told: Callable[..., list[Step]], scenario: str
) -> None:
    """``always-2021`` against ``elide-self-2022``: four lines of the tree, and two remarks."""
    always, elide = told(scenario, "always-2021"), told(scenario, "elide-self-2022")
    only = [step for step in always if tree(step) not in {tree(other) for other in elide}]
    assert [(step.label, step.notes) for step in only] == [
        ("apic->send_IPI_mask()", ["sent: IPI 0xf2 to pCPU 0"]),
        ("[non-root: external interrupt acknowledged]", []),
        ("[non-root: posted-interrupt processing]", ["nothing to do: spurious"]),
    ]
    trigger = [step.notes for step in elide if step.function == "kvm_vcpu_trigger_posted_interrupt"]
    assert trigger == [["elided: no IPI"]]
    rest = [step for step in always if step not in only]
    assert [(tree(step), step.state) for step in rest] == [(tree(step), step.state) for step in elide]
    assert len(changed(always, elide)) == len(only) + 2  # the trigger's line, with its remark and without


def test_kick_and_always_are_alike_in_the_fastpath(told: Callable[..., list[Step]]) -> None:
    """Both notify a vCPU in guest mode, themselves included."""
    assert changed(told("timer-fastpath", "kick-2016"), told("timer-fastpath", "always-2021")) == []


def test_state_stands_beside_the_steps(told: Callable[..., list[Step]]) -> None:
    """Flag, preempt count, mode, running vCPU, PIR, ON, RVI: after a leaf, before what a call contains."""
    by_label: dict[str, Step] = {}
    for step in told("timer-fastpath", "elide-self-2022"):
        by_label.setdefault(step.label, step)
    posted = by_label["pi_test_and_set_on()"].state
    assert (posted.interrupts, posted.mode, posted.running) == (0, "IN", "vcpu0")
    assert (posted.preempt_count, posted.pir, posted.on, posted.rvi) == (2, (vector_of(SLOT_TIMER),), 1, 0)
    assert by_label["kvm_apic_update_irr()"].state.pir == ()
    assert by_label["local_irq_enable()"].state.interrupts == 1
    assert by_label["vcpu->mode = OUTSIDE_GUEST_MODE"].state.mode == "OUTSIDE"
    assert by_label["[VM-exit: PREEMPTION_TIMER]"].state.rvi == 0


def test_one_entry_holds_post_reentry_delivery_and_exit(told: Callable[..., list[Step]]) -> None:
    """The story is whole."""
    labels = [step.label for step in told("timer-fastpath", "elide-self-2022")]
    assert labels.count("vcpu_enter_guest()") == 1
    assert labels.count("[VM-entry]") == 2
    assert labels.index("[VM-exit: PREEMPTION_TIMER]") < labels.index("[non-root: virtual interrupt 0xe8 delivered]")
    assert labels.index("[non-root: virtual interrupt 0xe8 delivered]") < labels.index("[VM-exit: CPUID]")


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_the_lost_wake_up_of_2021(told: Callable[..., list[Step]], policy: str) -> None:
    """A device interrupt between the last check and sleep: only ``skip-running`` tells nobody, and C2 fires."""
    steps = told("device-irq", policy)
    notes = [note for step in steps for note in step.notes]
    slept = any(step.label == "do_idle()" for step in steps)
    assert slept == ("C2 fires" in notes) == ("nobody told" in notes) == (policy == "skip-running-2020")


def test_a_seeded_bug_shows(told: Callable[..., list[Step]]) -> None:
    """Without the sync before re-entry ``elide-self`` strands the interrupt; ``always`` repairs it by its IPI."""
    elide = [note for step in told("timer-fastpath", "elide-self-2022", "no-fastpath-sync") for note in step.notes]
    assert {"C1 fires", "C7 fires"} <= set(elide)
    always = told("timer-fastpath", "always-2021", "no-fastpath-sync")
    notes = [note for step in always for note in step.notes]
    assert not any("fires" in note for note in notes)
    assert "nothing to do: spurious" not in notes


def test_helpers_are_shown_on_request(told: Callable[..., list[Step]]) -> None:
    """--all."""
    some = {step.function for step in told("timer-fastpath", "always-2021")}
    everything = {step.function for step in told("timer-fastpath", "always-2021", everything=True)}
    assert some < everything
    assert {"always_2021", "put_mail", "check_vm_entry", "guest_step"} <= everything - some


@pytest.mark.parametrize("scenario", list(STORIES))
def test_every_story_delivers(told: Callable[..., list[Step]], scenario: str) -> None:
    """Each ends with the interrupt in the guest."""
    assert any("delivered" in step.label for step in told(scenario, "elide-self-2022"))


def test_a_scenario_of_many_pcpus_cannot_be_traced() -> None:
    """One error that lists what can."""
    others = [scenario.name for scenario in SCENARIOS if scenario.name not in STORIES]
    assert "remote-post" in others
    for scenario in others:
        with pytest.raises(Failure, match=f"{scenario} .* these can be traced: timer-fastpath, ") as caught:
            list(trace_lines(scenario, "always-2021", None))
        assert caught.value.exit_code == 64


RULES = """
from emu.cpu import apic_send_IPI
from emu.waist import READ_ONCE

def loud(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), vec)

def silent(vcpu, vec):
    pass

def endless(vcpu, vec):
    while READ_ONCE(vcpu.mode) != 7:
        pass

def dividing(vcpu, vec):
    apic_send_IPI(1 // (vec - vec), vec)

def three(vcpu, vec, more):
    pass
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Write rules of a user's own."""
    path = tmp_path / "rules.py"
    path.write_text(RULES)
    return path


def test_a_users_rule_is_traced(rules: Path) -> None:
    """Its calls are shown as the trigger's."""
    loud = list(trace_lines("timer-fastpath", f"{rules}:loud", None))
    assert loud[0] == f"timer-fastpath x {rules}:loud"
    assert sum("send_IPI_mask" in line for line in loud) == 1
    assert not any("loud()" in line for line in loud)
    silent = list(trace_lines("timer-fastpath", f"{rules}:silent", None))
    assert any("kvm_vcpu_trigger_posted_interrupt()   <= elided" in line for line in silent)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("three", r"rules\.py:18: three does not take exactly two parameters"),
        ("dividing", r"rules\.py:16: divides by zero"),
        ("endless", "does not come to an end"),
        ("absent", "there is no function absent"),
    ],
)
def test_a_users_fault_is_one_line(rules: Path, rule: str, message: str) -> None:
    """With the file's line where there is one."""
    with pytest.raises(Failure, match=message) as caught:
        list(trace_lines("timer-fastpath", f"{rules}:{rule}", None))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_trace_tells_the_same(told: Callable[..., list[Step]], width: int) -> None:
    """Whole names, each step in its turn, and behind it what has changed."""
    steps = told("device-irq", "skip-running-2020")
    page = list(lines(steps, width))
    assert max(map(len, page)) <= width
    labels = iter([step.label for step in steps])
    label = next(labels)
    for line in " ".join(page).split(" -> "):
        if line.startswith(label) or line.endswith(label):
            label = next(labels, "")
    assert label == ""
    assert page[0] == "vcpu_run()   [IF 1, preempt 0, mode OUTSIDE, running vcpu0, PIR -, ON 0, RVI -]"
    assert [line.split("-> ")[-1] for line in page if "[mode IN]" in line] == [
        "vcpu->mode = IN_GUEST_MODE   [mode IN]"
    ] * 2
    assert any("[PIR 0x61]" in line for line in page)
    assert list(lines(steps, 200)) == list(lines(steps))
