"""The lines of a user's C in a witness and in a trace: as they were read, whatever becomes of the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.workload.scenarios import SCENARIOS
from hosts.cli.trace import trace_lines
from hosts.explorer.build import Builder
from hosts.explorer.counterexample import witness_file
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.complete import Found, completely_explained
from hosts.explorer.explanation.table import table_lines
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.source_lines import lines_of
from hosts.loader.user_code import CodeSpec
from tests.unit.kernel.c_texts import DELIVER, TRIGGER, loaded, written

SCENARIO = "halt-wake"
WAKES_NOBODY = TRIGGER.replace("kvm_vcpu_wake_up(vcpu)", "return")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a trigger that wakes nobody."""
    return written(tmp_path_factory.mktemp("kernel"), WAKES_NOBODY, DELIVER, name="vmx.c")


@pytest.fixture(scope="module")
def witness(file: Path) -> Witness:
    """Explore it, and take the file away."""
    program = loaded(file)
    scope = scope_of(next(each for each in SCENARIOS if each.name == SCENARIO))

    def make() -> Builder:
        return Builder(program, scope, policy_by_name("elide-self-2022").number)

    builder = make()
    _result, search, model = explore(builder, Options())
    found = Found(builder, Options(), model, search)
    return completely_explained(found, make, SCENARIO, "vmx.c")


def test_the_lines_of_a_witness_are_printed_below_its_table(witness: Witness, file: Path) -> None:
    """Each line of C that a step names, once, with its text."""
    texts = file.read_text().splitlines()
    assert witness.check == "C2"
    assert witness.lines
    for where, text in witness.lines.items():
        name, _, number = where.partition(":")
        assert (name, texts[int(number) - 1].strip()) == ("vmx.c", text)
    printed = list(table_lines(witness))
    assert [line for line in printed if "if (vcpu->mode == IN_GUEST_MODE)" in line]
    named = set(re.findall(r"vmx\.c:\d+", " ".join(printed)))
    assert named >= set(witness.lines)


def test_a_saved_witness_keeps_its_lines(witness: Witness, tmp_path: Path) -> None:
    """They are part of the file; a witness without a user's lines has no such entry."""
    witness_file.save(witness, tmp_path / "w.json")
    assert witness_file.load(tmp_path / "w.json").lines == witness.lines
    assert '"lines"' in (tmp_path / "w.json").read_text()


def test_two_files_of_one_name_give_no_wrong_line(file: Path) -> None:
    """Where they differ, the line is left out rather than taken from the wrong file."""
    program = loaded(file)
    assert program.lines
    assert lines_of([], {str(file): b"x"}) == {}


def test_a_trace_names_where_a_users_function_stands(file: Path) -> None:
    """In the call chain, behind the function's name."""
    told = list(trace_lines("tscdeadline-immed", None, None, code=CodeSpec(kernel=str(file))))
    number = next(i for i, line in enumerate(file.read_text().splitlines(), 1) if "int vmx_deliver_posted" in line)
    assert [line for line in told if f"vmx_deliver_posted_interrupt() [vmx.c:{number}]" in line]
