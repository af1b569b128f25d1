"""Final states encoded as numbers: a few bits for each place asked for, so that a million states are a set of ints.

The first place has the highest bits, and in them values are numbered as herd7 sorts them: numbers sorted are states
sorted. Places that only the filter names come last, to be cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, overload

from hosts.litmus.final_condition import observed_places, places
from hosts.litmus.flags import mask
from hosts.litmus.locations import Locations
from hosts.litmus.registers import width
from hosts.litmus.syntax import Address, Equals, Memory, Place, Register, Test, Type, Value, plain, split_element

Assignments = Iterable[tuple[Place, int]]
"""Places and what they hold, as the machine has it."""
ShownState = tuple[tuple[Place, Value], ...]
"""One state: what is shown of it, in herd7's order, in the declared types."""

TOGETHER: Final = 12
"""Bits of a number whose text is looked up at once."""


class Encoding:
    """The encoding of final states: the bits of each place in a state's number, and the values they mean."""

    def __init__(self, test: Test, locations: Locations, held: Mapping[Place, Collection[int]]) -> None:
        """``held``: what each plain place that is asked for can hold at an end, if there is one."""
        self._test = test
        self._locations = locations
        asked = test.final_condition
        self.shown = sorted({*asked.shown, *places(asked.proposition)}, key=_order)
        hidden = sorted(observed_places(asked) - set(self.shown), key=_order)
        self.values: dict[Place, list[Value]] = {}
        """What a place's numbers mean, in the declared type."""
        self._numbers: dict[Place, dict[int, int]] = {}
        self._alike: dict[Place, list[Place]] = {}
        """An element may be asked for alone and as part of its array."""
        self._shifts: dict[Place, int] = {}
        self._masks: dict[Place, int] = {}
        self.hidden = at = 0
        for place in reversed([*self.shown, *hidden]):
            self._number(place, held.get(plain(place), ()))
            self._alike.setdefault(plain(place), []).append(place)
            bits = max(len(self.values[place]) - 1, 0).bit_length()
            self._shifts[place], self._masks[place] = at, mask(bits) << at
            at += bits
            if place not in self.shown:
                self.hidden = at

    def _number(self, place: Place, held: Collection[int]) -> None:
        """Number what a place can hold; what looks the same in its type is the same."""
        kind = self._test.type_of(place)
        first: dict[Value, int] = {}
        typed = {}
        for raw in sorted(held, key=lambda raw: self._sorting(raw, place)):
            typed[raw] = self._typed(raw, kind)
            first.setdefault(typed[raw], len(first))
        self.values[place] = list(first)
        self._numbers[place] = {raw: first[value] for raw, value in typed.items()}

    def change(self, assignments: Assignments) -> tuple[int, int]:
        """Return what assignments do to a state's number, as bits to be kept and bits to be set."""
        taken = bits = 0
        for place, raw in ((each, raw) for of, raw in assignments for each in self._alike[of]):
            taken |= self._masks[place]
            bits = bits & ~self._masks[place] | self._numbers[place][raw] << self._shifts[place]
        return ~taken, bits

    def satisfying(self, equals: Equals, states: Collection[int]) -> set[int]:
        """Return the states in which a place holds a value, or what another one holds."""
        place, value = equals.place, equals.value
        low, among, values = self._shifts[place], self._masks[place], self.values[place]
        if isinstance(value, (Register, Memory)):
            other, behind, others = self._shifts[value], self._masks[value], self.values[value]
            return {state for state in states if values[(state & among) >> low] == others[(state & behind) >> other]}
        wanted = value if isinstance(value, Address) else cast(value, self._test.type_of(place))
        if wanted not in values:
            return set()
        bits = values.index(wanted) << low
        return {state for state in states if state & among == bits}

    def value(self, place: Place, state: int) -> Value:
        """Return what a place holds in a state."""
        return self.values[place][(state & self._masks[place]) >> self._shifts[place]]

    def runs(self) -> Iterator[tuple[list[Place], int, int]]:
        """Return places that stand together and are shown, with their part of a number, as a shift and a mask."""
        some: list[Place] = []
        taken = 0
        for place in self.shown:
            if some and (taken | self._masks[place]).bit_count() > TOGETHER:
                yield some, self._shifts[some[-1]], taken >> self._shifts[some[-1]]
                some, taken = [], 0
            some.append(place)
            taken |= self._masks[place]
        if some:
            yield some, self._shifts[some[-1]], taken >> self._shifts[some[-1]]

    def _typed(self, raw: int, kind: Type) -> Value:
        """Return a value as its type shows it; an address is shown whatever the type, as herd7 does."""
        return self._locations.address_of(raw) or cast(raw, kind)

    def _sorting(self, raw: int, place: Place) -> tuple[int, object]:
        """Return the key that herd7 sorts by: whole registers, locations by their type; numbers before addresses."""
        address = self._locations.address_of(raw)
        if address is not None:
            return 1, address
        bits = width(self._test.arch) if isinstance(place, Register) else self._test.type_of(place).bits
        return 0, cast(raw, Type(bits, signed=True))


class FinalStates(Sequence[ShownState]):
    """Different final states, in herd7's order; each is worked out when it is asked for, as there may be a million."""

    def __init__(self, encoding: Encoding, states: Collection[int]) -> None:
        self._encoding = encoding
        self._states = sorted(states)

    def __len__(self) -> int:
        return len(self._states)

    @overload
    def __getitem__(self, at: int) -> ShownState: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[ShownState]: ...
    def __getitem__(self, at: int | slice) -> ShownState | Sequence[ShownState]:
        if isinstance(at, slice):
            return [self[each] for each in range(len(self))[at]]
        state = self._states[at]
        return tuple((place, self._encoding.value(place, state)) for place in self._encoding.shown)

    def texts(self, text: Callable[[Place, Value], str]) -> Iterator[str]:
        """Return each state as one line; a text ends with what parts it from the next."""
        runs = [(some, shift, taken, dict[int, str]()) for some, shift, taken in self._encoding.runs()]
        for state in self._states:
            parts = []
            for some, shift, taken, known in runs:
                part = state >> shift & taken
                if part not in known:
                    known[part] = "".join(text(place, self._encoding.value(place, state)) for place in some)
                parts.append(known[part])
            yield "".join(parts).rstrip()


def _order(place: Place) -> tuple[int, str, int, int]:
    """Return the key that herd7 sorts places by: elements that are asked for alone come last."""
    if isinstance(place, Register):
        return 0, "", place.thread, place.number
    array, index = split_element(place.name)
    return 1 if index is None or place.whole else 2, array, index or 0, 0


def cast(value: int, kind: Type) -> int:
    """Return a number as a type has it."""
    low = value & mask(kind.bits)
    return low - (1 << kind.bits) if kind.signed and low >> (kind.bits - 1) else low
