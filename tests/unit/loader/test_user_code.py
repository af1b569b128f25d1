"""What a user brings is one value: the files are read once, and everything is said of the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import json

from hosts.loader.user_code import CodeSpec, read_code


def test_nothing_asked_for_is_no_code() -> None:
    """So that a program without it is told by None."""
    assert not CodeSpec()
    assert read_code(CodeSpec()) is None
    assert json.encode(CodeSpec()) == b"{}"


def test_a_specification_goes_through_text_as_it_is() -> None:
    """Records and other processes get it so."""
    spec = CodeSpec(rule="a.py:f", patches=("b.py", "c.py"), kernel="linux", only=("f",), stubs=("g=0",))
    assert json.decode(json.encode(spec), type=CodeSpec) == spec


def test_a_fault_is_known_by_its_file() -> None:
    """Of a kernel any file below its path; nothing is read for it."""
    spec = CodeSpec(rule="a.py:f", patches=("b.py",), kernel="linux/")
    assert all(spec.names(f"{path}:3: reason") for path in ("a.py", "b.py", "linux/arch/x86/kvm/x86.c"))
    assert not any(spec.names(text) for text in ("aa.py:3: reason", "linux-next/x86.c:3: reason", "internal error"))
    assert not CodeSpec().names("a.py:3: reason")


def test_files_are_read_once(tmp_path: Path) -> None:
    """What changes afterwards is seen by reading again, which the digest tells."""
    rule, patch = tmp_path / "rule.py", tmp_path / "fix.py"
    rule.write_text("one")
    patch.write_text("two")
    code = read_code(CodeSpec(rule=f"{rule}:f", patches=(str(patch),)))
    assert code is not None
    before = code.digest
    patch.write_text("three")
    assert code.digest == before
    assert [each.content for each in code.files] == [b"one", b"two"]
    again = code.read_again()
    assert again.digest != before
    assert again.digests().keys() == {str(rule), str(patch)}


def test_the_digest_is_of_what_is_loaded_not_of_where_it_lies(tmp_path: Path) -> None:
    """Nor do two files pass for one that holds both."""
    one, other, both = (tmp_path / name for name in ("one.py", "other.py", "both.py"))
    one.write_text("a")
    other.write_text("a")
    both.write_text("aa")
    digests = {
        paths: read_code(CodeSpec(patches=tuple(str(path) for path in paths))).digest  # type: ignore[union-attr]
        for paths in ((one,), (other,), (both,), (one, other))
    }
    assert digests[one,] == digests[other,]
    assert len(set(digests.values())) == 3


def test_a_file_that_cannot_be_read_says_so_when_it_is_wanted(tmp_path: Path) -> None:
    """Reading the specification does not fail."""
    code = read_code(CodeSpec(patches=(str(tmp_path / "none.py"),)))
    assert code is not None
    with pytest.raises(FileNotFoundError):
        _ = code.digest
