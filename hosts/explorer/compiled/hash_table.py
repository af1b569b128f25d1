# ruff: noqa: C901 - compiled loops: one function where a call would cost
"""Visited set: a lock-free open-addressing hash table of packed states (cf. Laarman, van de Pol and Weber 2010)."""

from __future__ import annotations

from typing import Final

from hosts.explorer.jit.intrinsics import Ints, called, claim, compiled, get, inlined, prefetch, put

BATCH: Final = 256
"""Successors looked up together, so that the memory is asked for all of them at once."""

BLOCK_BITS: Final = 12
BLOCK: Final = (1 << BLOCK_BITS) - 1
INDEX_BITS: Final = 40
INDEX_MASK: Final = (1 << INDEX_BITS) - 1
LOW32: Final = (1 << 32) - 1
TAG_MASK: Final = (1 << 23) - 1
MIX1: Final = -7046029254386353131
MIX2: Final = -4658895280553007687
MIX3: Final = -7723592293110705685


@called
def hash_of(states: Ints, at: int, words: int) -> int:
    """Mix a packed state into 64 bits."""
    h = MIX1
    for k in range(words):
        h = (h ^ get(states, at + k)) * MIX2
        h ^= (h >> 29) & 0x7FFFFFFFF
    h *= MIX3
    return h ^ ((h >> 32) & LOW32)


@inlined
def place_of(index: int, worker: int, workers: int) -> int:
    """Return where a worker's state number ``index`` lies: blocks of the workers take turns."""
    return ((((index >> BLOCK_BITS) * workers) + worker) << BLOCK_BITS) | (index & BLOCK)


@called
def enter(
    states: Ints, table: Ints, out: Ints, hashes: Ints, number: int, words: int, worker: int, workers: int, count: int
) -> int:
    """Put the successors that are new behind a worker's states; return how many states it has now.

    All workers enter into one table. A state is written before its place is claimed, so whoever finds the place can
    read the state; if another worker was quicker with the same state, the room is used for the next one.
    """
    last = table.shape[0] - 1
    for i in range(number):
        prefetch(table, get(hashes, i) & last)
    for i in range(number):
        entry = get(table, get(hashes, i) & last)
        if entry != 0:
            prefetch(states, ((entry & INDEX_MASK) - 1) * words)
    for i in range(number):
        h = get(hashes, i)
        tag = (h >> 41) & TAG_MASK
        slot = h & last
        o = i * words
        while True:
            entry = get(table, slot)
            if entry == 0:
                at = place_of(count, worker, workers)
                for k in range(words):
                    put(states, at * words + k, get(out, o + k))
                entry = claim(table, slot, (tag << INDEX_BITS) | (at + 1))
                if entry == 0:
                    count += 1
                    break
            if (entry >> INDEX_BITS) == tag:
                at = ((entry & INDEX_MASK) - 1) * words
                same = True
                for k in range(words):
                    if get(states, at + k) != get(out, o + k):
                        same = False
                        break
                if same:
                    break
            slot = (slot + 1) & last
    return count


@called
def lookup(states: Ints, table: Ints, packed: Ints, o: int, h: int, words: int) -> int:
    """Return the place of a state with the hash ``h``, or -1."""
    last = table.shape[0] - 1
    tag = (h >> 41) & TAG_MASK
    slot = h & last
    while True:
        entry = get(table, slot)
        if entry == 0:
            return -1
        if (entry >> INDEX_BITS) == tag:
            at = (entry & INDEX_MASK) - 1
            same = True
            for k in range(words):
                if get(states, at * words + k) != get(packed, o + k):
                    same = False
                    break
            if same:
                return at
        slot = (slot + 1) & last


@compiled
def fill(states: Ints, table: Ints, hashes: Ints, words: int, worker: int, workers: int, start: int, stop: int) -> None:
    """Enter a worker's states from ``start`` to ``stop``, which differ, into a new table.

    ``hashes`` is room for a BATCH.
    """
    last = table.shape[0] - 1
    for first in range(start, stop, BATCH):
        number = min(BATCH, stop - first)
        for i in range(number):
            h = hash_of(states, place_of(first + i, worker, workers) * words, words)
            put(hashes, i, h)
            prefetch(table, h & last)
        for i in range(number):
            h = get(hashes, i)
            slot = h & last
            entry = (((h >> 41) & TAG_MASK) << INDEX_BITS) | (place_of(first + i, worker, workers) + 1)
            while get(table, slot) != 0 or claim(table, slot, entry) != 0:
                slot = (slot + 1) & last


M_FROM, M_SHIFT, M_MASK, M_TO, M_UP, M_ENTRY, M_WIDER, M_SIZE = range(8)
"""A part of a state that goes into another layout: word, shift and mask before; word and shift after. A buffer's
entries may get wider: their bits before (0: no buffer) and after."""


@compiled
def move(
    old: Ints, new: Ints, state: Ints, moves: Ints, few: int, worker: int, workers: int, start: int, stop: int
) -> None:
    """Bring a worker's states from ``start`` to ``stop`` from a layout of ``few`` words into another.

    Both may lie in the same array. ``state`` is room for one in the new layout.
    """
    many = state.shape[0]
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        for k in range(many):
            put(state, k, 0)
        for m in range(moves.shape[0]):
            r = m * M_SIZE
            value = (get(old, at * few + get(moves, r + M_FROM)) >> get(moves, r + M_SHIFT)) & get(moves, r + M_MASK)
            entry = get(moves, r + M_ENTRY)
            if entry != 0:
                rest = value
                value = 0
                up = 0
                while rest != 0:
                    value |= (rest & ((1 << entry) - 1)) << up
                    rest >>= entry
                    up += get(moves, r + M_WIDER)
            to = get(moves, r + M_TO)
            put(state, to, get(state, to) | (value << get(moves, r + M_UP)))
        for k in range(many):
            put(new, at * many + k, get(state, k))
