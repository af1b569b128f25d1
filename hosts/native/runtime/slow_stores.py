# mypy: allow-untyped-calls

"""Slow stores: they fill the store buffer, so that later stores become visible late while loads go ahead.

A store of x86 is seen by others when it leaves the store buffer, in order. Most find their line in the first cache and
leave at once; then the lack of a barrier hardly ever shows, least of all between two processors that share a cache.
So, before a race, lines of this process's own are dropped from all caches and then written: until they have come from
memory, every later store waits. (Measured on the barrier of VM-entry: sighted in 0.1 % of rounds without, in 7 to 20 %
with eight such lines, wherever the two processors are.)
"""

from __future__ import annotations

from typing import Any, Final

from numba import types

from emu.memory import LINE_BYTES, WORD_BYTES
from hosts.compiler.emit import POINTER, VOID, declared, give_meaning, pointer
from hosts.native.codegen.intrinsics import store
from hosts.native.memory.private_words import BALLAST_LINES, Local

LINE_WORDS: Final = LINE_BYTES // WORD_BYTES


def flush(address: int) -> None:  # noqa: ARG001 - its name and signature; the code is below
    """Drop a line from all caches; exists in compiled code only."""
    raise RuntimeError("this operation exists in compiled code only")


def _clflush(builder: Any, address: Any) -> None:
    builder.call(declared(builder, "llvm.x86.sse2.clflush", VOID, POINTER), [pointer(builder, address)])


give_meaning(flush, 1, _clflush, result=types.void)


def prepare_slow_stores(local: Local) -> None:
    """Flush the lines from the caches, some time before they are written."""
    for line in range(BALLAST_LINES):
        flush(local.ballast[line * LINE_WORDS])


def slow_stores(local: Local) -> None:
    """Write to the flushed lines."""
    for line in range(BALLAST_LINES):
        store(local.ballast[line * LINE_WORDS], line)
