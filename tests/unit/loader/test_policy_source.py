"""A user's rule is a file, a function and what the file held; a policy of the table is none of these."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.machine import USER
from hosts.loader.rule.policy_source import (
    PolicySource,
    RuleName,
    is_user_policy,
    policy_number,
    rule_name_of,
    source_of,
)


@pytest.mark.parametrize(
    ("named", "path", "function"),
    [("my.py:trigger", "my.py", "trigger"), ("/a:b/my.py:f", "/a:b/my.py", "f"), ("my.py:", "my.py", "")],
)
def test_the_last_colon_ends_the_path(named: str, path: str, function: str) -> None:
    """A folder may have one in its name."""
    name, source = rule_name_of(named), source_of(named)
    assert name == RuleName(path, function)
    assert source is not None
    assert (source.path, source.function) == (path, function)
    assert str(name) == str(source) == named
    assert is_user_policy(named)
    assert policy_number(named) == USER


@pytest.mark.parametrize("policy", ["kick-2016", "my.py", "", None])
def test_a_policy_of_the_table_has_no_source(policy: str | None) -> None:
    """Nor has none, nor what names no function."""
    assert rule_name_of(policy) is None
    assert source_of(policy) is None
    assert policy_number("kick-2016") == policy_by_name("kick-2016").number


def test_the_file_is_read_once(tmp_path: Path) -> None:
    """An edit does not change a rule that has been read; what is read again is another one."""
    file = tmp_path / "my.py"
    file.write_bytes(b"one")
    source = source_of(f"{file}:f")
    assert source == PolicySource(str(file), "f", b"one")
    file.write_bytes(b"two")
    assert source.content == b"one"
    assert source.digest == hashlib.sha256(b"one").hexdigest()
    again = source.read_again()
    assert again == source_of(f"{file}:f") == PolicySource(str(file), "f", b"two")
    assert again != source
    assert again.digest == hashlib.sha256(b"two").hexdigest()


def test_the_error_of_a_file_that_cannot_be_read_is_raised_where_its_content_is_wanted(tmp_path: Path) -> None:
    """Each time; a file that appears later does not change it."""
    file = tmp_path / "my.py"
    source = source_of(f"{file}:f")
    assert source is not None
    file.write_bytes(b"one")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            _ = source.content
    with pytest.raises(FileNotFoundError):
        _ = source.digest
    assert source.read_again().content == b"one"


def test_what_can_be_no_path_is_an_error_of_the_content() -> None:
    """A witness or a record may name it."""
    source = source_of("my\0.py:f")
    assert source is not None
    with pytest.raises(ValueError, match="null"):
        _ = source.content


def test_a_name_is_made_absolute_or_another_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function stays."""
    monkeypatch.chdir(tmp_path)
    assert RuleName("my.py", "f").absolute() == RuleName(str(tmp_path / "my.py"), "f")
    assert RuleName("my.py", "f").at(Path("/copy.py")) == RuleName("/copy.py", "f")
