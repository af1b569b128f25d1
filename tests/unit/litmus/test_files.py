"""Indexes of tests, and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.cli.main import main
from hosts.litmus.files import LitmusFile, litmus_files

TEST = "X86_64 {name}\n{{ }}\nP0 ;\n movl $1,(x) ;\nexists (x=1)\n"


def write(file: Path, text: str = "") -> str:
    """Write a test, or something else."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text or TEST.format(name=file.stem))
    return str(file)


def test_an_index_is_read_from_its_own_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With comments and empty lines, and indexes in it; a test that is missing is told, the others are run."""
    write(tmp_path / "a.litmus")
    write(tmp_path / "deep" / "b.litmus")
    write(tmp_path / "deep" / "@some", "b.litmus\n")
    absent = tmp_path / "absent.litmus"
    index = write(tmp_path / "@all", "# those of today\n\n  a.litmus  # the first\nabsent.litmus\ndeep/@some\n")
    assert main(["litmus", index]) == 64
    told = capsys.readouterr()
    assert [line for line in told.out.splitlines() if line.startswith("Test ")] == ["Test a Allowed", "Test b Allowed"]
    assert told.err == f"{absent}: No such file or directory\n"


def test_names_are_as_short_as_the_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index in the folder that one is in gives names without a folder."""
    write(tmp_path / "@all", "a.litmus\nb.litmus\n")
    monkeypatch.chdir(tmp_path)
    assert list(litmus_files(["@all", "c"])) == [LitmusFile("a.litmus"), LitmusFile("b.litmus"), LitmusFile("c")]


def test_a_loop_of_indexes_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it goes through; an index that is given twice is none."""
    write(tmp_path / "a.litmus")
    first = write(tmp_path / "@first", "a.litmus\n@second\n")
    write(tmp_path / "@second", "a.litmus\n./@first\n")
    assert main(["litmus", first, first]) == 64
    told = capsys.readouterr()
    assert told.out.count("Test a Allowed") == 4
    assert [line.rpartition("/")[2] for line in told.err.splitlines()] == ["@first: this index lists itself"] * 2


def test_a_folder_stands_for_its_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All below it, by name; one without any is told."""
    names = [write(tmp_path / each) for each in ("a.litmus", "b/c.litmus", "d.litmus")]
    write(tmp_path / "d.txt")
    assert [each.file for each in litmus_files([str(tmp_path)])] == names
    (empty := tmp_path / "e").mkdir()
    assert main(["litmus", str(empty)]) == 64
    assert capsys.readouterr().err == f"{empty}: a folder without a file *.litmus\n"


@pytest.mark.parametrize("content", [None, b"\0\n"])
def test_what_is_no_index_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """Missing, or no text."""
    index = tmp_path / "@all"
    if content is not None:
        index.write_bytes(content)
    assert main(["litmus", str(index)]) == 64
    assert len(capsys.readouterr().err.splitlines()) == 1
