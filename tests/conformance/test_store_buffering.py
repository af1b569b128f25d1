"""Which primitives drain the store buffer, seen on the machine itself.

The shape is store buffering. Each side writes its own word, does the primitive under test, and reads the other's; both
reading 0 means that both writes waited in a store buffer. Where the primitive drains, that must never be seen; where it
does not, it must be seen, or nothing was tested. The sides are written against the waist alone; a host is whatever
counts how often both missed each other, so a host that explores runs this same suite.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from emu import waist
from hosts.native import ring
from hosts.native.layout import Local
from hosts.native.ops import load, pause, rdtsc, store
from tests.compiled import Compiled

pytestmark = pytest.mark.timeout(120)

ROUNDS = 20_000
"""On two processors a third to nine tenths of the rounds of the unfenced shape show it (peers measured); that one of
20,000 does not is no matter of luck."""
LINE = 16
"""Words between two that must not share a cache line (and its neighbour, which is fetched along)."""
X, SCRATCH, RING = 0, 4 * LINE, 8192 + 2 * ROUNDS + 64

DRAINS = {
    "smp_mb": "smp_mb()",
    "xchg": "xchg(scratch, 1)",
    "cmpxchg that succeeds": "cmpxchg(scratch, READ_ONCE(scratch), 1)",
    "cmpxchg that fails": "cmpxchg(scratch, 77, 1)",
    "test_and_set_bit of a set bit": "test_and_set_bit(0, scratch)",
    "test_and_set_bit": "test_and_set_bit(63, scratch)",
    "test_and_clear_bit": "test_and_clear_bit(63, scratch)",
    "set_bit": "set_bit(1, scratch)",
    "clear_bit": "clear_bit(1, scratch)",
    "atomic_inc": "atomic_inc(scratch)",
}
DOES_NOT = {
    "nothing": "pass",
    "smp_wmb": "smp_wmb()",
    "smp_rmb": "smp_rmb()",
    "READ_ONCE": "READ_ONCE(scratch)",
    "WRITE_ONCE": "WRITE_ONCE(scratch, 1)",
    "smp_store_release": "smp_store_release(scratch, 1)",
    "smp_load_acquire": "smp_load_acquire(scratch)",
    "local_write": "local_write(scratch, 1)",
    "mark": "mark(scratch, 1)",
    "peek": "peek(scratch)",
    "trace": "trace(1, scratch & 0xFF)",
}

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


@pytest.fixture(scope="module")
def both_missed() -> Callable[[str], int]:
    """Give the native host's answer: in how many rounds neither side saw the other's write."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a store buffer is seen by another processor only")
    names = {operation: f"side{number}" for number, operation in enumerate((*DRAINS.values(), *DOES_NOT.values()))}
    sides = {name: side_of(name, operation) for operation, name in names.items()}
    compiled = Compiled(sides, RING + 4096, {waist.trace: ring.trace})
    compiled.local[Local(0).ring_at // 8] = compiled.base + 8 * RING

    def count(operation: str) -> int:
        compiled.words[:] = 0
        side = getattr(compiled, names[operation])
        threads = [threading.Thread(target=side, args=(compiled.base, number, ROUNDS)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = compiled.words[8194 : 8194 + 2 * ROUNDS].reshape(ROUNDS, 2)
        return int((seen[:, 0] & seen[:, 1]).sum())

    return count


@pytest.mark.parametrize("operation", DRAINS.values(), ids=DRAINS.keys())
def test_it_drains_the_store_buffer(both_missed: Callable[[str], int], operation: str) -> None:
    """No round in which both sides missed each other, whatever the outcome of the operation."""
    assert both_missed(operation) == 0


@pytest.mark.parametrize("operation", DOES_NOT.values(), ids=DOES_NOT.keys())
def test_it_leaves_the_store_buffer_alone(both_missed: Callable[[str], int], operation: str) -> None:
    """Both sides miss each other now and then: the operation is no fence in disguise."""
    assert both_missed(operation) > 0
