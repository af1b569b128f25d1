"""A policy is a name of the table, or a file and a function; with patches in the machine the name says so."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.machine import USER
from hosts.loader.policy_name import RuleName, base_of, is_user_policy, patched_name, policy_number, rule_name_of
from hosts.loader.user_code import code_of


@pytest.mark.parametrize(
    ("named", "path", "function"),
    [("my.py:trigger", "my.py", "trigger"), ("/a:b/my.py:f", "/a:b/my.py", "f"), ("my.py:", "my.py", "")],
)
def test_the_last_colon_ends_the_path(named: str, path: str, function: str) -> None:
    """A folder may have one in its name, or a plus."""
    name, code = rule_name_of(named), code_of(named)
    assert name == RuleName(path, function)
    assert code is not None
    assert code.rule == name
    assert str(name) == code.spec.rule == named
    assert is_user_policy(named)
    assert policy_number(named) == USER


@pytest.mark.parametrize("policy", ["kick-2016", "my.py", "", None])
def test_a_policy_of_the_table_has_no_code(policy: str | None) -> None:
    """Nor has none, nor what names no function."""
    assert rule_name_of(policy) is None
    assert code_of(policy) is None
    assert policy_number("kick-2016") == policy_by_name("kick-2016").number


@pytest.mark.parametrize("policy", ["kick-2016", "/c++/my.py:f", "my.py:"])
def test_a_name_with_patches_is_taken_apart_again(policy: str) -> None:
    """Whatever has a plus in it."""
    name = patched_name(policy, "v6.3.2+c++.py")
    assert base_of(name) == base_of(policy) == policy
    assert rule_name_of(name) == rule_name_of(policy)
    assert policy_number(name, patched=True) == policy_number(policy)


def test_what_replaces_the_rule_is_the_users_number() -> None:
    """A name that is neither the table's nor a file's means nothing without patches."""
    assert policy_number("v6.3.2", patched=True) == USER
    with pytest.raises(KeyError):
        policy_number("v6.3.2")


def test_the_file_is_read_once(tmp_path: Path) -> None:
    """An edit does not change a rule that has been read; what is read again is another one."""
    file = tmp_path / "my.py"
    file.write_bytes(b"one")
    code = code_of(f"{file}:f")
    assert code is not None
    assert code.rule_file is not None
    file.write_bytes(b"two")
    assert code.rule_file.content == b"one"
    assert code.rule_file.digest == hashlib.sha256(b"one").hexdigest()
    again = code.read_again()
    assert again == code_of(f"{file}:f")
    assert again != code
    assert again.rule_file is not None
    assert again.rule_file.digest == hashlib.sha256(b"two").hexdigest()


def test_the_error_of_a_file_that_cannot_be_read_is_raised_where_its_content_is_wanted(tmp_path: Path) -> None:
    """Each time; a file that appears later does not change it."""
    file = tmp_path / "my.py"
    code = code_of(f"{file}:f")
    assert code is not None
    assert code.rule_file is not None
    file.write_bytes(b"one")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            _ = code.rule_file.content
    with pytest.raises(FileNotFoundError):
        _ = code.digest
    assert code.read_again().files[0].content == b"one"


def test_what_can_be_no_path_is_an_error_of_the_content() -> None:
    """A witness or a record may name it."""
    code = code_of("my\0.py:f")
    assert code is not None
    with pytest.raises(ValueError, match="null"):
        _ = code.digest


def test_a_name_is_made_absolute_or_another_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function stays."""
    monkeypatch.chdir(tmp_path)
    assert RuleName("my.py", "f").absolute() == RuleName(str(tmp_path / "my.py"), "f")
    assert RuleName("my.py", "f").at(Path("/copy.py")) == RuleName("/copy.py", "f")
