"""System noise drawn from the seed: short delays and long starvation at interrupt points."""

from __future__ import annotations

from typing import Final

from hosts.native.codegen.intrinsics import (
    load,
    load_constant,
    load_private,
    pause,
    rdtsc,
    sched_yield,
    store,
    store_private,
)
from hosts.native.memory.layout import REGIME_DELAYS, REGIME_NONE
from hosts.native.memory.private_words import Local
from hosts.native.runtime.process_locals import choose, increment, own_words, random_bits
from hosts.native.runtime.receive import expect
from hosts.native.runtime.slow_stores import prepare_slow_stores, slow_stores

DELAY_SHARE: Final = 3

DELAY_TICKS: Final = 300

DELAY_POINTS: Final = 31

SLOW_STORES: Final = 1 << 29
"""Half of the short stalls delay no more than the stores behind them."""

STARVE_SHARE: Final = 4_095

STARVE_FROM: Final = 50_000

STARVE_SPREAD: Final = 200_000

STARVE_YIELDS: Final = 15


def arm_stall(local: Local) -> None:
    """Draw whether this pCPU stalls soon: at which of the next interrupt points, and for how long."""
    regime = load_constant(local.regime)
    if regime == REGIME_NONE or load_private(local.stall_points) != 0:
        return
    bits = random_bits(local)
    share = DELAY_SHARE if regime == REGIME_DELAYS else STARVE_SHARE
    if bits & share != 0:
        return
    length = DELAY_TICKS if regime == REGIME_DELAYS else STARVE_SPREAD
    least = 0 if regime == REGIME_DELAYS else STARVE_FROM
    store_private(local.stall_yields, 1 + ((bits >> 20) & STARVE_YIELDS) if least != 0 and bits & (1 << 30) != 0 else 0)
    store_private(local.stall_length, least + choose(length) if least != 0 or bits & SLOW_STORES == 0 else 0)
    store_private(local.stall_points, 1 + ((bits >> 12) & DELAY_POINTS))
    expect(local)


def stall(local: Local) -> None:
    """Stall: the pCPU does nothing and receives nothing for a while, or its next stores become visible late."""
    own = own_words(local)
    since = rdtsc()
    yields = load_private(local.stall_yields)
    if load_private(local.stall_length) == 0:
        prepare_slow_stores(local)
        slow_stores(local)
    elif yields != 0:
        for _ in range(yields):
            sched_yield()
    else:
        until = since + load_private(local.stall_length)
        while rdtsc() < until:
            pause()
    increment(own.stalls)
    store(own.stall_ticks, load(own.stall_ticks) + rdtsc() - since)
    store_private(local.last_poll, 0)
