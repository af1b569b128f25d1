"""Fields of packed states, and the entries of a store buffer.

Each row that stands for a field (of a thread, a slot, a list, a store, an operation) has its place, shift and mask side
by side; ``row`` is where the first of the three lies in the flat table.
"""

from __future__ import annotations

from hosts.explorer.compiled.abi import (
    MASK,
    P_ID,
    P_SIZE,
    P_WORD,
    PLACE,
    SHIFT,
    T_EW,
    T_SIZE,
    Tables,
    Work,
)
from hosts.explorer.jit.intrinsics import Ints, get, inlined, put


@inlined
def stored_field(states: Ints, at: int, table: Ints, row: int) -> int:
    """Return what the field of a row holds in the state at ``at``."""
    return (get(states, at + get(table, row)) >> get(table, row + 1)) & get(table, row + 2)


@inlined
def depend_on(work: Work, column: int, bits: int) -> None:
    """Note bits that the step being worked out depends on (:mod:`hosts.explorer.compiled.transition_cache`)."""
    put(work.relied, column, get(work.relied, column) | bits)


@inlined
def read_field(work: Work, states: Ints, at: int, table: Ints, row: int) -> int:
    """Return what a field holds; the step depends on it."""
    depend_on(work, get(table, row), get(table, row + 2) << get(table, row + 1))
    return stored_field(states, at, table, row)


@inlined
def read_word(tables: Tables, work: Work, states: Ints, at: int, record: int) -> int:
    """Return what the word of an operation holds, likewise."""
    operations = tables.operations
    place, shift, mask = (
        get(operations, record + PLACE),
        get(operations, record + SHIFT),
        get(operations, record + MASK),
    )
    depend_on(work, place, mask << shift)
    return (get(states, at + place) >> shift) & mask


@inlined
def set_field(states: Ints, at: int, table: Ints, row: int, value: int) -> None:
    """Put a value into the field of a row."""
    set_bits(states, at + get(table, row), get(table, row + 1), get(table, row + 2), value)


@inlined
def set_bits(states: Ints, at: int, shift: int, mask: int, value: int) -> None:
    """Put a value into some bits of a packed word."""
    put(states, at, (get(states, at) & ~(mask << shift)) | (value << shift))


@inlined
def write_field(work: Work, states: Ints, at: int, table: Ints, row: int, value: int) -> None:
    """Put a value into the field of a row; what it makes of the field depends on what was there."""
    depend_on(work, get(table, row), get(table, row + 2) << get(table, row + 1))
    set_field(states, at, table, row, value)


@inlined
def write_word(tables: Tables, work: Work, states: Ints, at: int, record: int, value: int) -> None:
    """Put a value into the word of an operation, likewise."""
    operations = tables.operations
    place, shift, mask = (
        get(operations, record + PLACE),
        get(operations, record + SHIFT),
        get(operations, record + MASK),
    )
    depend_on(work, place, mask << shift)
    set_bits(states, at + place, shift, mask, value)


@inlined
def copy(target: Ints, to: int, source: Ints, at: int, words: int) -> None:
    """Copy a state."""
    for k in range(words):
        put(target, to + k, get(source, at + k))


@inlined
def oldest(tables: Tables, thread: int, buffer: int) -> int:
    """Return where the row of a buffer's first store lies."""
    entry = buffer & ((1 << get(tables.threads, thread * T_SIZE + T_EW)) - 1)
    return (thread * tables.pairs.shape[1] + entry) * P_SIZE


@inlined
def newest(tables: Tables, thread: int, buffer: int, word: int) -> int:
    """Return the number of the value with which the last store to a word waits in a buffer; -1: none does."""
    found = -1
    while buffer != 0:
        pair = oldest(tables, thread, buffer)
        if get(tables.pairs, pair + P_WORD) == word:
            found = get(tables.pairs, pair + P_ID)
        buffer >>= get(tables.threads, thread * T_SIZE + T_EW)
    return found
