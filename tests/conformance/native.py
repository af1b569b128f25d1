"""The native host under the conformance suite: compiled code in this process."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from emu import waist
from emu.machine import Machine
from emu.memory import Word
from emu.waist import switch_to
from hosts.native.codegen.intrinsics import load, pause, rdtsc, store
from hosts.native.codegen.symbols import symbols
from hosts.native.memory.layout import Ring
from hosts.native.memory.private_words import Local
from hosts.native.runtime import tasks, trace_ring
from tests.compiled import Compiled
from tests.conformance.primitives import DOES_NOT, DRAINS, FUNCTIONS, SWITCHES

# --- what a primitive means --------------------------------------------------------------------------------------

LOCAL_WORDS = (Local.nbytes + Ring.nbytes) // 8
AROUND = range(-8, 16)
"""The words that are compared after each call, counted from the first argument; the whole machine is at the end."""


@functools.cache
def compiled() -> Compiled:
    """Compile all functions over a machine; its events go elsewhere."""
    made = Compiled(FUNCTIONS, Machine.nbytes // 8, {waist.trace: trace_ring.trace}, LOCAL_WORDS)
    made.local[Local(0).ring_at // 8] = made.local.ctypes.data + Local.nbytes
    return made


class Words:
    """Calls the suite's functions."""

    every = 1

    def __init__(self, name: str) -> None:
        """Take one of the functions."""
        self.program = compiled()
        self.index = int(Machine(0).vcpus[1].pi_desc.pir[0]) // 8
        self.around = slice(self.index + AROUND.start, self.index + AROUND.stop)
        self.function = getattr(self.program, name)

    def call(self, words: Sequence[int], a: int, b: int) -> tuple[int, dict[int, int]]:
        """Return the result, and the words around the first argument."""
        self.program.words[self.index : self.index + len(words)] = words
        result = self.function(self.program.base + self.index * 8, a, b)
        return result, dict(zip(AROUND, self.program.words[self.around].tolist(), strict=True))

    def end(self) -> None:
        """No call has changed anything else."""
        self.program.words[self.around] = 0
        assert not self.program.words.any()


# --- which ones drain the store buffer ---------------------------------------------------------------------------

ROUNDS = 20_000
"""On two processors a third to nine tenths of the rounds of the unfenced shape show it (peers measured); that one of
20,000 does not is no matter of luck."""
LINE = 16
"""Words between two that must not share a cache line (and its neighbour, which is fetched along)."""
X, SCRATCH, RING = 0, 4 * LINE, 8192 + 2 * ROUNDS + 64

SIDE = """
def {name}(base: int, side: int, rounds: int) -> int:
    mine = base + {x} * 8 + side * {line} * 8
    other = base + {x} * 8 + (1 - side) * {line} * 8
    scratch = base + {scratch} * 8 + side * 8 * {line} * 8
    for number in range(1, rounds + 1):
        meet(base, side, number)
        WRITE_ONCE(mine, number)
        {operation}
        seen = READ_ONCE(other)
        note(base, side, number, seen)
    return 0
"""


def meet(base: int, side: int, number: int) -> int:
    """Wait for the other side, then for one moment of the clock that both know."""
    mine, other = base + 8 * (4096 + 16 * side), base + 8 * (4096 + 16 * (1 - side))
    store(mine, number)
    while load(other) < number:
        pause()
    if side == 0:
        store(base + 8 * 4160, rdtsc() + 600)
        store(base + 8 * 4161, number)
    while load(base + 8 * 4161) < number:
        pause()
    start = load(base + 8 * 4160)
    while rdtsc() < start:
        pass
    return 0


def note(base: int, side: int, number: int, seen: int) -> int:
    """Keep whether this side missed the other's write of this round."""
    store(base + 8 * (8192 + 2 * number + side), 1 if seen < number else 0)
    return 0


def side_of(name: str, operation: str) -> FunctionType:
    """Make one side of the shape around an operation of the waist."""
    namespace: dict[str, Any] = {**vars(waist), "meet": meet, "note": note, "__name__": __name__}
    source = SIDE.format(name=name, operation=operation, x=X, line=LINE, scratch=SCRATCH)
    exec(compile(source, __file__, "exec"), namespace)  # noqa: S102 - the shape, around each primitive in turn
    made = namespace[name]
    assert isinstance(made, FunctionType)
    return made


OPERATIONS = (*DRAINS.values(), *DOES_NOT.values(), *SWITCHES.values())
NAMES = {operation: f"side{number}" for number, operation in enumerate(OPERATIONS)}


def other_task(own: int, other: int) -> int:
    """Switch back whenever switched to."""
    while True:
        switch_to(Word(own), Word(other))


@functools.cache
def sides() -> Compiled:
    """Compile the shape around each operation."""
    shapes = {name: side_of(name, operation) for operation, name in NAMES.items()}
    made = Compiled(
        {**shapes, "other_task": other_task},
        RING + 4096,
        {waist.trace: trace_ring.trace, switch_to: tasks.switch_to},
        symbols=symbols(),
    )
    made.local[Local(0).ring_at // 8] = made.base + 8 * RING
    return made


STACK_WORDS = 4096


def fresh(stack: npt.NDArray[np.int64], function: int, first: int, second: int) -> int:
    """Return the context of a task that begins in a function of two arguments."""
    end = stack.ctypes.data // 16 * 16 + 8 * stack.size - 16
    begin = end // 8 - stack.ctypes.data // 8 - 4
    stack[begin : begin + 4] = (function, first, second, 0)
    return end - 32


def both_missed(operation: str) -> bool:
    """Let two threads race; return whether there was a round in which neither saw the other's write."""
    compiled = sides()
    compiled.words[:] = 0
    side = getattr(compiled, NAMES[operation])
    stacks = [np.zeros(STACK_WORDS, np.int64) for _ in range(2)]
    for number, stack in enumerate(stacks):
        own = compiled.base + 8 * (SCRATCH + 8 * LINE * number)
        compiled.words[own // 8 + 1 - compiled.base // 8] = fresh(stack, compiled.address("other_task"), own + 8, own)

    def race(number: int, processor: int) -> None:
        os.sched_setaffinity(0, {processor})  # each has its own: on a busy machine both might be given the same one
        side(compiled.base, number, ROUNDS)

    processors = sorted(os.sched_getaffinity(0))[:2]
    threads = [threading.Thread(target=race, args=each) for each in enumerate(processors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = compiled.words[8194 : 8194 + 2 * ROUNDS].reshape(ROUNDS, 2)
    return bool((seen[:, 0] & seen[:, 1]).any())
