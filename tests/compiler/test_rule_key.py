"""A build is of the rule that was read; if its file is found changed, of what it holds by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.compiler.fingerprint import key_of
from hosts.compiler.objects import Wanted
from hosts.loader.syntax.language import PolicyError
from hosts.loader.user_code import code_of
from hosts.native.program import build


def test_the_first_key_is_of_the_rule_that_was_read_a_further_one_of_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is in the cache is that of the caller's reading; the compiling process gets the name."""
    file = tmp_path / "rule.py"
    file.write_text("one")
    source = code_of(f"{file}:rule")
    assert source is not None
    file.write_text("two")
    wanted: list[Wanted] = []
    monkeypatch.setattr(build, "obtain", lambda given, *_: wanted.append(given))
    build.build(source)
    keys = [wanted[0].key() for _ in range(3)]
    assert keys == [key_of(source)[1], *[key_of(source.read_again())[1]] * 2]
    assert keys[0] != keys[1]
    assert wanted[0].arguments == {"code": {"rule": f"{file}:rule"}}


def test_a_rule_that_could_not_be_read_is_refused_before_anything_is_compiled(tmp_path: Path) -> None:
    """With the one line that says so."""
    with pytest.raises(PolicyError, match=r"none\.py:1: cannot be read: No such file"):
        build.build(code_of(f"{tmp_path}/none.py:rule"))
