"""Compiles the program when it has to, in a process of its own, and loads it.

:func:`build` gives the place of the compiled program, from the cache if it is there. :func:`load` is what the fork
server calls: it reads one object file, proves that it is the one, and gives the root's address.

Why the cache is our own and holds object code: Numba's checks the root's file only, holds a bitcode copy besides, and
wants Numba imported and the root's Python function made again before it loads; an object file needs LLVM's loader.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from hosts.language import LoaderError, PolicyError
from hosts.native import symbols
from hosts.native.cache import Cache, Entry
from hosts.native.fingerprint import key_of
from hosts.native.image import Image

OBJECT: Final = "root.o"
MANIFEST: Final = "manifest.json"
PIECES: Final = "pieces.z"
ROOT: Final = "pcpu_main"
"""The exported function ``int64 pcpu_main(int64 role, int64 argument)``."""
TAKE_INTERRUPT, LIVE, PROVE = range(3)
"""Its roles: take one pending interrupt; live the life of a pCPU in a run; tell which program this is."""

LOADER: Final = "hosts.native.build:load"
"""For the fork server: call this with the built program's path."""

_PATIENCE_SECONDS: Final = 60.0
_TRIES: Final = 3

Progress = Callable[[int, int, str], None]
"""Called as the build goes on: step, number of steps, what is done."""


class BuildError(Exception):
    """The program cannot be built."""


@dataclass
class Built:
    """A compiled program."""

    entry: Entry
    key: str
    from_cache: bool
    seconds: float

    @property
    def path(self) -> str:
        """What :func:`load` is called with."""
        return str(self.entry.path)

    def close(self) -> None:
        """Let the cache remove it. What has been loaded stays loaded."""
        self.entry.close()


def build(user_policy: str | None = None, progress: Progress | None = None, cache: Cache | None = None) -> Built:
    """Give the compiled program with the user's rule (``file.py:function``), compiled now if need be.

    CacheError, LoaderError (PolicyError for the user's rule) or BuildError, each with one clear message.
    """
    start = time.perf_counter()
    cache = cache or Cache()
    report = progress or _ignore
    for _ in range(_TRIES):
        key = _key(user_policy)
        found, made = _sound(cache, key), None
        if found is None:
            with cache.one_builder(_PATIENCE_SECONDS, lambda: report(0, 0, "waiting for another build")):
                found = _sound(cache, key)
                made = None if found is not None else _compiled(cache, key, user_policy, report)
        entry = found or made
        if entry is not None:
            return Built(entry, key, found is not None, time.perf_counter() - start)
    raise BuildError("the sources change while they are compiled")


def load(path: str) -> int:
    """Load a compiled program into this process for good; gives the address of its root."""
    folder = Path(path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    code = (folder / OBJECT).read_bytes()
    if hashlib.sha256(code).hexdigest() != manifest["object"]:
        raise BuildError(f"{folder} is damaged")
    image = Image(code, symbols.symbols())
    _loaded.append(image)
    if image.function(ROOT, 2)(PROVE, 0) != number_of(manifest["key"]):
        raise BuildError(f"{folder} holds another program than its name says")
    return image.address(ROOT)


_loaded: list[Image] = []


def number_of(key: str) -> int:
    """Give the number by which a compiled program tells what it was made from."""
    return int(key[:15], 16)


def _ignore(_step: int, _steps: int, _what: str) -> None:
    pass


def _key(user_policy: str | None) -> str:
    try:
        return key_of(user_policy)[1]
    except OSError:
        from hosts.loader import load_program

        load_program(user_policy)  # knows how to say what is wrong with the rule
        raise


def _sound(cache: Cache, key: str) -> Entry | None:
    """Give the program of that key; one that a crash of the machine has damaged is removed."""
    entry = cache.find(key)
    if entry is None:
        return None
    with contextlib.suppress(OSError, ValueError, KeyError):
        manifest = json.loads((entry.path / MANIFEST).read_text(encoding="utf-8"))
        if hashlib.sha256((entry.path / OBJECT).read_bytes()).hexdigest() == manifest["object"]:
            return entry
    entry.discard()
    return None


# --- the process that compiles -----------------------------------------------------------------------------------

# Constants come from imported modules, and Python takes a compiled module for fresh if its source has the same size
# and was changed in the same second. So our own modules are imported from source, the libraries' as usual.
_CHILD: Final = """
import json, sys
path, bare, wanted = json.loads(sys.argv[1])
sys.path[:] = path
import llvmlite.binding, numba.extending, numpy, zmq
sys.pycache_prefix, sys.dont_write_bytecode = bare, True
from hosts.native import compilation
compilation.main(**wanted)
"""


def _compiled(cache: Cache, key: str, user_policy: str | None, report: Progress) -> Entry | None:
    """Compile; None if the sources have changed since the key was made."""
    with cache.building() as folder, tempfile.TemporaryFile() as log:
        wanted = {
            "folder": str(folder),
            "key": key,
            "user_policy": user_policy,
            "others": [str(path) for path in cache.others()],
        }
        with _child([sys.path, str(folder / "bare"), wanted], log) as (process, messages):
            outcome = _follow(messages, report)
            code = process.wait()
        if outcome is None:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise BuildError("\n".join([f"the compiling process ended with {how}", *lines[-20:]]))
        if outcome != key:
            return None
        cache.keep(folder, key)
    return cache.find(key)


@contextlib.contextmanager
def _child(argument: list[Any], log: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], IO[str]]]:
    """Run the compiling process. It ends with this one: its next message finds nobody to read it."""
    reading, writing = os.pipe()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON"))}
    environment["PIRACE_BUILD_PIPE"] = str(writing)
    with open(reading, encoding="utf-8") as messages:  # noqa: PTH123 - a pipe
        try:
            process = subprocess.Popen(  # noqa: S603 - this Python, our own module
                [sys.executable, "-I", "-c", _CHILD, json.dumps(argument)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                env=environment,
                start_new_session=True,  # Ctrl-C is for this process, which ends the other
            )
        finally:
            os.close(writing)
        try:
            yield process, messages
        finally:
            process.kill()
            process.wait()


def _follow(messages: IO[str], report: Progress) -> str | None:
    """Pass progress on; give the key of what was compiled, or None if the process ended without a word."""
    furthest = 0
    for line in messages:
        message = json.loads(line)
        if "step" in message:
            step, steps, what = message["step"]  # from several processes, each of which reckons for all
            furthest = max(furthest, step)
            report(furthest, steps, what)
        elif "refused" in message:
            kind = PolicyError if message["users"] else LoaderError
            raise kind(*message["refused"])
        elif "failed" in message:
            raise BuildError(message["failed"])
        else:
            done: str = message["done"]
            return done
    return None
