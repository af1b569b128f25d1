"""What is loaded is what the sources say: after any edit, with two builds at once, with one killed in the middle.

The builds run in a copied tree with a protocol of three functions, so that each takes seconds: most of them for the
host's own functions.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts.compiler.cache import KEPT, Cache, CacheError, Entry

TOP = Path(__file__).resolve().parents[2]

# A build here takes 6 s of processor time; a test makes at most five, other tests may run on the same two processors.
pytestmark = pytest.mark.timeout(180)

PROTOCOL = """
PROTOCOL = ("emu.vectors", "emu.machine", "emu.tiny")
"""
NUMBERS = """
from typing import Final
ANSWER: Final = 11
"""
TINY = """
from emu.machine import Vcpu, machine
from emu.numbers import ANSWER
from emu.waist import mark, peek

def user_kvm_vcpu_trigger_posted_interrupt(vcpu: Vcpu, vec: int) -> None:
    mark(vcpu.requests, vec)

def pcpu_thread() -> None:
    mark(machine().config.pcpus, ANSWER)
    mutable()
    user_kvm_vcpu_trigger_posted_interrupt(machine().vcpus[1], 5)

def mutable() -> None:
    mark(machine().config.vcpus, 20)

def ret_from_fork() -> None:
    mark(machine().config.pcpus, ANSWER)

def common_interrupt() -> None:
    mark(machine().config.pcpus, peek(machine().config.pcpus) + 1)
"""
MUTATIONS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Edit:
    function: str
    find: str
    becomes: str
    occurrence: int = 1

@dataclass(frozen=True)
class Mutation:
    number: int
    name: str
    edits: tuple[Edit, ...]

EDIT = Edit("mutable", "mark(machine().config.vcpus, 20)", "mark(machine().config.vcpus, 21)")
MUTATIONS = (Mutation(1, "more", (EDIT,)),)
"""

ASK = """
import ctypes, json, sys
from pathlib import Path
from hosts.compiler import cache
from hosts.native.memory import region
from hosts.loader.user_code import code_of
from hosts.native.program import build
from hosts.native.memory.addresses import MEMORY_AT
from hosts.native.memory.mapping import words_at

def progress(step, steps, what):
    print(json.dumps([step, steps, what]), flush=True)

try:
    built = build.build(code_of(sys.argv[1]), progress)
except Exception as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
    sys.exit(3)
region.reserve()
region.map_machine(region.SharedMemory().fd)
region.map_doorbell(0)
machine = region.machine()
root = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(build.load(built.path))
words = words_at(MEMORY_AT, machine.nbytes // 8)
def word(at):
    return int(words[(at - MEMORY_AT) // 8])
answers = []
for mutation in (0, 1):
    words[(machine.config.mutation - MEMORY_AT) // 8] = mutation
    root(build.LIVE, 0)
    answers.append([word(machine.config.pcpus), word(machine.config.vcpus), word(machine.vcpus[1].requests)])
root(build.TAKE_INTERRUPT, 0)
print(json.dumps({
    "answers": answers, "interrupted": word(machine.config.pcpus), "from_cache": built.from_cache, "path": built.path,
    "numba_loaded": "numba" in sys.modules,
}))
"""


class Tree:
    """A copy of the sources with a protocol of its own, and a cache."""

    def __init__(self, folder: Path) -> None:
        """Copy."""
        self.folder = folder / "tree"
        self.emu = self.folder / "emu"
        self.cache = folder / "cache"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TOP / "hosts", self.folder / "hosts", ignore=ignored)
        shutil.copytree(TOP / "emu", self.emu, ignore=shutil.ignore_patterns("__pycache__", "mutations"))
        texts = {"__init__": PROTOCOL, "numbers": NUMBERS, "tiny": TINY, "mutations": MUTATIONS}
        for name, text in texts.items():
            (self.emu / f"{name}.py").write_text(text)

    def edit(self, module: str, find: str, becomes: str) -> None:
        """Change one of the sources."""
        path = self.emu / f"{module}.py"
        text = path.read_text()
        assert find in text
        path.write_text(text.replace(find, becomes))

    def start(self, policy: str = "", cache: Path | None = None) -> subprocess.Popen[str]:
        """Build and ask, in a process."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "XDG_CACHE_HOME": str(cache or self.cache)}
        command = [sys.executable, "-c", ASK, policy]
        return subprocess.Popen(command, env=environment, cwd=self.folder, stdout=subprocess.PIPE, text=True)

    def ask(self, policy: str = "", cache: Path | None = None) -> dict[str, Any]:
        """Build and ask."""
        return answer(self.start(policy, cache))

    def programs(self) -> list[Path]:
        """Return the built programs."""
        return [path for path in (self.cache / "pirace").iterdir() if not path.name.startswith(".")]

    def unfinished(self) -> list[Path]:
        """Return the folders of builds that have not come to an end."""
        return list((self.cache / "pirace").glob(".building-*"))

    def compilers(self) -> list[str]:
        """Return the compiling processes that still run a while after they should have noticed that nobody listens."""
        until = time.monotonic() + 30
        while True:
            found = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if self._compiles(path)]
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def _compiles(self, cmdline: Path) -> bool:
        try:
            return str(self.cache).encode() in cmdline.read_bytes()
        except OSError:
            return False


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the last line."""
    lines = process.communicate()[0].splitlines()
    last: dict[str, Any] = json.loads(lines[-1])
    return last


def wait_for_step(process: subprocess.Popen[str], number: int) -> None:
    """Wait until a build has come so far."""
    assert process.stdout is not None
    for line in process.stdout:
        message = json.loads(line)
        assert isinstance(message, list), message
        if message[0] >= number:
            return
    pytest.fail("the build ended early")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make a tree."""
    return Tree(tmp_path)


@pytest.mark.slow
def test_every_edit_is_seen(tree: Tree) -> None:
    """A constant in a dependency, a mutation, the user's rule and a constant in its file: the next answer has it."""
    first = tree.ask()
    assert first["answers"] == [[11, 20, 5], [11, 21, 5]]
    assert first["interrupted"] == 12
    assert not first["from_cache"]
    assert not first["numba_loaded"]
    again = tree.ask()
    assert again["from_cache"]
    assert again["answers"] == first["answers"]

    # One letter within the second: Python's own cache of compiled modules takes the old for fresh.
    numbers = tree.emu / "numbers.py"
    before = numbers.stat()
    tree.edit("numbers", "11", "12")
    os.utime(numbers, ns=(before.st_atime_ns, before.st_mtime_ns))
    tree.edit("mutations", "vcpus, 21", "vcpus, 22")
    assert tree.ask()["answers"] == [[12, 20, 5], [12, 22, 5]]

    rule = tree.folder / "rule.py"
    rule.write_text(
        "from emu.waist import WRITE_ONCE\nMORE = 2\ndef mine(vcpu, vec): WRITE_ONCE(vcpu.requests, vec + MORE)\n"
    )
    mine = tree.ask(f"{rule}:mine")
    assert mine["answers"] == [[12, 20, 7], [12, 22, 7]]
    rule.write_text(rule.read_text().replace("MORE = 2", "MORE = 3"))
    assert tree.ask(f"{rule}:mine")["answers"] == [[12, 20, 8], [12, 22, 8]]

    tree.edit("numbers", "12", "11")
    tree.edit("mutations", "vcpus, 22", "vcpus, 21")
    back = tree.ask()
    assert back["from_cache"]
    assert back["answers"] == first["answers"]


@pytest.mark.slow
def test_two_builds_at_once_and_one_killed(tree: Tree) -> None:
    """The second waits for the first and loads its program; if the first is killed, it goes on by itself."""
    doomed = tree.start()
    wait_for_step(doomed, 5)
    waiting = [tree.start(), tree.start()]
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate()
    answers = [answer(process) for process in waiting]
    assert [each["answers"] for each in answers] == [[[11, 20, 5], [11, 21, 5]]] * 2
    assert sorted(each["from_cache"] for each in answers) == [False, True]
    assert len(tree.programs()) == 1
    assert tree.unfinished() == []
    assert tree.compilers() == []


def test_ctrl_c_leaves_nothing(tree: Tree) -> None:
    """An interrupted build takes its process and its folder with it."""
    process = tree.start()
    wait_for_step(process, 3)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    assert tree.unfinished() == []
    assert tree.programs() == []
    assert tree.compilers() == []


def test_faults_are_one_clear_error(tree: Tree) -> None:
    """A rule that is refused, a rule that cannot be compiled."""
    rule = tree.folder / "rule.py"
    rule.write_text("def mine(vcpu):\n    pass\n")
    refused = tree.ask(f"{rule}:mine")
    assert refused["error"] == "PolicyError"
    assert "rule.py:1" in refused["message"]
    assert tree.ask(f"{tree.folder}/none.py:mine")["error"] == "PolicyError"
    tree.edit("tiny", "peek(machine().config.pcpus) + 1", "peek(machine().config.pcpus) / 1")
    failed = tree.ask()
    assert failed["error"] in {"BuildError", "LoaderError"}
    assert "tiny.py" in failed["message"]


# --- the folder alone --------------------------------------------------------------------------------------------


def put(cache: Cache, key: str) -> None:
    """Put a program there that was last used in the order of the keys."""
    with cache.building() as folder:
        (folder / "root.o").write_text(key)
        cache.keep(folder, key)


@pytest.fixture
def entries(tmp_path: Path) -> Iterator[list[Entry]]:
    """Hold the first two of many programs."""
    cache = Cache(tmp_path)
    held: list[Entry] = []
    for number in range(KEPT + 4):
        put(cache, f"{number:02}")
        os.utime(tmp_path / f"{number:02}", (number, number))
        if number < 2:
            found = cache.find(f"{number:02}")
            assert found is not None
            os.utime(found.path, (number, number))
            held.append(found)
    yield held
    for entry in held:
        entry.close()


def test_old_programs_go_but_never_one_in_use(tmp_path: Path, entries: list[Entry]) -> None:
    """The last used stay, and those that somebody holds."""
    cache = Cache(tmp_path)
    put(cache, "new")
    left = {path.name for path in cache.others()}
    assert {"00", "01"} <= left
    assert len(left) <= KEPT + 2
    entries[0].close()
    put(cache, "newer")
    assert "00" not in {path.name for path in cache.others()}


def test_the_first_of_two_results_stands(tmp_path: Path) -> None:
    """Both builds made the same; nobody's folder is pulled from under him."""
    cache = Cache(tmp_path)
    put(cache, "key")
    held = cache.find("key")
    assert held is not None
    inode = held.path.stat().st_ino
    put(cache, "key")
    assert held.path.stat().st_ino == inode
    held.close()


def test_what_dead_builders_leave_is_swept(tmp_path: Path) -> None:
    """A folder whose lock nobody holds goes at the next build."""
    cache = Cache(tmp_path)
    left = tmp_path / ".building-dead"
    left.mkdir()
    (left / "lock").write_text("")
    with cache.building() as mine:
        assert not left.exists()
        assert mine.exists()
    assert not mine.exists()


def test_a_stopped_builder_does_not_stop_others(tmp_path: Path) -> None:
    """Its lock is waited for, but not for ever."""
    cache = Cache(tmp_path)
    with cache.one_builder(0.0) as first, cache.one_builder(0.1) as second:
        assert first is not None
        assert second is None


def test_a_builder_that_goes_on_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: the patience is for one that gives no sign of life."""
    cache = Cache(tmp_path)
    lock, clock = tmp_path / ".lock", [1e6]
    with contextlib.ExitStack() as building:
        alive = building.enter_context(cache.one_builder(0.0))
        assert alive is not None
        os.utime(lock, (0, 0))
        alive()
        assert lock.stat().st_mtime > 0

        def sleep(_seconds: float) -> None:
            clock[0] += 1
            os.utime(lock, (clock[0], clock[0]))
            if clock[0] == 1e6 + 100:
                building.close()

        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(time, "time", lambda: clock[0])
        with cache.one_builder(2.0) as got:
            assert got is not None
    assert clock[0] == 1e6 + 100


def test_a_file_where_the_folder_belongs(tmp_path: Path) -> None:
    """One error that says what to do, and only when something is to be written."""
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "pirace")
    assert cache.find("key") is None
    assert cache.others() == []
    with pytest.raises(CacheError, match="set XDG_CACHE_HOME"), cache.one_builder(0.0):
        pass
    with pytest.raises(CacheError, match="set XDG_CACHE_HOME"), cache.building():
        pass
