"""``pirace list``."""

from __future__ import annotations

import re
from typing import Any

import pytest

from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.cli.listing import CHECK_ORIGIN, listing


def test_each_name_has_one_line_with_its_origin() -> None:
    """Scenarios, policies, mutations; and the commit that each comes from."""
    lines = list(listing())
    everything: list[Any] = [*SCENARIOS, *POLICIES, *MUTATIONS]
    for each in everything:
        (line,) = (line for line in lines if line.split()[:1] == [each.name])
        assert each.about in line
        assert line.endswith(f"[{each.origin}]")


def test_each_checker_has_one_line() -> None:
    """With where its rule is argued."""
    lines = list(listing())
    assert set(CHECK_ORIGIN) == set(CHECKS)
    for check in CHECKS:
        (line,) = (line for line in lines if line.split()[:1] == [check])
        assert line.endswith(f"[{CHECK_ORIGIN[check]}]")


def test_sections() -> None:
    """Four of what has a name, and what a user's code may replace."""
    functions = "functions that --patch and --kernel replace:"
    sections = ["scenarios:", "policies:", "mutations:", "checkers:", functions]
    assert [line for line in listing() if line.endswith(":")] == sections


def test_each_function_that_can_be_replaced_has_one_line_with_signature_and_place() -> None:
    """What a patch must look like; the processor, the instruments and the workload are not among them."""
    lines = list(listing())
    (line,) = (line for line in lines if line.startswith("  vmx_sync_pir_to_irr("))
    assert re.fullmatch(r"  vmx_sync_pir_to_irr\(vcpu: Vcpu\) -> int  \[emu/vmx_intr\.py:\d+\]", line)
    functions = {each.partition("(")[0].strip() for each in lines[lines.index(line) - 30 :] if "(" in each}
    assert {"kvm_vcpu_kick", "vcpu_enter_guest", "kvm_vcpu_trigger_posted_interrupt"} <= functions
    assert not functions & {"elide_self_2022", "handle_vector", "posted_interrupt_processing", "probe_sync", "config"}


@pytest.mark.parametrize("width", [80, 100])
def test_on_a_terminal_a_line_goes_on_below_what_it_says(width: int) -> None:
    """Between words, and the names stand out."""
    lines = list(listing(width))
    assert max(map(len, lines)) <= width
    names = {each.name for each in (*SCENARIOS, *POLICIES, *MUTATIONS)}
    assert names <= {line.split()[0] for line in lines if re.match(r"  \S", line)}
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(listing()).split())
