"""Slow stores: they fill the store buffer, so that later stores become visible late while loads go ahead.

A store of x86 is seen by others when it leaves the store buffer, in order. Most find their line in the first cache and
leave at once; then the lack of a barrier hardly ever shows, least of all between two processors that share a cache.
So, before a race, lines of this process's own are dropped from all caches and then written: until they have come from
memory, every later store waits. (Measured on the barrier of VM-entry: sighted in 0.1 % of rounds without, in 7 to 20 %
with eight such lines, wherever the two processors are.)
"""

from __future__ import annotations

from typing import Final

from emu.memory import LINE_BYTES, WORD_BYTES
from hosts.native.codegen.intrinsics import clflush, store
from hosts.native.memory.private_words import SLOW_LINES, Local

LINE_WORDS: Final = LINE_BYTES // WORD_BYTES


def prepare_slow_stores(local: Local) -> None:
    """Flush the lines from the caches, some time before they are written."""
    for line in range(SLOW_LINES):
        clflush(local.slow_lines[line * LINE_WORDS])


def slow_stores(local: Local) -> None:
    """Write to the flushed lines."""
    for line in range(SLOW_LINES):
        store(local.slow_lines[line * LINE_WORDS], line)
