"""The time of a cache line between two processors: how near to each other they were when a sample was taken.

The host moves the processors of a rented machine near to each other and apart every few seconds, and everything that
crosses between them costs two to five times as much then. So each sample has a probe beside it.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from typing import Final

import numpy as np

from emu.memory import LINE_BYTES, WORD_BYTES
from hosts.compiler.object_file import Image
from hosts.compiler.unit import Unit
from hosts.native.codegen.intrinsics import load, store

ROUND_TRIPS: Final = 2_000
BURSTS: Final = 7


def ping(word: int, rounds: int) -> int:
    """Write odd numbers, wait for the even one that follows."""
    number = 1
    while number < 2 * rounds:
        store(word, number)
        while load(word) != number + 1:
            pass
        number += 2
    return number


def pong(word: int, rounds: int) -> int:
    """Answer each odd number with the even one that follows."""
    number = 1
    while number < 2 * rounds:
        while load(word) != number:
            pass
        store(word, number + 1)
        number += 2
    return number


class Probe:
    """The compiled probe; calling it gives nanoseconds one way, or None on a machine with one processor."""

    def __init__(self) -> None:
        unit = Unit({"ping": ping, "pong": pong})
        unit.compile()
        self._image = Image(unit.object_code())
        self._words = np.zeros((BURSTS + 1) * LINE_BYTES // WORD_BYTES, np.int64)
        self._word = -(-int(self._words.ctypes.data) // LINE_BYTES) * LINE_BYTES
        self._processors = sorted(os.sched_getaffinity(0))[:2]

    def __call__(self) -> float | None:
        """Measure some bursts; the median is one that nothing got between."""
        if len(self._processors) < 2:  # noqa: PLR2004 - a line goes from one to another
            return None
        self._words[:] = 0
        took: list[float] = []
        answering = threading.Thread(target=self._bursts, args=("pong", self._processors[1], []))
        asking = threading.Thread(target=self._bursts, args=("ping", self._processors[0], took))
        answering.start()
        asking.start()
        asking.join()
        answering.join()
        return statistics.median(took) / ROUND_TRIPS / 2 * 1e9

    def _bursts(self, name: str, processor: int, took: list[float]) -> None:
        os.sched_setaffinity(0, {processor})  # of this thread
        function = self._image.function(name, 2)
        for burst in range(BURSTS):
            start = time.perf_counter()
            function(self._word + burst * LINE_BYTES, ROUND_TRIPS)
            took.append(time.perf_counter() - start)
