"""The protocol, loaded and cut, is kept for the next start; what is read is what would be loaded."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.machine import USER
from hosts.explorer.build import Builder
from hosts.explorer.cache import programs as ready
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.programs import key_of, ready_program
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.explorer.threads.protocol import cut_of
from hosts.loader.program import Program, load_program
from hosts.loader.syntax.language import PolicyError
from hosts.loader.user_code import CodeSpec, UserCode, code_of, read_code

pytestmark = pytest.mark.timeout(300)

RULE = """
from emu.cpu import apic_send_IPI
from emu.vectors import DEVICE_VECTOR
from emu.waist import READ_ONCE

MINE = 7


def trigger(vcpu, vec):
    if vec != MINE and vec != DEVICE_VECTOR:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return a folder in which nothing is kept yet."""
    return Files(tmp_path / "kept")


@pytest.fixture
def rule(tmp_path: Path) -> str:
    """Write a rule of a user's."""
    (tmp_path / "mine.py").write_text(RULE)
    return f"{tmp_path}/mine.py:trigger"


@pytest.fixture
def loaded(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return the protocol without a rule, which is loaded once for all tests: it is the cache that is tested."""
    monkeypatch.setattr(ready, "load_program", lambda rule: program if rule is None else load_program(rule))
    return program


@pytest.fixture
def only_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes every further load of the sources an error."""

    def load(_code: UserCode | None) -> Program:
        raise AssertionError("the sources were loaded")

    return lambda: monkeypatch.setattr(ready, "load_program", load)


def test_what_is_read_is_what_was_loaded(files: Files, rule: str) -> None:
    """Each field of it, functions to the last instruction, and how they are cut; nothing is loaded a second time."""
    for policy in (None, rule):
        before = ready_program(code_of(policy), files)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ready, "load_program", None)
            after = ready_program(code_of(policy), files)
            for each in fields(Program):
                if each.name not in ("namespace", "functions", "trees"):
                    assert getattr(after, each.name) == getattr(before, each.name), each.name
            assert list(after.functions) == list(before.functions)
            for name, function in before.functions.items():
                made = after.functions[name]
                assert made.__code__ == function.__code__
                assert (made.__module__, made.__defaults__) == (function.__module__, function.__defaults__)
                assert made.__globals__ is after.namespace
                assert after.namespace[name] is made
            left_out = {"annotations", "Final", "Word", "__builtins__"}  # said to readers of the source
            assert after.namespace.keys() - left_out == before.namespace.keys() - left_out
            assert cut_of(after) == cut_of(before)


@pytest.mark.usefixtures("loaded")
def test_the_trees_are_there_when_they_are_asked_for(files: Files) -> None:
    """As they are loaded."""
    before = ready_program(None, files)
    after = ready_program(None, files)
    assert len(after.trees) == len(before.trees)
    for name, tree in before.trees.items():
        assert ast.unparse(after.trees[name]) == ast.unparse(tree)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("users", [False, True])
def test_the_same_is_explored(files: Files, rule: str, only_read: Callable[[], None], *, users: bool) -> None:
    """With a program that was read."""
    policy, number = (rule, USER) if users else (None, policy_by_name("elide-self-2022").number)
    found = []
    for _ in range(2):
        builder = Builder(
            ready_program(code_of(policy), files), scope_of(None, "post:34 | guest=cpuid | timers=0"), number
        )
        result, _, _ = explore(builder, Options())
        only_read()
        lines = bytes(builder.protocol.lines.hit), builder.protocol.lines.spans
        found.append((result.states, result.transitions, result.depth, result.violation, result.complete, lines))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda old: old[:1000],
        lambda old: b"",  # noqa: ARG005
        lambda old: old[:900] + bytes([old[900] ^ 4]) + old[901:],
    ],
    ids=["cut off", "empty", "a flipped bit"],
)
def test_what_is_damaged_is_loaded_anew(files: Files, loaded: Program, change: Callable[[bytes], bytes]) -> None:
    """And kept anew."""
    ready_program(None, files)
    (path,) = files.folder.glob("[!.]*")
    whole = path.read_bytes()
    path.write_bytes(change(whole))
    assert ready_program(None, files) is loaded
    assert ready_program(None, files) is not loaded, "it was read"
    assert path.read_bytes()[32:] != b""


def test_a_patched_machine_is_kept_too(files: Files, tmp_path: Path, only_read: Callable[[], None]) -> None:
    """With what it replaces, what it was asked for by, and what it has not."""
    path = tmp_path / "fix.py"
    path.write_text(
        "from emu.kvm_main import kvm_vcpu_wake_up\n\ndef kvm_vcpu_kick(vcpu):\n    kvm_vcpu_wake_up(vcpu)\n"
    )
    code = read_code(CodeSpec(patches=(str(path),)))
    before = ready_program(code, files)
    only_read()
    after = ready_program(code, files)
    for each in ("replaced", "lost_mutations", "patches", "files", "own", "rule"):
        assert getattr(after, each) == getattr(before, each), each
    assert after.patches == CodeSpec(patches=(str(path),))


def test_what_is_wrong_with_a_rule_is_said_each_time(files: Files, rule: str) -> None:
    """A rule that cannot be loaded is not kept, one that is gone is told so."""
    path = Path(rule.rpartition(":")[0])
    ready_program(code_of(rule), files)
    path.write_text(RULE.replace("vec != MINE", "vec != NOBODYS"))
    for _ in range(2):
        with pytest.raises(PolicyError, match="NOBODYS"):
            ready_program(code_of(rule), files)
    path.unlink()
    with pytest.raises(PolicyError, match="cannot be read"):
        ready_program(code_of(rule), files)


def test_a_rule_is_the_one_that_was_read(files: Files, rule: str) -> None:
    """Whatever its file holds when it is loaded; and nothing is kept of a rule that has changed meanwhile."""
    source = code_of(rule)
    assert source is not None
    assert source.rule_file is not None
    Path(source.rule_file.path).write_text("no Python any more")
    program = ready_program(source, files)
    assert program.rule_sha256 == source.rule_file.digest
    assert program.rule
    assert not list(files.folder.glob("[!.]*"))


def test_other_sources_have_another_key(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the protocol and the explorer, of the rule; and so have another function of it, and another Python."""
    keys = [key_of(None), key_of(code_of(rule)), key_of(code_of(rule.replace("trigger", "other")))]
    path = Path(rule.rpartition(":")[0])
    path.write_text(RULE.replace("7", "8"))
    keys.append(key_of(code_of(rule)))
    with monkeypatch.context() as patch:
        patch.setattr(ready, "explorer_sources", lambda: "changed")
        keys.append(key_of(None))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", "changed")
        keys.append(key_of(None))
    assert len(set(keys)) == len(keys)


def test_another_place_of_the_same_sources_has_another_key(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is kept names files of its own checkout and rule, which may be gone when another one is asked."""
    keys = {key_of(None), key_of(code_of(rule))}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(RULE)
        monkeypatch.chdir(tmp_path / name)
        keys.add(key_of(code_of("mine.py:trigger")))
    monkeypatch.setattr("emu.__path__", [str(tmp_path / "emu")])
    keys.add(key_of(None))
    assert len(keys) == 5


def test_a_folder_that_cannot_be_written_to_is_done_without(loaded: Program, tmp_path: Path) -> None:
    """The protocol is loaded each time."""
    (tmp_path / "taken").write_text("")
    files = Files(tmp_path / "taken" / "folder")
    assert all(ready_program(None, files) is loaded for _ in range(2))
