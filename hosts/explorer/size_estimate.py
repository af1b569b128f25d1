"""Estimate of the number of states of a scope before it is explored: a range, from the parts of the scope.

The number of states is about a product: each part of a scope multiplies it by about the same factor, whatever the other
parts are. The factors were measured on some sixty scopes, most of them drawn at random, under the historic rules; the
number found was within 5 times of the product for those, within 9 for as many drawn afterwards, and rather above it
than below. A test compares the range with all of them, and with all rows of the table.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from emu.workload.program import (
    GUEST_ARM_LATER,
    GUEST_ARM_NOW,
    GUEST_CLI,
    GUEST_HLT,
    GUEST_ICR,
    GUEST_RAISE_TPR,
)
from hosts.explorer.model.options import Options
from hosts.explorer.threads.harness import Scope

TIMERS: Final = frozenset((GUEST_ARM_NOW, GUEST_ARM_LATER))
MASKED: Final = frozenset((GUEST_CLI, GUEST_RAISE_TPR))
BELOW, ABOVE = 8.0, 16.0
"""How many times fewer and more than the product there may be."""
LARGEST_EXPONENT: Final = 600.0
"""Of e: as many states as any computer has, and still a float when it is multiplied on."""
BYTES: Final = 24
"""That a state takes at least, where there are many: a packed word, and its share of the table."""
GUEST: Final = 3.4
"""States of a guest that only exits."""
HALTS, TIMER, SLOW_HANDLERS, OTHERS = 4.0, 1.7, 1.5, 2.6
"""Factors: the guest halts; each timer that it may start; its handlers end when they like; somebody else is there."""
MASKS: Final = 18.0
"""Factor of a guest that turns interrupts off and raises its TPR: measured on one scope, under the historic rules."""
TIMER_MEETS_OTHERS: Final = 4.7
"""Factor of a timer where others post, or kick: what it posts meets theirs, or is kicked on its way into the guest."""
FIRST: Final = {"post": 17.5, "device": 6.0, "kick": 15.5, "signal": 15.5, "hrtimer": 15.5}
"""Factors of what another pCPU does first."""
FURTHER: Final = {"post": 8.0, "device": 3.8, "kick": 7.4, "signal": 7.4, "hrtimer": 7.4}
"""Factors of what it does after that."""
OWN: Final = 1.0
"""Factor of an act of the user's own, of which nothing is known: no scope is called too big for it."""
ANOTHER_GUEST, ITS_IPIS = 10.0, 100.0
"""Factors of another vCPU, besides what it does alone; and if both send IPIs to each other."""
SC_LESS: Final = 4.0
"""Without store buffers, states are down to one part in so many for each other pCPU."""


class Size(NamedTuple):
    """A number of states: the bounds of an estimate."""

    about: float
    least: float
    most: float
    """What was not measured may have any number."""

    @property
    def least_bytes(self) -> float:
        """Return a lower bound of their memory, in bytes."""
        return self.least * BYTES


def size_of(scope: Scope, options: Options, *, usual: bool = True) -> Size:
    """Return the range.

    ``usual``: a historic rule, no seeded bug, and local states are told apart as they are unless one says otherwise.
    """
    about = _product(_factors(scope))
    least = about / BELOW / math.prod(math.factorial(number) for number in Counter(scope.acts).values())
    if not options.buffer:
        least /= SC_LESS ** len(scope.acts)
    if scope.task_pcpus:  # nothing has been measured of tasks: no scope of theirs is called too big
        return Size(about, 1.0, math.inf)
    measured = usual and options.reduce and options.fuse and not options.overtake
    return Size(about, max(least, 1.0), about * ABOVE if measured else math.inf)


def _product(factors: Iterable[float]) -> float:
    """Multiply; what is beyond all floats is the largest of them, nearly."""
    return math.exp(min(sum(map(math.log, factors)), LARGEST_EXPONENT))


def _factors(scope: Scope) -> Iterator[float]:
    for _ in range(scope.vcpus):
        yield from _guest(scope)
    if scope.vcpus > 1:
        yield ANOTHER_GUEST * (ITS_IPIS if GUEST_ICR in scope.guest else 1.0)
    if scope.acts:
        yield OTHERS
    if (
        scope.timers
        and TIMERS & set(scope.guest)
        and any(act.startswith(("post", "kick")) for acts in scope.acts for act in acts)
    ):
        yield TIMER_MEETS_OTHERS
    for acts in scope.acts:
        first, *further = (act.partition(":")[0].partition("@")[0] for act in acts)
        yield FIRST.get(first, OWN)
        yield from (FURTHER.get(each, OWN) for each in further)


def _guest(scope: Scope) -> Iterator[float]:
    yield GUEST * (HALTS if GUEST_HLT in scope.guest else 1.0)
    if (TIMERS | {GUEST_ICR}) & set(scope.guest):
        yield from [TIMER] * scope.timers
    if MASKED & set(scope.guest):
        yield MASKS
    if scope.slow_handlers:
        yield SLOW_HANDLERS
