"""Adaptive timing offsets: when in a turn an actor acts, learnt from sightings, from IPIs sent, and from costs."""

from __future__ import annotations

from typing import Final

from hosts.native.codegen.intrinsics import load_private, rdtsc, store_private
from hosts.native.memory.private_words import BINS, PAID, Local
from hosts.native.runtime.process_locals import choose, random_bits

BIN_SHIFT: Final = 5

FARTHEST: Final = BINS << BIN_SHIFT
"""Offsets from the start that actors choose among: they are learnt by bins of 32 ticks."""

EDGE_SHIFT: Final = 4

EDGE_STEP: Final = 16

EDGE_STEP_BACK: Final = 16 * EDGE_STEP
"""Steps of the edge, in sixteenths of a tick, after a turn without and with an IPI: one turn in 17 sends one."""

EDGE_SPREAD: Final = 127

PAID_SHARE: Final = 3
"""Where an offset has led to a sighting, three in four are drawn from those that did."""

CHEAPEST: Final = 2_000

DEAREST: Final = 200_000
"""What a turn is taken to cost at most (ticks): beyond it the machine was busy with something else."""


def learn(local: Local, score: int) -> None:
    """Learn from the last turn for the choice of the next offsets.

    *What paid*: after a sighting, the bin that was tried goes into a ring from which later offsets are drawn: in
    proportion to how often each bin paid, forgetting what was so some seconds ago (processors move near and far).

    *The edge*: from some offset on, the actor finds that the vCPU has entered the guest, and has to send an IPI (in a
    turn that was opened in the guest: finds that it has left, and has not). Just before lies the offset at which the
    entry misses the action and the action misses the entry. A turn without an IPI moves the edge a little towards the
    side with IPIs, one with an IPI 16 times as much to the other, so it is followed wherever it goes. That needs no
    sighting, and keeps IPIs rare, of which each takes the time of fifty turns.

    *The cost*: what a turn takes, by bin.
    """
    now, tried, ring = rdtsc(), load_private(local.bin), load_private(local.ring)
    sends = load_private(local.sends)
    if tried >= 0:
        cost = local.cost[ring * BINS + tried]
        spent = min(now - load_private(local.turn_begun), DEAREST)
        store_private(cost, load_private(cost) + ((spent - load_private(cost)) >> 3))
        if score > load_private(local.score):
            count = load_private(local.paid_count[ring])
            store_private(local.paid[ring * PAID + (count & (PAID - 1))], tried)
            store_private(local.paid_count[ring], count + 1)
        if load_private(local.by_edge) != 0:
            step = EDGE_STEP if sends == load_private(local.sends_before) else -EDGE_STEP_BACK
            moved = load_private(local.edge[ring]) + (step if ring == 0 else -step)
            store_private(local.edge[ring], max(0, min(moved, FARTHEST << EDGE_SHIFT)))
    store_private(local.turn_begun, now)
    store_private(local.score, score)
    store_private(local.sends_before, sends)


def choose_offset(local: Local, non_root: int, wide: int) -> int:
    """Draw this turn's offset from the start: near one that paid, near the edge, or, in a wide turn, any."""
    bits = random_bits(local)
    ring = 1 if non_root != 0 else 0
    paid = min(load_private(local.paid_count[ring]), PAID)
    tried = -1
    if wide == 0 and paid != 0 and bits & PAID_SHARE != 0:
        tried = load_private(local.paid[ring * PAID + ((((bits >> 8) & 0xFFFF) * paid) >> 16)])
    by_edge = 0
    if tried >= 0 and affordable(local, ring, tried):
        offset = (tried << BIN_SHIFT) + ((bits >> 24) & ((1 << BIN_SHIFT) - 1))
    elif wide == 0:
        by_edge = 1
        offset = (load_private(local.edge[ring]) >> EDGE_SHIFT) + ((bits >> 8) & EDGE_SPREAD) - (EDGE_SPREAD >> 1)
        offset = max(0, min(offset, FARTHEST - 1))
    else:
        offset = any_offset(local, ring)
    store_private(local.by_edge, by_edge)
    store_private(local.ring, ring)
    store_private(local.bin, offset >> BIN_SHIFT)
    return offset


def any_offset(local: Local, ring: int) -> int:
    """Draw any offset, but the costly ones less often."""
    offset = 0
    for _ in range(BINS):
        offset = random_bits(local) & (FARTHEST - 1)
        if affordable(local, ring, offset >> BIN_SHIFT):
            break
    return offset


def affordable(local: Local, ring: int, tried: int) -> bool:
    """Accept a bin in inverse proportion to what it costs: every bin is given the same time, not as many turns."""
    return choose(load_private(local.cost[ring * BINS + tried]) + CHEAPEST) <= 2 * CHEAPEST
