"""What the process that compiles is to make of the loops."""

from __future__ import annotations

import os
from typing import Final

from hosts.compiler.process import Job
from hosts.compiler.unit import Unit
from hosts.explorer.compiled import backward, hash_table, scc, successors
from hosts.explorer.jit import library
from hosts.explorer.jit import lowering as _lowering  # noqa: F401 - registers what the operations mean

LEVEL: Final = 1
"""What LLVM does beyond that takes as long again, and the loops search no faster for it: they wait for memory."""


def job(_key: str) -> Job:
    """Return the loops that Python calls, and all that they call."""
    sources = frozenset(os.path.realpath(path) for path in library.sources())
    return Job(unit=unit(), key=library.key, sources=sources, level=LEVEL)


def unit() -> Unit:
    """Return them as one unit."""
    values = [value for module in (successors, hash_table, backward, scc) for value in vars(module).values()]
    return Unit({value.py_func.__name__: value for value in values if isinstance(value, library.Loop)}, unrolled=False)
