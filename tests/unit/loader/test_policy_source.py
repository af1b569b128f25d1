"""A user's rule is named by a file and a function; a policy of the table is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.machine import USER
from hosts.loader.rule.policy_source import PolicySource, is_user_policy, policy_number, source_of


@pytest.mark.parametrize(
    ("named", "path", "function"),
    [("my.py:trigger", "my.py", "trigger"), ("/a:b/my.py:f", "/a:b/my.py", "f"), ("my.py:", "my.py", "")],
)
def test_the_last_colon_ends_the_path(named: str, path: str, function: str) -> None:
    """A folder may have one in its name."""
    source = source_of(named)
    assert source == PolicySource(path, function)
    assert str(source) == named
    assert is_user_policy(named)
    assert policy_number(named) == USER


def test_a_policy_of_the_table_has_no_source() -> None:
    """Nor has none."""
    assert source_of("kick-2016") is None
    assert source_of(None) is None
    assert policy_number("kick-2016") == policy_by_name("kick-2016").number


def test_the_digest_is_that_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    """An edit changes it; a copy has the same."""
    file, copy = tmp_path / "my.py", tmp_path / "copy.py"
    source = PolicySource(str(file), "f")
    for text in (b"one", b"two"):
        file.write_bytes(text)
        copy.write_bytes(text)
        assert source.read() == text
        assert source.digest == source.at(copy).digest == hashlib.sha256(text).hexdigest()


def test_an_absolute_source_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function stays."""
    monkeypatch.chdir(tmp_path)
    assert PolicySource("my.py", "f").absolute() == PolicySource(str(tmp_path / "my.py"), "f")
