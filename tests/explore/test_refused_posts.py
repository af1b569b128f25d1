"""A post to a software-disabled APIC is dropped: legal, and nothing that C5 may call lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import MAX_PCPUS, USER
from emu.mutations import Edit, Mutation
from emu.workload.setup import power_on
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import check_of
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.user_code import code_of
from hosts.sequential import SequentialHost

DISABLES = """
from emu.kvm_main import kvm_vcpu_kick
from emu.waist import WRITE_ONCE

def trigger(vcpu, vec):
    kvm_vcpu_kick(vcpu)
    WRITE_ONCE(vcpu.apic.enabled, 0)
"""
SLOT = 4
FORGETS = Mutation(
    1,
    "mail-demanded",
    "a refused post is not told to the mailbox",
    "this test",
    (Edit("probe_post_end", "note_refused(vcpu, slot_of(vector))"),),
    (),
)
LOSES = Mutation(
    2, "accepted-and-dropped", "a post that is lost, not refused", "this test",
    (Edit("__apic_accept_irq", "vmx_deliver_interrupt(vcpu, vector)"),), (),
)  # fmt: skip


def fired(folder: Path, mutation: Mutation | None) -> set[str]:
    """Name the checks that fire when the rule disables the APIC behind its first post."""
    file = folder / "rule.py"
    file.write_text(DISABLES)
    program = load_program(code_of(f"{file}:trigger"), mutations=(FORGETS, LOSES))
    builder = Builder(program, scope_of(None, "post:34 post:34 | guest=cpuid"), USER, mutation)
    result, _, _ = explore(builder, Options(stop_at_first=False))
    return {check_of(each.sighting)[0] for each in result.violations}


def test_a_refused_post_is_not_lost(tmp_path: Path) -> None:
    """Nobody has to read its mail; without the note C5 fires, and so it does for a real loss."""
    assert not fired(tmp_path, None) & {"C5", "C10"}
    assert "C5" in fired(tmp_path, FORGETS)
    assert "C5" in fired(tmp_path, LOSES)


@pytest.mark.parametrize(
    ("refused", "read", "lost"),
    [
        ((), 0, True), ((), 2, True), ((), 3, False), ((3,), 1, True), ((3,), 2, False), ((3,), 3, False),
        ((2, 3), 0, True), ((2, 3), 1, False), ((1, 2, 3), 0, False), ((2,), 2, True), ((1,), 0, True),
    ],
)  # fmt: skip
def test_of_three_posts_those_accepted_have_to_be_read(refused: tuple[int, ...], read: int, lost: bool) -> None:  # noqa: FBT001
    """Exactly: by number, on the counters as they are."""
    host, names = SequentialHost(), load_program(mutations=()).namespace
    vcpu = host.machine.vcpus[0]
    with host:
        power_on(host.machine, 1, 1, host.store)
        for number in (1, 2, 3):
            names["put_mail"](vcpu, SLOT)
            if number in refused:
                names["note_refused"](vcpu, SLOT)
        host.store(vcpu.acknowledged[SLOT * MAX_PCPUS], read)
        assert names["unread_mail"](vcpu, SLOT) == int(lost)
