"""Store merging: some stores of one thread reach memory together, so that its buffer stays finite (Simon 1975).

A guest that sends interrupts to itself in a loop writes its PPR again and again without a fence, and x86-TSO bounds no
buffer: a rule that reads the PPR from elsewhere may find what was there any number of stores ago. To leave out what is
older than so many stores would lose what it may find. But others look at such words a few times at most, and few looks
do not tell all buffers apart.

Let one thread alone write some words, and let all others together look at them ``looks`` times at most in any run. A
*block* is a row of stores to such words next to each other in the buffer. While it drains, memory goes through a row of
*views*: what these words hold behind each store. Nothing else in memory changes by it. So what others find meanwhile is
a row of no more than ``looks`` findings, each a word and its value, that can be put into the views from left to right,
several into one view if need be. Two blocks into which the same such rows can be put, and whose last views are one, are
the same to everybody: the last view is what is in memory afterwards, and what the thread itself reads until then. They
remain the same whatever is stored behind them.

For a view, let x be the length of the shortest row of findings that ends there if each is put as far to the left as it
can be, and y of the shortest that begins there if each is put as far to the right. If the least x and the least y of
some views next to each other make more than ``looks`` + 1, and the last of all is not among them, they may be left
out. Take a row of n <= ``looks`` findings. If one of its two extreme ways avoids these views there is nothing to show.
If not, let finding t be the first that comes to one of them on the way to the left, and u the last that does on the way
to the right: x <= t and y <= n - u + 1. Were t <= u, x + y <= n + 1. So u < t, and the findings before t as far to the
left as can be, with the others as far to the right, avoid them.

Views are left out where the stores that are left give the others: each word that is stored meanwhile holds what it held
before, apart from that of the next store. A store of what is there already is left out, too.

This is how piecewise testable languages are told apart (I. Simon, 1975; Fleischer and Kufleitner, Testing Simon's
Congruence, MFCS 2018: x and y are their attributes), for findings that a view may give more than once.

A store that is left out reaches memory together with the next one that is not: that is how a way is told
(:class:`Waiting`), so that each step of it is one of the unbounded buffer's. How often others look is found out with
the threads (:class:`hosts.explorer.reduce.read_bounds.ReadBounds`); where nothing bounds it no store is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Store = tuple[int, int]
"""A word and the value that is to reach it."""
Buffer = tuple[Store, ...]


def left(buffer: Buffer, looks: Mapping[int, int]) -> list[int]:
    """Return the places of the stores that are left of a buffer to which one has just been added.

    ``looks``: for each word that may be in a block, how often others look at any of its thread's.
    """
    kept = list(range(len(buffer)))
    word = buffer[-1][0]
    while word in looks and kept:
        first = len(kept)
        while first > 0 and buffer[kept[first - 1]][0] in looks:
            first -= 1
        begin, end = superfluous([buffer[place] for place in kept[first:]], looks[word])
        if begin == end:
            break
        del kept[first + begin : first + end]
    return kept


def superfluous(block: Sequence[Store], looks: int) -> tuple[int, int]:
    """Return the stores of a block that may be left out, from a place to another; none: twice the same."""
    for place in range(1, len(block)):
        if held(block, place - 1, block[place][0]) == block[place][1]:
            return place, place + 1
    lefts, rights = to_the_left(block), to_the_right(block)
    for begin in range(len(block) - 1):
        x, y = lefts[begin], rights[begin]
        for end in range(begin + 1, len(block)):
            if x + y > looks + 1 and is_regained(block, begin, end):
                return begin, end
            x, y = min(x, lefts[end]), min(y, rights[end])
    return 0, 0


def held(block: Sequence[Store], place: int, word: int) -> int | None:
    """Return what a word holds in a view; None: what it held before the block."""
    return next((value for stored, value in block[place::-1] if stored == word), None) if place >= 0 else None


def is_regained(block: Sequence[Store], begin: int, end: int) -> bool:
    """Return whether the store at ``end`` gives the same view without those from ``begin`` on."""
    for word in {stored for stored, _ in block[begin:end]} - {block[end][0]}:
        before = held(block, begin - 1, word)
        if before is None or before != held(block, end, word):
            return False
    return True


def to_the_left(block: Sequence[Store]) -> list[int]:
    """Return x for each view: of what its own store makes one find, as all else can be found before."""
    found: list[int] = []
    for place, (word, value) in enumerate(block):
        least, other = len(block), place - 1
        while other >= 0 and held(block, other, word) != value:
            least = min(least, found[other])
            other -= 1
        found.append(1 if other < 0 else 1 + least)
    return found


def to_the_right(block: Sequence[Store]) -> list[int]:
    """Return y for each view: of what the next store puts an end to, as all else can be found behind."""
    found = [1] * len(block)
    for place in range(len(block) - 2, -1, -1):
        word = block[place + 1][0]
        least, other = len(block), place + 1
        while other < len(block) and held(block, other, word) != held(block, place, word):
            least = min(least, found[other])
            other += 1
        found[place] = 1 if other == len(block) else 1 + least
    return found


class Waiting:
    """A buffer as the unbounded one has it: of each store that is left, how many reach memory with it."""

    def __init__(self, looks: Mapping[int, int]) -> None:
        self.looks = looks
        self.stores: list[tuple[Store, int]] = []

    def put(self, store: Store) -> None:
        """Add a store."""
        every = [*self.stores, (store, 1)]
        kept = left(tuple(each for each, _ in every), self.looks)
        ends = [place + 1 for place in kept[:-1]] + [len(every)]
        self.stores = [
            (every[place][0], sum(count for _, count in every[begin:end]))
            for place, begin, end in zip(kept, [0, *ends], ends, strict=False)
        ]

    def drain(self) -> int:
        """Take the oldest out; return how many stores reach memory."""
        return self.stores.pop(0)[1]
