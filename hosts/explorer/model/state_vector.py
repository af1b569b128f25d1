"""Layout of the state vector: fields of as many bits as the values seen so far need, packed into words.

A field never straddles two words. The search begins with narrow fields; one that overflows makes the layout anew, with
what has been learnt since, and the search starts again (the automata stay learnt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

WORD_BITS: Final = 64
WIDEST: Final = 62
"""Of one field: its mask must be a positive signed number."""


class Field(NamedTuple):
    """A field: which packed word, how far up, and its mask."""

    place: int
    shift: int
    mask: int

    def of(self, packed: Sequence[int]) -> int:
        """Read the field."""
        return packed[self.place] >> self.shift & self.mask


NOWHERE: Final = Field(0, 0, 0)
"""A field of no bits: what it holds never changes."""

Name = tuple[str, int]
"""What a field holds: its kind and its number."""


class TooWide(Exception):  # noqa: N818 - named like AbstractionRefuted and NotTerminating
    """A part of the state does not fit into a field."""


class Crammed(TooWide):
    """A store buffer does not fit into a field."""


def bits(count: int) -> int:
    """Return the bits that numbers below ``count`` need."""
    return max(count - 1, 0).bit_length()


class Layout:
    """Fields by name, and the number of packed words."""

    def __init__(self, widths: Mapping[Name, int], growing: Sequence[Name] = (), most: int = 12) -> None:
        """Lay fields out, the widest first; the bits left over go to those that may grow, one each."""
        if max(widths.values(), default=0) > WIDEST:
            name = max(widths, key=lambda each: widths[each])
            fault = Crammed if name[0] == "buffer" else TooWide
            raise fault(f"{name[0]} {name[1]} needs {widths[name]} bits of a state; {WIDEST} is the most")
        self.widths = dict(widths)
        rooms = _placed(self.widths)
        self.words = max(len(rooms), 1)
        self._spread(rooms, [name for name in growing if self.widths[name] < most])
        self.fields: dict[Name, Field] = {}
        for place, (names, _) in enumerate(rooms):
            shift = 0
            for name in names:
                self.fields[name] = Field(place, shift, (1 << self.widths[name]) - 1)
                shift += self.widths[name]

    def __getitem__(self, name: Name) -> Field:
        """Return a field."""
        return self.fields.get(name, NOWHERE)

    def _spread(self, rooms: list[tuple[list[Name], int]], growing: list[Name]) -> None:
        """Return bits that are left over to fields that may need them; of no bits so far: into the emptiest word."""
        home = {name: place for place, (names, _) in enumerate(rooms) for name in names}
        for name in growing:
            if not rooms:
                return
            place = home.get(name, max(range(len(rooms)), key=lambda each: rooms[each][1]))
            names, left = rooms[place]
            if left:
                if name not in home:
                    names.append(name)
                self.widths[name] += 1
                rooms[place] = (names, left - 1)


def _placed(widths: Mapping[Name, int]) -> list[tuple[list[Name], int]]:
    """Put fields into as few words as first-fit, widest first, finds; return each word's fields and the bits left."""
    rooms: list[tuple[list[Name], int]] = []
    for name in sorted((name for name in widths if widths[name]), key=lambda each: (-widths[each], each)):
        width = widths[name]
        for place, (names, left) in enumerate(rooms):
            if left >= width:
                rooms[place] = ([*names, name], left - width)
                break
        else:
            rooms.append(([name], WORD_BITS - width))
    return rooms
