"""Re-encoding of stored states when a field has to be wider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hosts.explorer.compiled import hash_table
from hosts.explorer.jit.intrinsics import Ints
from hosts.explorer.model.state_vector import Field, Layout
from hosts.word64 import signed


class Kept(NamedTuple):
    """What says where each part of a state lies; its numbers mean the same in all layouts of a search."""

    layout: Layout
    entries: tuple[int, ...]
    """By thread: the bits of a buffer's entry."""
    slots: tuple[tuple[int, int], ...]
    """Sorted (target, vector) of the IPIs, as they are numbered in this layout."""


def moves(before: Kept, now: Kept) -> Ints:
    """Return rows of :func:`hash_table.move`: what of a state goes where. Neighbours that go one way go together."""
    together: dict[tuple[int, int, int], int] = {}
    rows: list[tuple[int, ...]] = []
    for (kind, number), field in before.layout.fields.items():
        if kind == "buffer" and before.entries[number] != now.entries[number]:
            there = now.layout[kind, number]
            # A field is place, shift and mask, which a move begins with.
            rows.append((*field, there.place, there.shift, before.entries[number], now.entries[number]))
            continue
        for part, there in _parts(kind, number, field, before, now):
            way = (field.place, there.place, there.shift - part.shift)
            together[way] = together.get(way, 0) | part.mask << part.shift
    for (place, there_place, up), mask in together.items():
        low = (mask & -mask).bit_length() - 1
        rows.append((place, low, signed(mask >> low), there_place, low + up, 0, 0))
    return np.array(rows, np.int64).reshape(-1, hash_table.M_SIZE)


def _parts(kind: str, number: int, field: Field, before: Kept, now: Kept) -> Iterator[tuple[Field, Field]]:
    """Return the parts of a field that stay together, and where they go; what is always 0 needs not go anywhere."""
    if kind == "pending":
        mine = [slot for slot in before.slots if slot[0] == number]
        by_now = [slot for slot in now.slots if slot[0] == number]
        there = now.layout[kind, number]
        for bit, slot in enumerate(mine):
            yield Field(field.place, field.shift + bit, 1), Field(there.place, there.shift + by_now.index(slot), 1)
        return
    if kind == "slot":
        number = now.slots.index(before.slots[number])
    if (kind, number) in now.layout.fields:
        there = now.layout[kind, number]
        yield Field(field.place, field.shift, min(field.mask, there.mask)), there
