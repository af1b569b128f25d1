"""Obtaining object code: found in the cache or compiled there, and verified.

Each program is a folder that :mod:`hosts.compiler.cache` keeps: an object file, and a manifest that says by which key
it was made and what its bytes come to. Nothing is loaded that does not agree with its manifest; what does not is
removed and made again. A process of its own compiles (:mod:`hosts.compiler.process`).

Why the cache is our own and holds object code: Numba's checks the root's file only, believes what it reads, holds a
bitcode copy besides, and wants Numba imported and the root's Python function made again before it loads; an object file
needs LLVM's loader.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from hosts.compiler.cache import Cache, CacheError, Entry
from hosts.loader.syntax.language import LoaderError, PolicyError
from hosts.rundir import RunFolder, base_folder

OBJECT: Final = "root.o"
MANIFEST: Final = "manifest.json"
PIECES: Final = "pieces.z"

_PATIENCE_SECONDS: Final = 60.0
"""Without progress of the process that builds."""
_TRIES: Final = 3

Progress = Callable[[int, int, str], None]
"""Called as a build goes on: step, number of steps, what is done. Steps of 0: it does not compile (yet)."""


class BuildError(Exception):
    """The program cannot be built."""


@dataclass(frozen=True)
class Wanted:
    """What is to be compiled."""

    maker: str
    """``module:function``; called in the compiling process, it gives a :class:`hosts.compiler.process.Job`."""
    key: Callable[[], str]
    """Return the hash of all that the code depends on, as it is now."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the maker is given besides the key."""


@dataclass
class Built:
    """A compiled program."""

    entry: Entry
    key: str
    from_cache: bool
    seconds: float
    private: RunFolder | None = None
    """Where it lies if the cache could not be written to."""

    @property
    def path(self) -> str:
        """Its folder."""
        return str(self.entry.path)

    def close(self) -> None:
        """Release the cache entry. What has been loaded stays loaded."""
        self.entry.close()
        if self.private is not None:
            self.private.close()


def obtain(wanted: Wanted, cache: Cache, progress: Progress | None = None) -> Built:
    """Return the compiled program, compiled now if need be: into a folder of this process if the cache takes nothing.

    CacheError, LoaderError (PolicyError for the user's rule) or BuildError, each with one clear message.
    """
    report = progress or _ignore
    try:
        return _obtained(wanted, cache, report)
    except CacheError as error:
        folder = _private(error)
        sys.stderr.write(f"pirace: {error}; compiling for this run only\n")
    try:
        made = _obtained(wanted, Cache(folder.path), report)
    except BaseException:
        folder.close()
        raise
    made.private = folder
    return made


def _private(why: CacheError) -> RunFolder:
    try:
        return RunFolder()
    except OSError as error:
        raise CacheError(f"{why}; nor can {base_folder()} ({error.strerror})") from error


def _obtained(wanted: Wanted, cache: Cache, report: Progress) -> Built:
    start = time.perf_counter()
    for _ in range(_TRIES):
        key = wanted.key()
        found, made = _sound(cache, key), None
        if found is None:
            with cache.one_builder(_PATIENCE_SECONDS, lambda: report(0, 0, "waiting for another build")) as alive:
                found = _sound(cache, key)
                made = None if found is not None else _compiled(cache, key, wanted, _both(report, alive))
        entry = found or made
        if entry is not None:
            return Built(entry, key, found is not None, time.perf_counter() - start)
    raise BuildError("the sources change while they are compiled")


def verified(folder: Path, key: str | None = None) -> bytes:
    """Read the object code of a program, of that key if one is given; BuildError if it is not what was made."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        manifest = json.loads((folder / MANIFEST).read_bytes())
        code = (folder / OBJECT).read_bytes()
        if manifest["object"] == hashlib.sha256(code).hexdigest() and key in (None, manifest["key"]):
            return code
    raise BuildError(f"{folder} is damaged")


def _sound(cache: Cache, key: str) -> Entry | None:
    """Return the program of that key; one that is damaged is removed."""
    entry = cache.find(key)
    if entry is None:
        return None
    try:
        verified(entry.path, key)
    except BuildError:
        entry.discard()
        return None
    return entry


def _ignore(_step: int, _steps: int, _what: str) -> None:
    pass


def _both(report: Progress, alive: Callable[[], None] | None) -> Progress:
    def both(step: int, steps: int, what: str) -> None:
        if alive is not None:
            alive()
        report(step, steps, what)

    return both


# --- the process that compiles -----------------------------------------------------------------------------------

# Constants come from imported modules, and Python takes a compiled module for fresh if its source has the same size
# and was changed in the same second. So our own modules are imported from source, the libraries' as usual.
_CHILD: Final = """
import json, sys
path, bare, wanted = json.loads(sys.argv[1])
sys.path[:] = path
import llvmlite.binding, numba.extending, numpy
sys.pycache_prefix, sys.dont_write_bytecode = bare, True
from hosts.compiler import process
process.main(**wanted)
"""


def _compiled(cache: Cache, key: str, wanted: Wanted, report: Progress) -> Entry | None:
    """Compile; None if the sources have changed since the key was made."""
    with cache.building() as folder, tempfile.TemporaryFile(dir=folder) as log:
        given = {
            "folder": str(folder),
            "key": key,
            "maker": wanted.maker,
            "arguments": dict(wanted.arguments),
            "others": [str(path) for path in cache.others()],
        }
        with _child([sys.path, str(folder / "bare"), given], log) as (process, messages):
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
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # those that it has started, too
            process.wait()


def _follow(messages: IO[str], report: Progress) -> str | None:
    """Pass progress on; return the key of what was compiled, or None if the process ended without a word."""
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
        elif "unwritable" in message:
            raise CacheError(message["unwritable"])
        else:
            done: str = message["done"]
            return done
    return None
