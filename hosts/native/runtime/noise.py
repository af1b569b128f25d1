"""Disturbance drawn from the seed, and what an interrupt point does when something is due."""

from __future__ import annotations

from typing import Final

from hosts.native.memory.layout import REGIME_DELAYS, REGIME_NONE, Local
from hosts.native.program.operations import (
    call_address,
    load,
    load_constant,
    load_private,
    pause,
    rdtsc,
    sched_yield,
    store,
    store_private,
)
from hosts.native.runtime.process_locals import bump, choose, draw, own_words, this_process
from hosts.native.runtime.receive import expect, pending, receive_if_due, under_way
from hosts.native.runtime.slow_stores import prepare_slow_stores, slow_stores

DELAY_SHARE: Final = 3

DELAY_TICKS: Final = 300

DELAY_POINTS: Final = 31

SLOW_STORES: Final = 1 << 29
"""Half of the short disturbances delay no more than the stores behind them."""

STARVE_SHARE: Final = 4_095

STARVE_FROM: Final = 50_000

STARVE_SPREAD: Final = 200_000

STARVE_YIELDS: Final = 15


def arm(local: Local) -> None:
    """Draw whether this pCPU is disturbed soon: at which of the next interrupt points, and for how long."""
    regime = load_constant(local.regime)
    if regime == REGIME_NONE or load_private(local.stall_points) != 0:
        return
    bits = draw(local)
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
    """Be disturbed: the pCPU does nothing and takes nothing for a while, or its next stores are seen late."""
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
    bump(own.stalls)
    store(own.stall_ticks, load(own.stall_ticks) + rdtsc() - since)
    store_private(local.last_poll, 0)


def attention(site: int) -> None:
    """Do what an interrupt point finds due: an armed stall, then arrivals, then the handlers, if interrupts are on."""
    local = this_process()
    left = load_private(local.stall_points)
    if left != 0:
        store_private(local.stall_points, left - 1)
        if left == 1:
            stall(local)
    enabled_at = load_constant(local.irq_enabled_at)
    if load_private(enabled_at) != 0:
        if pending(local) == 0 and under_way(local):
            receive_if_due(local)
        root = load_constant(local.root_at)
        while pending(local) != 0 and load_private(enabled_at) != 0:
            call_address(root, 0, site)
    expect(local)
