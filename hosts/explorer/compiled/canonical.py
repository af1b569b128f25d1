"""Canonical representative of a symmetry orbit (Ip and Dill 1996): equal threads sorted in a packed state.

What each of them has in a state (its place, its buffer, its words) are fields that hold the same numbers for all of
them (:mod:`hosts.explorer.reduce.symmetry`). In order, a state stands for all that differ from it by an exchange of
such threads.

``Tables.alike`` holds for each group the number of its members and of the fields of one, then place, shift and mask of
each field, member by member.
"""

from __future__ import annotations

from typing import Final

from hosts.explorer.compiled.abi import H_ALIKE, Tables
from hosts.explorer.compiled.state_fields import fill_in, held
from hosts.explorer.jit.intrinsics import Ints, called, get, inlined

FIELD: Final = 3
"""Numbers that describe a field."""


@called
def in_order(tables: Tables, states: Ints, at: int) -> None:
    """Sort what the members of each group have in the state at ``at`` of ``states``."""
    alike = tables.alike
    row = 0
    while row < tables.header[H_ALIKE]:
        members, fields = get(alike, row), get(alike, row + 1)
        row += 2
        size = fields * FIELD
        for last in range(members - 1, 0, -1):
            for member in range(last):
                one = row + member * size
                if is_behind(alike, states, at, one, one + size, fields):
                    exchange(alike, states, at, one, one + size, fields)
        row += members * size


@inlined
def is_behind(alike: Ints, states: Ints, at: int, one: int, other: int, fields: int) -> bool:
    """Tell whether what one member has comes behind what another has."""
    for k in range(0, fields * FIELD, FIELD):
        mine, theirs = held(states, at, alike, one + k), held(states, at, alike, other + k)
        if mine != theirs:
            return mine > theirs
    return False


@inlined
def exchange(alike: Ints, states: Ints, at: int, one: int, other: int, fields: int) -> None:
    """Let two members change places."""
    for k in range(0, fields * FIELD, FIELD):
        mine, theirs = held(states, at, alike, one + k), held(states, at, alike, other + k)
        fill_in(states, at, alike, one + k, theirs)
        fill_in(states, at, alike, other + k, mine)
