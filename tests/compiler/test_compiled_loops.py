"""The loops of the search as a user meets them: two commands at once on an empty cache, a second clone, a damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hosts.compiler.objects import OBJECT
from hosts.explorer.jit import library

TOP = Path(__file__).resolve().parents[2]
TEST = TOP / "tests" / "unit" / "litmus" / "files" / "SB.litmus"

# The loops take 15 s of processor time and are compiled twice; other tests may run on the same two processors.
pytestmark = pytest.mark.timeout(300)

LOADED = """
import sys
from hosts.cli import explore, litmus
from hosts.explorer import refine
from hosts.explorer.counterexample import witness
from hosts.explorer.search import bfs, fair_cycles, trail
print("numba" in sys.modules)
"""


def start(cache: Path, clone: Path = TOP) -> subprocess.Popen[str]:
    """Run a litmus test with the sources of a clone."""
    environment = os.environ | {"PYTHONPATH": str(clone), "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-m", "hosts.cli.main", "litmus", "--no-reduce", str(TEST)]
    return subprocess.Popen(
        command, env=environment, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def told(process: subprocess.Popen[str]) -> tuple[str, bool]:
    """Return what it came to, and whether it compiled."""
    out, err = process.communicate()
    assert "Observation SB Sometimes" in out
    return out, "compiling the search" in err


@pytest.mark.slow
def test_the_loops_are_compiled_once(tmp_path: Path) -> None:
    """By one of two commands, for all clones of the same sources, and again only if what was kept is not whole."""
    cache, clone = tmp_path / "cache", tmp_path / "clone"
    (first, here), (second, there) = [told(each) for each in [start(cache), start(cache)]]
    assert first == second
    assert sorted([here, there]) == [False, True]

    for package in ("emu", "hosts"):
        shutil.copytree(TOP / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    assert told(start(cache, clone)) == (first, False)

    (code,) = (cache / "pirace" / library.FOLDER).glob(f"*/{OBJECT}")
    content = code.read_bytes()
    middle = len(content) // 2
    code.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    assert told(start(cache)) == (first, True)


def test_the_search_starts_without_the_compiler() -> None:
    """What is compiled does not need it."""
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_source_is_there() -> None:
    """The key is read from files that exist, each once."""
    sources = library.sources()
    assert all(path.is_file() for path in sources)
    assert len(set(sources)) == len(sources)
