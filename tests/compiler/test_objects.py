"""What is loaded is what was made: damaged files, folders that take nothing, keys that do not cover all of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from hosts.compiler import objects
from hosts.compiler.cache import Cache, CacheError
from hosts.compiler.object_file import Image
from hosts.compiler.objects import MANIFEST, OBJECT, BuildError, Built, obtain, verified
from tests.harness import tiny

# A build here takes 3 s of processor time, other tests may run on the same two processors.
pytestmark = pytest.mark.timeout(180)


def answer_of(built: Built) -> int:
    """Load a program, and ask it."""
    image = Image(verified(Path(built.path), built.key))
    answer: int = image.function("answer", 0)()
    return answer


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Return a cache with the program in it."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    built = obtain(tiny.WANTED, cache)
    assert not built.from_cache
    assert answer_of(built) == tiny.answer()
    built.close()
    return cache


@pytest.fixture
def program(made: Cache, tmp_path: Path) -> Path:
    """Return the folder of a copy, in a cache of its own."""
    with Cache(tmp_path / "cache").building() as folder:
        for path in (made.folder / tiny.KEY).iterdir():
            if path.name != "lock":
                (folder / path.name).write_bytes(path.read_bytes())
        Cache(tmp_path / "cache").keep(folder, tiny.KEY)
    return tmp_path / "cache" / tiny.KEY


def flip(content: bytes, place: int) -> bytes:
    """Flip a bit."""
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@pytest.fixture
def no_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever wants to compile know that he would."""

    def compiled(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(objects, "_compiled", compiled)


@pytest.mark.usefixtures("no_builds")
def test_what_is_sound_is_not_made_again(program: Path) -> None:
    """Neither by the next, nor by a clone of the same sources: the place of the sources is not in the key."""
    built = obtain(tiny.WANTED, Cache(program.parent))
    assert built.from_cache
    assert answer_of(built) == tiny.answer()
    built.close()


@pytest.mark.usefixtures("no_builds")
@pytest.mark.parametrize("name", [OBJECT, MANIFEST])
@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "gone"])
def test_what_is_damaged_is_made_again(program: Path, name: str, damage: str) -> None:
    """One bit in the middle of it, an end that is missing, nothing in it, no file."""
    file = program / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"flipped": flip(content, len(content) // 2), "cut": content[:-1], "emptied": b""}[damage])
    with pytest.raises(NotImplementedError):
        obtain(tiny.WANTED, Cache(program.parent))
    assert not program.exists(), "nobody else is to find it"
    with pytest.raises(BuildError, match="damaged"):
        verified(program)


def test_no_bit_of_it_may_differ(program: Path) -> None:
    """Wherever it is."""
    content = (program / OBJECT).read_bytes()
    for place in range(0, len(content), max(len(content) // 100, 1)):
        (program / OBJECT).write_bytes(flip(content, place))
        with pytest.raises(BuildError, match="damaged"):
            verified(program, tiny.KEY)
    (program / OBJECT).write_bytes(content)
    assert verified(program, tiny.KEY) == content


@pytest.mark.usefixtures("no_builds")
def test_a_program_under_another_name_is_not_taken(program: Path) -> None:
    """A folder that was copied or renamed."""
    program.rename(program.with_name("other"))
    other = objects.Wanted(tiny.WANTED.maker, lambda: "other")
    with pytest.raises(NotImplementedError):
        obtain(other, Cache(program.parent))


def test_a_damaged_program_works_again(program: Path) -> None:
    """All the way: it is found to be damaged, compiled, and found sound by the next."""
    code = (program / OBJECT).read_bytes()
    (program / OBJECT).write_bytes(flip(code, len(code) // 2))
    for from_cache in (False, True):
        built = obtain(tiny.WANTED, Cache(program.parent))
        assert built.from_cache is from_cache
        assert answer_of(built) == tiny.answer()
        built.close()


def test_a_folder_that_takes_nothing_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only one, or a file in its place: one line names it and says what to do, and the run goes on."""
    (tmp_path / "file").write_text("")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    built = obtain(tiny.WANTED, Cache(tmp_path / "file" / "pirace"))
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "file" / "pirace") in line
    assert "set XDG_CACHE_HOME" in line
    assert answer_of(built) == tiny.answer()
    built.close()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_full_folder_is_told_of_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is found out when the first file is made."""
    full = tmp_path / "cache"
    real = os.posix_fallocate

    def allocate(fd: int, start: int, size: int) -> None:
        if full in Path(f"/proc/self/fd/{fd}").readlink().parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, start, size)

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    built = obtain(tiny.WANTED, Cache(full))
    (line,) = capsys.readouterr().err.splitlines()
    assert str(full) in line
    assert "No space left" in line
    assert answer_of(built) == tiny.answer()
    built.close()


def test_nowhere_to_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error that names both folders."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")  # a longer path would not be taken for temporary folders
    with pytest.raises(CacheError, match=rf"{tmp_path}/file/pirace.*XDG_CACHE_HOME.*nor can /dev/null"):
        obtain(tiny.WANTED, Cache(tmp_path / "file" / "pirace"))


def test_a_program_that_cannot_be_touched_is_used(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a read-only folder."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", refused)
    built = obtain(tiny.WANTED, Cache(program.parent))
    assert built.from_cache
    built.close()


def test_code_that_the_key_knows_nothing_of_is_refused(tmp_path: Path) -> None:
    """A module that has a part in what is compiled, and that could change without the key's changing."""
    with pytest.raises(BuildError, match=r"the key does not cover .*compiler/unit\.py"):
        obtain(tiny.UNCOVERED, Cache(tmp_path))
