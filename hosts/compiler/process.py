"""The process that compiles: started by :mod:`hosts.compiler.objects`, talks to it through a pipe, may be killed.

What it makes is complete when it says so; the other side gives the folder its name. Functions that have not changed
since an earlier build need not be translated again: a user who edits a rule waits for the rule and for LLVM.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import os
import pickle
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hosts.compiler.link import Piece
from hosts.compiler.objects import MANIFEST, OBJECT, PIECES
from hosts.compiler.signatures import CompileError
from hosts.compiler.unit import Progress, Unit
from hosts.loader.syntax.language import LoaderError, PolicyError

_DEPTH: Final = 10_000
"""Numba's passes recurse; a protocol function is small, but who knows a user's."""
_LAST_STEPS: Final = 2
_MOST_WORKERS: Final = 4
"""More would wait for LLVM, which has one processor's work with the whole."""
_NUMBER_BYTES: Final = 2
_NO_NUMBER: Final = 0xFFFF


@dataclass(frozen=True)
class Job:
    """What is to be compiled."""

    unit: Unit
    key: Callable[[], str]
    """Return the key of the sources as they are now."""
    sources: frozenset[str]
    """The files of ours that the key covers."""
    addresses: Mapping[str, int] = field(default_factory=dict)
    """External symbols that are the same in every process."""
    symbols: Mapping[str, int] = field(default_factory=dict)
    """All that the object file may name."""
    level: int = 2
    """How hard LLVM tries."""
    base: str = ""
    """What an earlier build must have been made from for its pieces to be of use."""
    keepable: Mapping[str, str] = field(default_factory=dict)
    """By symbol of a function that such a build may have translated: what it must agree in."""


def main(folder: str, key: str, maker: str, arguments: Mapping[str, Any], others: Sequence[str]) -> None:
    """Compile into ``folder`` and say how it went."""
    pipe = int(os.environ["PIRACE_BUILD_PIPE"])
    sys.setrecursionlimit(_DEPTH)
    gc.disable()  # saves a tenth of the time; what Numba leaves behind in this process is some 50 MB
    module, _, function = maker.partition(":")
    try:
        job: Job = getattr(importlib.import_module(module), function)(key, **arguments)
        code, pieces = _compile(job, others, pipe)
        _write_folder(Path(folder), key, code, pieces)
        message: dict[str, object] = {"done": job.key()}
    except LoaderError as error:
        message = {"refused": (error.file, error.line, error.reason), "users": isinstance(error, PolicyError)}
    except CompileError as error:
        message = {"failed": str(error)}
    except _UnwritableError as error:
        message = {"unwritable": str(error)}
    _report(pipe, message)


def _report(pipe: int, message: dict[str, object]) -> None:
    os.write(pipe, (json.dumps(message) + "\n").encode())


def _compile(job: Job, others: Sequence[str], pipe: int) -> tuple[bytes, bytes]:
    """Return the object file, and the pieces that a later build may use."""

    def step(number: int, count: int, what: str) -> None:
        _report(pipe, {"step": (number, count + _LAST_STEPS, what)})

    unit, count = job.unit, len(job.unit.functions)
    _translate(unit, step, _reusable(others, job))
    step(count + 1, count, "optimising")
    code = unit.object_code(job.addresses, job.symbols, level=job.level)
    step(count + 2, count, "writing")
    _check_sources(job.sources)
    return code, _pack_pieces(job)


def _check_sources(sources: frozenset[str]) -> None:
    """Refuse code that a module has a part in which the key knows nothing of."""
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("emu", "hosts")]
    files = {os.path.realpath(module.__file__) for module in ours if module.__file__}
    if files - sources:
        raise CompileError(f"the key does not cover {', '.join(sorted(files - sources))}")


# --- the folder --------------------------------------------------------------------------------------------------


class _UnwritableError(Exception):
    """The cache takes nothing more."""


def _write_folder(folder: Path, key: str, code: bytes, pieces: bytes) -> None:
    manifest = {"key": key, "object": _digest(code), "pieces": _digest(pieces)}
    try:
        _write(folder / PIECES, pieces)
        _write(folder / OBJECT, code)
        _write(folder / MANIFEST, json.dumps(manifest).encode())
    except OSError as error:
        raise _UnwritableError(
            f"compiled programs are kept in {folder.parent}, which takes no more ({error})"
        ) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- on several processors ---------------------------------------------------------------------------------------


def _translate(unit: Unit, step: Progress, kept: Mapping[str, Piece]) -> None:
    """Translate with a process for each processor: a call needs no more of the callee than its annotations."""
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    numbers = _shared_numbers(len(unit.functions))
    pipes = [_worker(unit, step, kept, numbers) for _ in range(1, workers)]
    unit.compile(step, kept, numbers)
    for pipe in pipes:
        with open(pipe, "rb") as file:  # noqa: PTH123 - a pipe
            result = pickle.load(file)  # noqa: S301 - from our own child
        if isinstance(result, CompileError):
            raise result
        unit.pieces |= result


def _shared_numbers(count: int) -> Iterator[int]:
    """Return the numbers from 0 up, each to the first of the processes forked from here on that asks for it.

    They lie in a pipe, out of which each read takes a whole number.
    """
    reading, writing = os.pipe()
    with open(writing, "wb") as file:  # noqa: PTH123 - a pipe
        file.write(b"".join(number.to_bytes(_NUMBER_BYTES) for number in range(count)))
    return iter(lambda: int.from_bytes(os.read(reading, _NUMBER_BYTES) or b"\xff" * _NUMBER_BYTES), _NO_NUMBER)


def _worker(unit: Unit, step: Progress, kept: Mapping[str, Piece], numbers: Iterable[int]) -> int:
    """Start one; return the pipe out of which its pieces come. If nobody reads its progress any more, it ends."""
    reading, writing = os.pipe()
    if os.fork() != 0:
        os.close(writing)
        return reading
    try:
        result: dict[str, Piece] | CompileError
        try:
            unit.compile(step, kept, numbers)
            result = unit.pieces
        except CompileError as error:
            result = error
        with open(writing, "wb") as file:  # noqa: PTH123 - a pipe
            pickle.dump(result, file)
    except BaseException:  # noqa: BLE001 - the parent finds the pipe empty and this in the log
        traceback.print_exc()
    finally:
        os._exit(0)


# --- what an earlier build has translated ------------------------------------------------------------------------


def _pack_pieces(job: Job) -> bytes:
    pieces = [(symbol, mark, job.unit.pieces[symbol]) for symbol, mark in job.keepable.items()]
    rows = [(symbol, mark, piece.text, piece.helpers) for symbol, mark, piece in pieces]
    return zlib.compress(json.dumps({"base": job.base, "pieces": rows}).encode(), 1)


def _reusable(others: Sequence[str], job: Job) -> dict[str, Piece]:
    """Read what may be used from the last program that has the same base."""
    for other in others if job.keepable else ():
        try:
            content = (Path(other) / PIECES).read_bytes()
            if json.loads((Path(other) / MANIFEST).read_bytes())["pieces"] != _digest(content):
                continue
            stored = json.loads(zlib.decompress(content))
            if stored["base"] == job.base:
                rows = stored["pieces"]
                return {row[0]: Piece(row[2], tuple(row[3])) for row in rows if job.keepable.get(row[0]) == row[1]}
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            continue
    return {}
