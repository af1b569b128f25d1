"""``pirace list``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.cli.listing import CHECK_ORIGIN, declared_by_patches, listing
from hosts.cli.own_show import brought_line
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.own.declared import Own

DOORBELL = Path(__file__).parents[2] / "doorbell.py"


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


def test_what_a_patch_brings_comes_first(tmp_path: Path) -> None:
    """Its scenario, check, act, window and words, with their lines; one that does not fit is one line of an error."""
    lines = list(listing(None, declared_by_patches([str(DOORBELL)])))
    first = lines[: lines.index("scenarios:")]
    titles = [line for line in first if line.endswith(":")]
    assert titles == [f"{kind} of your patch:" for kind in ("scenarios", "checkers", "acts", "windows", "words")]
    names = [line.split()[0] for line in first if line.startswith("  ")]
    assert names == ["doorbell", "bell_is_answered", "ring", "doorbell-answered", "Doorbell.rung"]
    bad = tmp_path / "bad.py"
    bad.write_text("class X: pass")
    with pytest.raises(Failure, match=r"bad\.py:1: X does not say what there is one of it for") as error:
        declared_by_patches([str(bad)])
    assert error.value.exit_code == EXIT_USAGE


def test_what_a_patch_brings_is_said_before_a_run() -> None:
    """In one line, between what is replaced and what stays; also if it replaces nothing."""
    own = declared_by_patches([str(DOORBELL)])
    said = (
        "doorbell.py: brings words Doorbell (for each vCPU); window doorbell-answered; act ring; "
        "check bell_is_answered; scenario doorbell"
    )
    assert brought_line("doorbell.py", own) == said
    assert brought_line("doorbell.py", Own()) == ""


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
