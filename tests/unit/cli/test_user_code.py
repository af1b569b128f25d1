"""The options that bring code of the user's: what goes together, what is said of it, and what it replaces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hosts.cli.commands.code_options import CodeOptions
from hosts.cli.main import main
from hosts.cli.user_code import code_spec
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.user_code import CodeSpec
from tests.choice import slow_but

COMMANDS = (["stress"], ["explore"], ["trace", "kick"], ["audit"], ["reconcile"], ["soak"])

NAMES = [command[0] for command in COMMANDS]

FIX = '''\
from emu.machine import Vcpu
from emu.observe.probes.wake import probe_woken
from emu.rcuwait import rcuwait_wake_up
from emu.waist import smp_mb


def kvm_vcpu_wake_up(vcpu: Vcpu) -> int:
    """Wake the vCPU, with a barrier behind it."""
    if rcuwait_wake_up(vcpu) != 0:
        smp_mb()
        probe_woken()
        return 1
    return 0
'''


@pytest.fixture
def fix(tmp_path: Path) -> Path:
    """Write a patch."""
    path = tmp_path / "fix.py"
    path.write_text(FIX)
    return path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line with which a command is refused."""
    assert main([*arguments]) == EXIT_USAGE
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_is_typed_is_what_is_asked_for() -> None:
    """Names of functions may be separated by commas, or given one by one."""
    given = CodeOptions(("a.py", "b.py"), "linux", ("x,y", "z, x"), ("f=0", "g=-0x1"), "fix.patch")
    assert code_spec(given) == CodeSpec(
        patches=("a.py", "b.py"), kernel="linux", diff="fix.patch", only=("x", "y", "z"), stubs=("f=0", "g=-0x1")
    )
    assert code_spec(CodeOptions()) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (CodeOptions(only=("x",)), "--only chooses among the functions of a kernel: name it with --kernel"),
        (CodeOptions(diff="fix.patch"), "--diff is applied to the files of a kernel: name it with --kernel"),
        (CodeOptions(stub=("f=0",)), "--stub is about code in C"),
        (CodeOptions(show_diff=True), "--show-diff shows what --patch, --kernel or a rule of your own replaces"),
        (CodeOptions(patch=("a.py:f",)), "a rule of your own is --policy a.py:f"),
        (CodeOptions(patch=("a.c",)), "for this one there is --kernel"),
        (CodeOptions(patch=("a.patch",)), "for this one there is --diff"),
        (CodeOptions(patch=("a.py", "a.py")), "--patch a.py: given twice"),
        (CodeOptions(kernel="k", only=("a b",)), "--only a b: not the name of a function"),
        (CodeOptions(kernel="k", stub=("f",)), "wanted is NAME=VALUE"),
        (CodeOptions(kernel="k", stub=("f=x",)), "wanted is NAME=VALUE"),
        (CodeOptions(kernel="k", stub=("f=0", "f=1")), "--stub f: given twice"),
    ],
)
def test_options_that_do_not_go_together_are_one_clear_line(given: CodeOptions, said: str) -> None:
    """Before any file is read."""
    with pytest.raises(Failure) as caught:
        code_spec(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_stub_goes_with_a_rule_in_c() -> None:
    """It is about what the rule calls."""
    given = CodeOptions(stub=("f=0",))
    assert code_spec(given, ["rule.c:f"]) == CodeSpec(stubs=("f=0",))
    with pytest.raises(Failure):
        code_spec(given, ["rule.py:f"])


@pytest.mark.parametrize("command", slow_but([["stress"], ["soak"]], COMMANDS), ids=NAMES)
def test_every_command_shows_what_a_patch_replaces(
    capsys: pytest.CaptureFixture[str], fix: Path, command: list[str]
) -> None:
    """As a unified diff, without the lines of instruments on either side; nothing is run."""
    assert main([*command, "--patch", str(fix), "--show-diff"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("--- emu/kvm_main.py:")
    assert lines[1] == f"+++ {fix}:7 kvm_vcpu_wake_up"
    assert [line for line in lines[3:] if line[0] in "+-"] == ["+        smp_mb()"]


def test_a_rule_is_shown_beside_todays(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The function that it stands for only chooses among the historic ones."""
    path = tmp_path / "rule.py"
    path.write_text("def rule(vcpu, vec):\n    pass\n")
    assert main(["stress", "--policy", f"{path}:rule", "--show-diff"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"--- emu/policies\.py:\d+ elide_self_2022", lines[0])
    assert lines[1] == f"+++ {path}:1 rule"
    assert "+    pass" in lines


def test_two_lines_before_a_run_say_what_is_replaced(capsys: pytest.CaptureFixture[str], fix: Path) -> None:
    """The function, where it is, in place of which; and what stays."""
    assert main(["trace", "timer-fastpath", "--patch", str(fix)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "fix.py: 1 function of emu/ is replaced: kvm_vcpu_wake_up (fix.py:7 in place of emu/kvm_"
    )
    assert lines[1:3] == ["fix.py: everything else is emu's", "timer-fastpath x elide-self-2022+fix.py"]


@pytest.mark.parametrize("command", slow_but([["stress"], ["soak"]], COMMANDS), ids=NAMES)
def test_what_is_wrong_with_a_patch_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    """Of every command, with file and line."""
    path = tmp_path / "fix.py"
    path.write_text("def nothing(vcpu):\n    return\n")
    assert refusal(capsys, *command, "--patch", str(path)).startswith(f"pirace: {path}:1: ")


def test_a_policy_beside_code_that_replaces_the_rule_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """There is one rule only."""
    path = tmp_path / "rule.py"
    path.write_text("def kvm_vcpu_trigger_posted_interrupt(vcpu, vec):\n    return\n")
    said = refusal(capsys, "explore", "--patch", str(path), "--policy", "always-2021")
    assert "leave --policy out" in said
