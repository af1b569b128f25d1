"""The compiled program of a pCPU: the protocol with the user's code.

:func:`build` returns the compiled program, from the cache if it is there. :func:`load` is what the fork
server calls: it loads one object file, checks that it is the one wanted, and returns the root's address.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from hosts.compiler.cache import Cache
from hosts.compiler.fingerprint import key_of
from hosts.compiler.object_file import Image
from hosts.compiler.objects import MANIFEST, BuildError, Built, Progress, Wanted, obtain, verified
from hosts.loader.user_code import UserCode
from hosts.native.codegen import symbols

ROOT: Final = "pcpu_main"
"""The exported function ``int64 pcpu_main(int64 role, int64 argument)``."""
TAKE_INTERRUPT, LIVE, PROVE, TASK = range(4)
"""Its roles: take one pending interrupt; the main loop of a pCPU; return which program this is; a task."""

LOADER: Final = "hosts.native.program.build:load"
"""For the fork server: call this with the built program's path."""


def build(code: UserCode | None = None, progress: Progress | None = None, cache: Cache | None = None) -> Built:
    """Return the compiled program with the user's code, compiled now if need be.

    CacheError, LoaderError (PolicyError for the user's code) or BuildError, each with one clear message.
    """
    readings = _readings(code)
    arguments = {"code": msgspec.to_builtins(code.spec) if code is not None else None}
    wanted = Wanted("hosts.native.program.job:job", lambda: _key(next(readings)), arguments)
    return obtain(wanted, cache or Cache(), progress)


def load(path: str) -> int:
    """Load a compiled program into this process for good; return the address of its root."""
    folder = Path(path)
    code = verified(folder)
    key = json.loads((folder / MANIFEST).read_bytes())["key"]
    image = Image(code, symbols.symbols())
    _loaded.append(image)
    if image.function(ROOT, 2)(PROVE, 0) != number_of(key):
        raise BuildError(f"{folder} holds another program than its name says")
    return image.address(ROOT)


_loaded: list[Image] = []


def number_of(key: str) -> int:
    """Return the number by which a compiled program identifies what it was made from."""
    return int(key[:15], 16)


def _readings(code: UserCode | None) -> Iterator[UserCode | None]:
    """Return the code as it was read, then as it is now: a compiling process that found it changed is started again."""
    yield code
    while True:
        yield code.read_again() if code is not None else None


def _key(code: UserCode | None) -> str:
    try:
        return key_of(code)[1]
    except OSError:
        from hosts.loader.program import load_program

        load_program(code)  # knows how to say what is wrong with it
        raise


__all__ = ["BuildError", "Built", "Progress", "build", "load"]
