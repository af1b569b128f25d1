"""Files that can be made again: what is read is what was written, or nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from hosts.explorer.cache.files import Files

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return a folder that nobody has made yet."""
    return Files(tmp_path / "cache" / ".learnt")


def names(files: Files) -> list[str]:
    """Name what is there."""
    return sorted(path.name for path in files.folder.iterdir() if path.name != ".lock")


def test_what_is_kept_is_found(files: Files) -> None:
    """Under its key, and only there."""
    assert files.read("a") is None
    assert files.write("a", CONTENT)
    assert files.read("a") == CONTENT
    assert files.read("b") is None


@pytest.mark.parametrize("place", [0, 31, 32, 5000, -1])
def test_a_flipped_bit_is_noticed(files: Files, place: int) -> None:
    """In the hash or in what it is of; the file is gone then, so that it is written anew."""
    files.write("a", CONTENT)
    damaged = bytearray((files.folder / "a").read_bytes())
    damaged[place] ^= 16
    (files.folder / "a").write_bytes(damaged)
    assert files.read("a") is None
    assert not (files.folder / "a").exists()


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 10_000])
def test_a_file_that_is_cut_off_is_noticed(files: Files, size: int) -> None:
    """Wherever."""
    files.write("a", CONTENT)
    os.truncate(files.folder / "a", size)
    assert files.read("a") is None


def test_two_writers_at_once(files: Files) -> None:
    """Whoever reads meanwhile finds the one's or the other's, or nothing yet, and nothing is left lying about."""
    contents = [bytes([number]) * 300_000 for number in (1, 2)]

    def write(content: bytes) -> None:
        written.extend(files.write("a", content) for _ in range(40))

    written: list[bool] = []
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    seen = set()
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(files.read("a"))
    assert seen <= {None, *contents}
    assert files.read("a") in contents
    assert any(written)
    assert names(files) == ["a"]


WRITER = """
    import sys, time
    from pathlib import Path
    from hosts.explorer.cache.files import Files

    files = Files(Path(sys.argv[1]))
    write = Path.write_bytes

    def never_ends(path, content):
        write(path, content[:100])
        print("writing", flush=True)
        time.sleep(600)

    Path.write_bytes = never_ends
    files.write("a", bytes(1000))
"""


def test_what_a_killed_writer_leaves_is_swept_away(files: Files) -> None:
    """By the next one; while it lives, others go on without."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(files.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        assert not files.write("a", CONTENT), "one writes at a time"
        assert files.read("a") is None
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert [path.name for path in files.folder.glob(".writing*")] == [".writing-a"]
    assert files.write("b", CONTENT)
    assert names(files) == ["b"]
    assert list(files.folder.glob(".writing*")) == []


def test_the_last_used_are_kept(tmp_path: Path) -> None:
    """As many and as big as there is room for."""
    files = Files(tmp_path, most_bytes=35_000, most_files=3)
    for number, name in enumerate("abcd"):
        assert files.write(name, CONTENT[:1000])
        os.utime(tmp_path / name, (number, number))
    files.read("b")
    files.write("e", CONTENT[:1000])
    assert names(files) == ["b", "d", "e"]
    for name in "fgh":
        files.write(name, CONTENT)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 35_000
    assert files.read("h") == CONTENT
    assert not files.write("i", CONTENT * 4)


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    """As when it is read-only, or its place taken."""
    (tmp_path / "taken").write_text("")
    files = Files(tmp_path / "taken" / "folder")
    assert not files.write("a", CONTENT)
    assert files.read("a") is None


def test_a_full_folder_is_done_without(files: Files) -> None:
    """What could not be written whole is not there."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))
        assert not files.write("a", CONTENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
        signal.signal(signal.SIGXFSZ, handler)
    assert names(files) == []
    assert files.read("a") is None
