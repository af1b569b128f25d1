"""A task's code on another host: the files lie there as they lay here, whatever the names of their folders are."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.loader.user_code import CodeSpec, read_code
from hosts.soak.task import Task
from hosts.soak.workers.sent_code import sent_code, unpacked


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder with two patches of one name, a rule, and a part of a kernel."""
    for path, text in {
        "a/fix.py": "one",
        "b/fix.py": "two",
        "rule.py": "rule",
        "linux/arch/x86/kvm/lapic.c": "int one(void) { return 1; }",
        "linux/virt/kvm/kvm_main.c": "int two(void) { return 2; }",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_a_task_without_code_needs_no_files() -> None:
    """As before."""
    assert sent_code(Task(scenario="kick", policy="kick-2016")) is None


def test_a_rule_alone_lies_in_the_folder_under_its_own_name(here: Path, tmp_path: Path) -> None:
    """The policy names it there."""
    task = Task(scenario="kick", policy=f"{here}/rule.py:f")
    sent = sent_code(task)
    assert sent is not None
    there = unpacked(task, sent, tmp_path / "there")
    assert there == replace(task, policy=f"{tmp_path}/there/rule.py:f")
    assert (tmp_path / "there/rule.py").read_text() == "rule"


def test_patches_of_one_name_and_a_kernel_are_read_there_as_here(here: Path, tmp_path: Path) -> None:
    """The contents are the same, one by one, and the policy keeps its name."""
    spec = CodeSpec(
        rule=f"{here}/rule.py:f",
        patches=(f"{here}/a/fix.py", f"{here}/b/fix.py"),
        kernel=f"{here}/linux",
        only=("one",),
    )
    task = Task(scenario="kick", policy=f"{here}/rule.py:f+linux+fix.py+fix.py", code=spec)
    sent = sent_code(task)
    assert sent is not None
    there = unpacked(task, sent, tmp_path / "there")
    assert there.policy == f"{tmp_path}/there/rule.py:f+linux+fix.py+fix.py"
    before, after = read_code(task.spec), read_code(there.spec)
    assert before is not None
    assert after is not None
    assert [each.content for each in after.files] == [each.content for each in before.files]
    assert not set(after.paths) & set(before.paths)
    assert after.spec.only == ("one",)
