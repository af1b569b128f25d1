"""What is wrong with what was asked, or with a user's rule, is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "nowhere"], "unknown scenario 'nowhere'"),
        (["--policy", "nobody"], "unknown policy 'nobody'"),
        (["--mutation", "none"], "unknown mutation 'none'"),
        (["--scope", "post:99"], "the vectors that pCPUs post are"),
        (["--policy", "/nowhere/at_all.py:f"], "/nowhere/at_all.py"),
    ],
)
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """Exit status 64."""
    assert main(["explore", "--scenario", "timer-fastpath", *arguments]) == 64
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def rule_of(path: Path, body: str) -> str:
    """Write a rule; give what ``--policy`` takes."""
    path.write_text(f"from emu.waist import READ_ONCE\n\n\ndef rule(vcpu, vec):\n{body}\n")
    return f"{path}:rule"


def test_a_users_rule_that_cannot_be_loaded_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It names the file and the line, and nothing is explored."""
    rule = rule_of(tmp_path / "rule.py", "    seen = [1]\n    seen[0] = READ_ONCE(vcpu.mode)")
    assert main(["explore", "--scenario", "tscdeadline-immed", "--policy", rule]) == 64
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "rule.py:5: " in err
    assert "list" in err


POLICIES = {
    "    mode = READ_ONCE(vcpu.mode)\n    n = 0\n    while n < 1:\n        n = mode * 0": "does not come to an end",
    "    mode = READ_ONCE(vcpu.mode)\n    n = 1 // (mode - mode)": "divides by zero",
}


@pytest.mark.parametrize("body", list(POLICIES), ids=list(POLICIES.values()))
def test_what_a_users_rule_does_wrong_is_the_reason_of_its_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, body: str
) -> None:
    """With file and line; the rows of other rules are explored all the same."""
    policies = ["--policy", rule_of(tmp_path / "rule.py", body), "--policy", "always-2021"]
    assert main(["explore", "--scenario", "tscdeadline-immed", *policies]) == 64
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    (row,) = [line for line in told.out.splitlines() if "CRASH" in line and "rule.py:" in line]
    assert POLICIES[body] in row
    assert "tscdeadline-immed x always-2021: PASS" in told.out


def test_a_users_rule_works_unchanged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One that notifies nobody strands an interrupt; the story says whose rule it is."""
    path = tmp_path / "rule.py"
    path.write_text("def rule(vcpu, vec):\n    return\n")
    assert main(["explore", "--scenario", "remote-post", "--scope", "post:34", "--policy", f"{path}:rule"]) == 1
    out = capsys.readouterr().out
    assert "VIOLATION (!)" in out
    assert "your own" in out
