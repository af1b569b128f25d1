"""What a user's rule can send is read off its source, or is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.vectors import POSTED_INTR_WAKEUP_VECTOR, RESCHEDULE_VECTOR
from hosts.loader.program import load_program
from hosts.loader.rule.userfile import ENTRY
from hosts.loader.sent_vectors import NOTIFIED, vectors_sent, windows_never_entered
from hosts.loader.user_code import code_of

RULES = """
from emu.cpu import apic_send_IPI
from emu.kvm_main import kvm_vcpu_kick
from emu.policies import always_2021
from emu.vectors import POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR
from emu.waist import READ_ONCE

MINE = 0xF2


def tells_nobody(vcpu, vec):
    return


def kicks(vcpu, vec):
    helper(vcpu)


def helper(vcpu):
    kvm_vcpu_kick(vcpu)


def sends_a_constant(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), POSTED_INTR_WAKEUP_VECTOR)


def sends_the_notification(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), MINE)


def sends_what_it_is_given(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), vec)


def computes(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), MINE + 0)


def hides_a_constant(vcpu, POSTED_INTR_WAKEUP_VECTOR):
    apic_send_IPI(READ_ONCE(vcpu.cpu), POSTED_INTR_WAKEUP_VECTOR)


def does_as_another(vcpu, vec):
    always_2021(vcpu, vec)
"""


@pytest.mark.parametrize(
    ("function", "sent", "never"),
    [
        ("tells_nobody", set(), NOTIFIED),
        ("kicks", {RESCHEDULE_VECTOR, POSTED_INTR_WAKEUP_VECTOR}, NOTIFIED),
        ("sends_a_constant", {POSTED_INTR_WAKEUP_VECTOR}, NOTIFIED),
        ("sends_the_notification", {0xF2}, ()),
        ("sends_what_it_is_given", None, ()),
        ("computes", None, ()),
        ("hides_a_constant", None, ()),
        ("does_as_another", None, ()),
    ],
)
def test_a_rule_that_sends_no_notification_enters_no_window_of_one(
    tmp_path: Path, function: str, sent: set[int] | None, never: tuple[str, ...]
) -> None:
    """By whatever it calls; what is not a constant may be anything."""
    file = tmp_path / "rules.py"
    file.write_text(RULES, encoding="utf-8")
    program = load_program(code_of(f"{file}:{function}"))
    assert vectors_sent(program, ENTRY) == sent
    assert windows_never_entered(program) == never
