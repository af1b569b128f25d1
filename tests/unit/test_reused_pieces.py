"""What an earlier build has translated is used by the next if it is what was written, to the bit, and no other."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hosts.compiler.link import Piece
from hosts.compiler.objects import MANIFEST, PIECES
from hosts.compiler.process import _pack_pieces, _reusable, _write_folder

TRANSLATED = {"harvest": Piece("ret i64 1", ("max",)), "merge": Piece("ret i64 2")}


def job(base: str = "same", **marks: str) -> Any:
    """Return what is to be compiled, as far as pieces go: the base, and what each function must agree in."""
    return SimpleNamespace(unit=SimpleNamespace(pieces=TRANSLATED), base=base, keepable={"harvest": "a", **marks})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a build that has translated two functions."""
    _write_folder(tmp_path, "key", b"code", _pack_pieces(job(merge="b")))
    return tmp_path


def test_what_agrees_is_used(folder: Path) -> None:
    """Each function that is the same; nothing if the rest is not."""
    assert _reusable([str(folder)], job(merge="b")) == TRANSLATED
    assert _reusable([str(folder)], job(merge="changed")) == {"harvest": TRANSLATED["harvest"]}
    assert _reusable([str(folder)], job("another", merge="b")) == {}


def test_no_bit_of_it_may_differ(folder: Path) -> None:
    """Each bit of the file; nor may it be cut off or be gone."""
    file = folder / PIECES
    sound = file.read_bytes()
    for place in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert _reusable([str(folder)], job(merge="b")) == {}
    for length in (0, 1, len(sound) - 1):
        file.write_bytes(sound[:length])
        assert _reusable([str(folder)], job(merge="b")) == {}
    file.unlink()
    assert _reusable([str(folder)], job(merge="b")) == {}


def test_what_can_be_read_but_was_not_written_by_that_build_is_not_used(folder: Path) -> None:
    """Other code under the same names, sound by itself: only the manifest tells; a folder behind it is looked at."""
    file, other = folder / PIECES, folder / "other"
    stored = json.loads(zlib.decompress(file.read_bytes()))
    other.mkdir()
    _write_folder(other, "key", b"code", file.read_bytes())
    stored["pieces"][0][2] = "ret i64 3"
    file.write_bytes(zlib.compress(json.dumps(stored).encode(), 1))
    assert _reusable([str(folder)], job(merge="b")) == {}
    assert _reusable([str(folder), str(other)], job(merge="b")) == TRANSLATED
    (other / MANIFEST).unlink()
    assert _reusable([str(folder), str(other)], job(merge="b")) == {}
