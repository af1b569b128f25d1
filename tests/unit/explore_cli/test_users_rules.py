"""Users' rules explored and traced: a right one is the built-in one, a wrong one's fault is told as its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hosts.cli.main import main
from hosts.cli.trace import trace_lines
from hosts.errors import Failure
from tests import validator
from tests.users_rules import TOLD, letter_for_letter, wrong


def explored(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status of an exploration, and its rows."""
    file = folder / "rows.jsonl"
    status = main(["explore", "--json", str(file), *arguments])
    return status, validator.records_in(file)[1:]


def test_the_kernels_rule_letter_for_letter_is_the_built_in_one(tmp_path: Path) -> None:
    """State for state: a field that is compared is one read, where it stands."""
    rule = letter_for_letter(tmp_path)
    both = ("--policy", rule, "--policy", "elide-self-2022", "--no-symmetry")
    status, rows = explored(tmp_path, *both, "--scenario", "remote-post", "--scope", "post:34 | guest=cpuid,hlt")
    assert status == 0
    assert [row["verdict"] for row in rows] == ["PASS"] * 2
    sizes = [[row["search"][name] for name in ("states", "transitions", "depth")] for row in rows]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("function", TOLD)
def test_a_wrong_rule_is_a_row_and_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, function: str) -> None:
    """What else was asked for is explored all the same."""
    rule = wrong(tmp_path, function)
    both = ("--policy", rule, "--policy", "elide-self-2022")
    status, rows = explored(tmp_path, *both, "--scenario", "tscdeadline-immed")
    bad = next(row for row in rows if row["policy"] == rule)
    assert status == 64
    assert sorted(row["verdict"] for row in rows) == ["CRASH", "PASS"]
    assert bad["reason"].startswith(f"{rule.rpartition(':')[0]}:{TOLD[function]}")
    assert capsys.readouterr().err == f"pirace: {bad['reason']}\n"


@pytest.mark.parametrize("function", TOLD)
def test_a_trace_tells_it_in_the_same_words(tmp_path: Path, function: str) -> None:
    """One line, usage."""
    rule = wrong(tmp_path, function)
    with pytest.raises(Failure) as error:
        list(trace_lines("timer-fastpath", rule, None))
    assert str(error.value).startswith(f"{rule.rpartition(':')[0]}:{TOLD[function]}")
    assert error.value.exit_code == 64


@pytest.mark.parametrize("command", [["stress"], ["explore"], ["audit"], ["reconcile"], ["trace", "timer-fastpath"]])
def test_what_is_not_a_rules_is_refused_everywhere_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    """With the line and whose it is."""
    rule = wrong(tmp_path, "blinding")
    assert main([*command, "--policy", rule]) == 64
    said = f"{rule.rpartition(':')[0]}:22: vcpu.pi_desc.software[0]: software[0] is an instrument's"
    assert said in capsys.readouterr().err
