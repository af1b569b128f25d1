"""Canonical representative of a symmetry orbit (Ip and Dill 1996): equal threads sorted in a packed state.

What each of them has in a state (its place, its buffer, its words) are fields that hold the same numbers for all of
them (:mod:`hosts.explorer.reduce.symmetry`). In order, a state stands for all that differ from it by an exchange of
such threads.

``Tables.symmetric`` holds for each class the number of its members and of the fields of one, then place, shift and mask
of each field, member by member.
"""

from __future__ import annotations

from typing import Final

from hosts.explorer.compiled.abi import H_SYMMETRIC, Tables
from hosts.explorer.compiled.state_fields import set_field, stored_field
from hosts.explorer.jit.intrinsics import Ints, called, get, inlined

FIELD: Final = 3
"""Numbers that describe a field."""


@called
def in_order(tables: Tables, states: Ints, at: int) -> None:
    """Sort what the members of each group have in the state at ``at`` of ``states``."""
    classes = tables.symmetric
    row = 0
    while row < tables.header[H_SYMMETRIC]:
        members, fields = get(classes, row), get(classes, row + 1)
        row += 2
        size = fields * FIELD
        for last in range(members - 1, 0, -1):
            for member in range(last):
                one = row + member * size
                if is_behind(classes, states, at, one, one + size, fields):
                    exchange(classes, states, at, one, one + size, fields)
        row += members * size


@inlined
def is_behind(classes: Ints, states: Ints, at: int, one: int, other: int, fields: int) -> bool:
    """Return whether what one member has comes behind what another has."""
    for k in range(0, fields * FIELD, FIELD):
        mine, theirs = stored_field(states, at, classes, one + k), stored_field(states, at, classes, other + k)
        if mine != theirs:
            return mine > theirs
    return False


@inlined
def exchange(classes: Ints, states: Ints, at: int, one: int, other: int, fields: int) -> None:
    """Let two members change places."""
    for k in range(0, fields * FIELD, FIELD):
        mine, theirs = stored_field(states, at, classes, one + k), stored_field(states, at, classes, other + k)
        set_field(states, at, classes, one + k, theirs)
        set_field(states, at, classes, other + k, mine)
