"""The compiled kernels: one object file, from the cache or compiled now (:mod:`hosts.compiler.objects`).

Loaded without Numba, and when the first of them is called, unless :func:`ready` has been asked for them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from hosts.compiler.array_descriptors import described
from hosts.compiler.cache import Cache, default_folder
from hosts.compiler.fingerprint import environment, hash_of
from hosts.compiler.object_file import Image
from hosts.compiler.objects import Progress, Wanted, obtain, verified
from hosts.sources import source_files

BELOW: Final = (
    *("emu/__init__.py", "emu/memory.py", "emu/waist.py", "hosts/__init__.py", "hosts/sources.py"),
    *(
        "hosts/loader/__init__.py",
        "hosts/loader/syntax/__init__.py",
        "hosts/loader/syntax/language.py",
        "hosts/rundir.py",
        "hosts/explorer/__init__.py",
    ),
)
"""What these and the compiler need to be imported."""

FOLDER: Final = ".explorer"
"""In the user's cache, beside the machine's programs."""

_lock = threading.Lock()


class Loop:
    """A compiled function, called with numbers, arrays and NamedTuples of arrays; a call lets go of the interpreter."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.py_func = function
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> int:
        """Call it."""
        given = [_described(each) for each in arguments]
        numbers = [each if isinstance(each, int) else each.ctypes.data for each in given]
        result: int = self._compiled(*numbers)
        return result

    @functools.cached_property
    def _compiled(self) -> Any:
        return ready().function(self.py_func.__name__, self.py_func.__code__.co_argcount)


def _described(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return described(argument)
    return described((argument,)) if isinstance(argument, np.ndarray) else int(argument)


def ready(progress: Progress | None = None, cache: Cache | None = None) -> Image:
    """Have the loops in this process; compiled now if need be. CacheError or BuildError."""
    with _lock:
        if not _loaded:
            wanted = Wanted("hosts.explorer.compiled.job:job", key)
            built = obtain(wanted, cache or Cache(default_folder() / FOLDER), progress)
            try:
                _loaded.append(Image(verified(Path(built.path), built.key)))
            finally:
                built.close()
        return _loaded[0]


_loaded: list[Image] = []


def key() -> str:
    """Return the hash of all that the compiled loops depend on."""
    parts = [part for path in sources() for part in (path.name.encode(), path.read_bytes())]
    return hash_of([*environment(), *parts])


def sources() -> list[Path]:
    """Return the files of ours that the key covers: the kernels, what compiles them, and what these import."""
    files = source_files("emu", "hosts", "hosts/loader", "hosts/explorer")
    folders = source_files("hosts/compiler", "hosts/explorer/jit", "hosts/explorer/compiled")
    return [*folders.values(), *(files[name] for name in BELOW)]
