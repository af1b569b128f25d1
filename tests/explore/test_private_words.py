"""Words that the protocol calls private, read or written by a rule all the same: explored like any other words."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from emu.machine import USER
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import check_of
from hosts.explorer.model.options import DEEP, Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.syntax.language import LoaderError
from hosts.loader.user_code import code_of
from tests.choice import slow_but
from tests.explore.bodies import Tiny

HEADER = """
from emu.kvm_main import kvm_vcpu_kick
from emu.machine import machine
from emu.waist import READ_ONCE, WRITE_ONCE, xchg
"""


def explored(folder: Path, rule: str, scope: str = "post:34 | guest=cpuid,hlt") -> tuple[Builder, Result]:
    """Explore a rule."""
    file = folder / "rule.py"
    file.write_text(HEADER + f"def trigger(vcpu, vec):\n{rule}")
    builder = Builder(load_program(code_of(f"{file}:trigger")), scope_of(None, scope), USER)
    result, _, _ = explore(builder, Options())
    return builder, result


READS = [
    "READ_ONCE(vcpu.apic.vppr)",
    "READ_ONCE(vcpu.vmcs.rvi)",
    "READ_ONCE(vcpu.apic.virr[0])",
    "READ_ONCE(vcpu.guest.in_service)",
    "READ_ONCE(vcpu.mp_state)",
]


@pytest.mark.parametrize("read", slow_but(READS[:1], READS))
def test_a_rule_may_read_what_a_vcpu_calls_its_own(tmp_path: Path, read: str) -> None:
    """What it finds changes nothing here, so that it is as clean as the kick that it does in any case."""
    builder, result = explored(tmp_path, f"    if {read} >= 0 or {read} < 0:\n        kvm_vcpu_kick(vcpu)\n")
    assert result.complete
    assert result.violation is None
    assert [word for word, others in builder.world.words.private.items() if others]


def test_a_guest_that_writes_round_and_round_is_seen_to_its_end(tmp_path: Path) -> None:
    """It sends interrupts to itself and never fences: its PPR may be any number of stores old, and yet it is complete.

    In buffers of any length a store would wait for room; with stores left out, few entries are as good as all.
    """
    rule = "    if READ_ONCE(vcpu.apic.vppr) >= 0:\n        kvm_vcpu_kick(vcpu)\n"
    builder, result = explored(tmp_path, rule, "post:34 | guest=cpuid,self | timers=0")
    assert (result.complete, result.violation) == (True, None)
    assert 4 < result.longest_buffer < DEEP
    assert builder.world.suspends == {"local_write"}


def test_a_rule_about_priority_is_judged(tmp_path: Path) -> None:
    """One that tells nobody while a handler runs loses what the next handler would have to be told of."""
    _, result = explored(
        tmp_path,
        "    if READ_ONCE(vcpu.apic.vppr) == 0:\n        kvm_vcpu_kick(vcpu)\n",
        "post:34 post:35 | post:34 | guest=cpuid,hlt",
    )
    assert result.violation is not None
    assert check_of(result.violation.sighting)[0] in {"C1", "C2", "C7"}


def test_what_another_thread_writes_is_no_words_owners_alone(tmp_path: Path) -> None:
    """The owner reads what is in memory then, not what it wrote itself."""
    rule = "    xchg(vcpu.guest.in_service, 0)\n    kvm_vcpu_kick(vcpu)\n"
    builder, _ = explored(tmp_path, rule)
    assert builder.world.suspends == {"local_read", "local_write"}


def test_a_word_that_steps_go_by_is_refused_with_the_line(tmp_path: Path) -> None:
    """Interrupts of another pCPU cannot be switched off from afar; the message names word, file and line."""
    rule = "    WRITE_ONCE(machine().pcpus[READ_ONCE(vcpu.cpu)].irq.enabled, 0)\n    kvm_vcpu_kick(vcpu)\n"
    with pytest.raises(LoaderError, match=r"rule\.py:6: pcpu0\.irq\.enabled .* cannot be explored"):
        explored(tmp_path, rule)


def test_a_rule_that_asks_for_nothing_private_is_cut_as_ever(tmp_path: Path) -> None:
    """No operation more than before."""
    builder, result = explored(tmp_path, "    kvm_vcpu_kick(vcpu)\n")
    assert result.complete
    assert not builder.world.suspends
    assert not any(builder.world.words.private.values())


BODIES = {
    "read by another": """
        def left():
            local_write(X(), 1)
            out(0, READ_ONCE(Y()))
            out(1, local_read(X()))
        def right():
            WRITE_ONCE(Y(), 1)
            out(2, READ_ONCE(X()))
        """,
    "a store in the buffer": """
        def left():
            local_write(X(), 1)
            out(0, READ_ONCE(Y()))
        def right():
            local_write(Y(), 1)
            out(1, READ_ONCE(X()))
        """,
    "written twice, read in between": """
        def left():
            local_write(X(), 1)
            local_write(X(), 1)
            local_write(X(), 2)
            out(0, local_read(X()))
        def right():
            first = READ_ONCE(X())
            out(1, first * 10 + READ_ONCE(X()))
        """,
    "written by another": """
        def left():
            local_write(X(), 1)
            out(0, local_read(X()))
            out(1, local_read(X()))
        def right():
            WRITE_ONCE(X(), 3)
        """,
    "exchanged by another": """
        def left():
            local_write(X(), 1)
            local_write(X(), local_read(X()) + 1)
            out(0, local_read(X()))
        def right():
            out(1, xchg(X(), 5))
        """,
    "private to both": """
        def left():
            local_write(X(), local_read(X()) + 1)
            out(0, local_read(X()))
        def right():
            local_write(X(), local_read(X()) + 4)
            out(1, local_read(X()))
        """,
}


@pytest.mark.parametrize("buffer", [0, 3])
@pytest.mark.parametrize("body", BODIES)
def test_the_results_are_those_of_plain_loads_and_stores(folder: Path, body: str, buffer: int) -> None:
    """Exactly: on x86 ``local_write`` is a store that waits in the buffer, ``local_read`` a load."""
    text = dedent(BODIES[body])
    private = Tiny(folder, text).explored(buffer)
    open_text = text.replace("local_write", "WRITE_ONCE").replace("local_read", "READ_ONCE")
    assert private == Tiny(folder, open_text).brute(buffer)
    assert private == Tiny(folder, text).explored(buffer, exact=True)
