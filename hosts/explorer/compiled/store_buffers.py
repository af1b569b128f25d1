"""Store buffers of x86-TSO (Sewell et al. 2010): appending a store, and :mod:`hosts.explorer.model.store_merging`."""

from __future__ import annotations

from typing import Final

from hosts.explorer.compiled.abi import CONST, P_LOOKS, P_SIZE, P_WORD, T_EW, T_SIZE, T_TOP, Tables, Work
from hosts.explorer.jit.intrinsics import called, get, inlined, put

ENTRIES: Final = 64
"""More than fit into any buffer."""
WORDS: Final = ENTRIES
LEFTS: Final = 2 * ENTRIES
RIGHTS: Final = 3 * ENTRIES
"""Where the words of the entries, x and y lie in ``Work.block``, behind the entries themselves."""
SIZE: Final = 4 * ENTRIES
SPAN_BITS: Final = 8


@inlined
def looks_at(tables: Tables, thread: int, store: int) -> int:
    """Return one more than others look at words like that of a store; 0: nothing bounds it, or others write it."""
    return get(tables.pairs, (thread * tables.pairs.shape[1] + store) * P_SIZE + P_LOOKS)


@inlined
def finds_room(tables: Tables, work: Work, thread: int, record: int, buffer: int) -> bool:
    """Return whether a buffer has room for the store of an operation."""
    if (buffer >> get(tables.threads, thread * T_SIZE + T_TOP)) == 0:
        return True
    store = get(tables.operations, record + CONST)
    return looks_at(tables, thread, store) != 0 and put_behind(tables, work, thread, buffer, store) >= 0


@called
def put_behind(tables: Tables, work: Work, thread: int, buffer: int, store: int) -> int:
    """Return a buffer with a store behind the others, those left out that may be; -1: there is no room."""
    block, width = work.block, get(tables.threads, thread * T_SIZE + T_EW)
    looks = looks_at(tables, thread, store) - 1
    n = 0
    while buffer != 0:
        enter(tables, work, thread, n, buffer & ((1 << width) - 1))
        buffer >>= width
        n += 1
    first = n
    while first > 0 and looks_at(tables, thread, get(block, first - 1)) != 0:
        first -= 1
    enter(tables, work, thread, n, store)
    n += 1
    span = superfluous(work, first, n, looks)
    while span != 0:
        begin, end = span >> SPAN_BITS, span & ((1 << SPAN_BITS) - 1)
        n -= end - begin
        for place in range(begin, n):
            put(block, place, get(block, place + end - begin))
            put(block, WORDS + place, get(block, WORDS + place + end - begin))
        span = superfluous(work, first, n, looks)
    if (n - 1) * width > get(tables.threads, thread * T_SIZE + T_TOP):
        return -1
    for place in range(n):
        buffer |= get(block, place) << (place * width)
    return buffer


@inlined
def enter(tables: Tables, work: Work, thread: int, place: int, store: int) -> None:
    """Write a store down, and its word."""
    put(work.block, place, store)
    word = get(tables.pairs, (thread * tables.pairs.shape[1] + store) * P_SIZE + P_WORD)
    put(work.block, WORDS + place, word)


@called
def superfluous(work: Work, first: int, n: int, looks: int) -> int:
    """Return the stores of the block ``first`` to ``n`` that may be left out: their first, and behind their last."""
    block = work.block
    for place in range(first + 1, n):
        if held(work, first, place - 1, get(block, WORDS + place)) == get(block, place):
            return (place << SPAN_BITS) | (place + 1)
    for place in range(first, n):
        to_the_left(work, first, place)
    for place in range(n - 1, first - 1, -1):
        to_the_right(work, first, n, place)
    for begin in range(first, n - 1):
        x, y = get(block, LEFTS + begin), get(block, RIGHTS + begin)
        for end in range(begin + 1, n):
            if x + y > looks + 1 and is_regained(work, first, begin, end):
                return (begin << SPAN_BITS) | end
            x, y = min(x, get(block, LEFTS + end)), min(y, get(block, RIGHTS + end))
    return 0


@inlined
def held(work: Work, first: int, place: int, word: int) -> int:
    """Return the store that a word's value is of behind one of the stores; 0: it is what it was before the block."""
    while place >= first and get(work.block, WORDS + place) != word:
        place -= 1
    return get(work.block, place) if place >= first else 0


@called
def is_regained(work: Work, first: int, begin: int, end: int) -> bool:
    """Return whether the store at ``end`` gives the same view without those from ``begin`` on."""
    for place in range(begin, end):
        word = get(work.block, WORDS + place)
        if word != get(work.block, WORDS + end):
            before = held(work, first, begin - 1, word)
            if before == 0 or before != held(work, first, end, word):
                return False
    return True


@inlined
def to_the_left(work: Work, first: int, place: int) -> None:
    """Work out x of a view from those before it."""
    block = work.block
    least, other = ENTRIES, place - 1
    while other >= first and held(work, first, other, get(block, WORDS + place)) != get(block, place):
        least = min(least, get(block, LEFTS + other))
        other -= 1
    put(block, LEFTS + place, 1 if other < first else 1 + least)


@inlined
def to_the_right(work: Work, first: int, n: int, place: int) -> None:
    """Work out y of a view from those behind it."""
    block = work.block
    least, other = ENTRIES, place + 1
    if other < n:
        word = get(block, WORDS + other)
        value = held(work, first, place, word)
        while other < n and held(work, first, other, word) != value:
            least = min(least, get(block, RIGHTS + other))
            other += 1
    put(block, RIGHTS + place, 1 if other >= n else 1 + least)
