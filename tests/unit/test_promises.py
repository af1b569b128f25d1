"""What a rule's file says that it promises: read, refused with the line, kept by the checkers, told in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emu.machine import USER
from emu.observe.accounting import CHECKS
from hosts.cli.main import main
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import check_of
from hosts.explorer.counterexample.witness_file import save
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import PolicyError, load_program
from hosts.loader.rule.userpolicy import UNPROMISED, unpromised
from hosts.loader.source_file import SourceFile
from hosts.loader.user_code import code_of
from hosts.runs.plan import chosen_policies
from tests.replay.witnesses import Case
from tests.validator import records_in

NOTHING = "def trigger(vcpu, vec):\n    return\n"
ALL_BUT_C7 = " ".join(check for check in CHECKS if check != "C7")
CLEARS_ON = """
from emu.kvm_main import kvm_vcpu_kick
from emu.posted_intr import POSTED_INTR_ON
from emu.waist import clear_bit

def trigger(vcpu, vec):
    clear_bit(POSTED_INTR_ON, vcpu.pi_desc.control)
    kvm_vcpu_kick(vcpu)
"""


def rule(folder: Path, text: str) -> str:
    """Write a rule; give what ``--policy`` takes."""
    (folder / "rule.py").write_text(text)
    return f"{folder / 'rule.py'}:trigger"


def file_of(spec: str) -> SourceFile:
    """Read it."""
    code = code_of(spec)
    assert code is not None
    assert code.rule_file is not None
    return code.rule_file


def explored(spec: str, scope: str = "post:34 | guest=cpuid,hlt") -> Result:
    """Explore it, behind the first sighting too."""
    builder = Builder(load_program(code_of(spec)), scope_of(None, scope), USER)
    result, _, _ = explore(builder, Options(stop_at_first=False))
    return result


def fired(result: Result) -> set[str]:
    """Name the checks that fired."""
    return {check_of(each.sighting)[0] for each in result.violations}


@pytest.mark.parametrize("written", ['"C1 C2"', '("C1", "C2")', '["C2", "C1"]'])
def test_what_is_not_named_is_not_promised(tmp_path: Path, written: str) -> None:
    """Names in one text, or a tuple of them; the program and the plan know it."""
    spec = rule(tmp_path, f"CHECKS = {written}\n{NOTHING}")
    left_out = tuple(check for check in CHECKS if check not in ("C1", "C2"))
    assert unpromised(file_of(spec)) == left_out
    assert chosen_policies([spec])[0].unpromised == left_out
    assert load_program(code_of(spec)).namespace[UNPROMISED] == sum(1 << CHECKS.index(check) for check in left_out)


def test_without_a_word_all_is_promised(tmp_path: Path) -> None:
    """The default."""
    spec = rule(tmp_path, NOTHING)
    assert unpromised(file_of(spec)) == ()
    assert load_program(code_of(spec)).namespace[UNPROMISED] == 0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('CHECKS = "C1 C99"', "there is no check C99"),
        ("CHECKS = 5", "CHECKS is a tuple of names"),
        ("CHECKS = ()", "CHECKS is a tuple of names"),
        ("CHECKS = (1, 2)", "CHECKS is a tuple of names"),
        ("CHECKS = tuple(range(3))", "CHECKS is a tuple of names"),
    ],
)
def test_what_is_no_list_of_checks_is_one_clear_error(tmp_path: Path, written: str, said: str) -> None:
    """With its line."""
    with pytest.raises(PolicyError, match=f"rule.py:2: {said}"):
        load_program(code_of(rule(tmp_path, f"\n{written}\n{NOTHING}")))


def test_a_check_that_is_not_promised_neither_fires_nor_puts_right(tmp_path: Path) -> None:
    """A rule that tells nobody breaks C1, C2 and C7; with two of them given up, the third still fires."""
    everything = fired(explored(rule(tmp_path, NOTHING)))
    assert {"C2", "C7"} <= everything
    rest = " ".join(check for check in CHECKS if check not in ("C7", "C1"))
    assert fired(explored(rule(tmp_path, f'CHECKS = "{rest}"\n{NOTHING}'))) == everything - {"C7", "C1"}


@pytest.mark.slow
def test_a_rule_that_does_without_on_is_convicted_of_nothing_else(tmp_path: Path) -> None:
    """It clears ON and kicks: what was posted is found at the next entry, and C4 is all that it breaks."""
    assert "C4" in fired(explored(rule(tmp_path, CLEARS_ON)))
    rest = " ".join(check for check in CHECKS if check != "C4")
    assert "C4" not in fired(explored(rule(tmp_path, f'CHECKS = "{rest}"\n{CLEARS_ON}')))


def test_the_report_names_what_was_not_checked(tmp_path: Path, capsys: Any) -> None:
    """In the row, and in its record."""
    spec = rule(tmp_path, f'CHECKS = "{ALL_BUT_C7}"\n{NOTHING}')
    file = tmp_path / "rows.jsonl"
    main(["explore", "--policy", spec, "--scope", "post:34 | guest=cpuid,hlt", "--json", str(file)])
    assert "not checked, as the rule does not promise it: C7" in capsys.readouterr().out
    record = json.loads(file.read_text().splitlines()[-1])
    assert record["unpromised"] == ["C7"]


@pytest.mark.slow
def test_a_replay_names_what_was_not_checked(tmp_path: Path, capsys: Any) -> None:
    """Before it begins, and in each time's record: no process has made those checks either."""
    spec = rule(tmp_path, f'CHECKS = "{ALL_BUT_C7}"\n{NOTHING}')
    save(Case("remote-post", spec, None, "post:34 | guest=cpuid").shortest(), tmp_path / "witness.json")
    file = tmp_path / "rows.jsonl"
    assert main(["replay", str(tmp_path / "witness.json"), "--json", str(file)]) == 0
    assert "\nnot checked, as the rule does not promise it: C7\n" in capsys.readouterr().out
    assert [record["unpromised"] for record in records_in(file)[1:]] == [["C7"]]
