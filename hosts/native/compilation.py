"""The process that compiles: started by :mod:`hosts.native.build`, talks to it through a pipe, may be killed any time.

What it makes is complete when it says so; the other side gives the folder its name. Functions that have not changed
since an earlier build are not translated again: a user who edits a rule waits for the rule and for LLVM.
"""

from __future__ import annotations

import dis
import gc
import hashlib
import json
import os
import pickle
import sys
import traceback
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Final

from hosts.language import LoaderError, PolicyError
from hosts.loader import Program, load_program
from hosts.native import fingerprint, program, symbols
from hosts.native.build import MANIFEST, OBJECT, PIECES, number_of
from hosts.native.unit import CompileError, Piece, Progress, Unit

_DEPTH: Final = 10_000
"""Numba's passes recurse; a protocol function is small, but who knows a user's."""
_LAST_STEPS: Final = 2
_MOST_WORKERS: Final = 4
"""More would wait for LLVM, which has one processor's work with the whole."""


def main(folder: str, key: str, user_policy: str | None, others: Sequence[str]) -> None:
    """Compile into ``folder`` and say how it went."""
    pipe = int(os.environ["PIRACE_BUILD_PIPE"])
    sys.setrecursionlimit(_DEPTH)
    gc.disable()  # saves a tenth of the time; what Numba leaves behind in this process is some 50 MB
    try:
        message: dict[str, object] = {"done": _compile(Path(folder), key, user_policy, others, pipe)}
    except LoaderError as error:
        message = {"refused": (error.file, error.line, error.reason), "users": isinstance(error, PolicyError)}
    except CompileError as error:
        message = {"failed": str(error)}
    _say(pipe, message)


def _say(pipe: int, message: dict[str, object]) -> None:
    os.write(pipe, (json.dumps(message) + "\n").encode())


def _compile(folder: Path, key: str, user_policy: str | None, others: Sequence[str], pipe: int) -> str:
    def step(number: int, count: int, what: str) -> None:
        _say(pipe, {"step": (number, count + _LAST_STEPS, what)})

    loaded = load_program(user_policy)
    unit = program.unit_of(loaded, number_of(key))
    keepable = _keepable(unit, loaded)
    base, _ = fingerprint.key_of(user_policy)
    _translate(unit, step, _kept(others, base, keepable))
    count = len(unit.functions)
    step(count + 1, count, "optimising")
    named = symbols.symbols()
    code = unit.object_code({name: named[name] for name in program.FIXED}, named)
    step(count + 2, count, "writing")
    pieces = {symbol: (mark, unit.pieces[symbol]) for symbol, mark in keepable.items()}
    _write(folder / PIECES, _packed(base, pieces))
    _write(folder / OBJECT, code)
    manifest = {"key": key, "object": hashlib.sha256(code).hexdigest(), "policy": user_policy}
    _write(folder / MANIFEST, json.dumps(manifest).encode())
    return fingerprint.key_of(user_policy)[1]


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


# --- on several processors ---------------------------------------------------------------------------------------


def _translate(unit: Unit, step: Progress, kept: Mapping[str, Piece]) -> None:
    """Translate with a process for each processor: a call needs no more of the callee than its annotations."""
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    pipes = [_worker(unit, step, kept, (index, workers)) for index in range(1, workers)]
    unit.compile(step, kept, (0, workers))
    for pipe in pipes:
        with open(pipe, "rb") as file:  # noqa: PTH123 - a pipe
            result = pickle.load(file)  # noqa: S301 - from our own child
        if isinstance(result, CompileError):
            raise result
        unit.pieces |= result


def _worker(unit: Unit, step: Progress, kept: Mapping[str, Piece], share: tuple[int, int]) -> int:
    """Start one; gives the pipe out of which its pieces come. If nobody reads its progress any more, it ends."""
    reading, writing = os.pipe()
    if os.fork() != 0:
        os.close(writing)
        return reading
    try:
        result: dict[str, Piece] | CompileError
        try:
            unit.compile(step, kept, share)
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


def _keepable(unit: Unit, loaded: Program) -> dict[str, str]:
    """Give the functions whose translation another program may use, each with what it must agree in.

    All sources but the user's are the same by the key. So what may differ is the user's functions, what the pass over
    the source makes of the others (site numbers), and how the user's functions are called.
    """
    own_files = fingerprint.own_files()
    users = {
        function
        for function in unit.functions.values()
        if os.path.realpath(function.__code__.co_filename) not in own_files
    }
    keepable: dict[str, str] = {}
    for symbol, function in unit.functions.items():
        if function in users or function.__code__.co_name == "pcpu_main" or _called(function) & users:
            continue
        own = loaded.functions.get(function.__name__)
        is_loaded = own is not None and own.__code__ is function.__code__
        keepable[symbol] = _mark(loaded.source(function.__name__) if is_loaded else "")
    return keepable


def _called(function: FunctionType) -> set[FunctionType]:
    names = {str(item.argval) for item in dis.get_instructions(function) if item.opname == "LOAD_GLOBAL"}
    values = [function.__globals__.get(name) for name in names]
    return {value for value in values if isinstance(value, FunctionType)}


def _mark(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def _packed(base: str, pieces: dict[str, tuple[str, Piece]]) -> bytes:
    rows = [(symbol, mark, piece.text, piece.helpers) for symbol, (mark, piece) in pieces.items()]
    return zlib.compress(json.dumps({"base": base, "pieces": rows}).encode(), 1)


def _kept(others: Sequence[str], base: str, keepable: dict[str, str]) -> dict[str, Piece]:
    """Read what may be used from the last program that has the same base."""
    for other in others:
        try:
            stored = json.loads(zlib.decompress((Path(other) / PIECES).read_bytes()))
            if stored["base"] == base:
                rows = stored["pieces"]
                return {row[0]: Piece(row[2], tuple(row[3])) for row in rows if keepable.get(row[0]) == row[1]}
        except (OSError, ValueError, KeyError, zlib.error):
            continue
    return {}
