"""Finds the place of a hunk in a file, as GNU ``patch`` does, and puts the hunk there.

A hunk belongs where its lines are, at the line that it names or as near to that as can be (an *offset*). If its lines
are nowhere, up to two lines of context at its ends are left out of the comparison (*fuzz*), first one, then two.
A hunk with less context on one side than on the other is one at that end of the file, and is only looked for there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hosts.loader.kernel.unified_diff import Hunk

MOST_FUZZ: Final = 2


@dataclass(frozen=True)
class Place:
    """Where a hunk goes."""

    at: int
    """Index of the line of the file that its first line is compared with, whether or not fuzz leaves that one out."""
    offset: int
    """Number of lines from where the hunk says; the offset of the hunk before it taken into account."""
    fuzz: int


@dataclass(frozen=True)
class Ends:
    """Number of lines of context with which a hunk begins and ends."""

    front: int
    back: int

    @classmethod
    def of(cls, hunk: Hunk) -> Ends:
        """Count them."""
        marks = "".join(mark for mark, _ in hunk.body)
        return cls(len(marks) - len(marks.lstrip(" ")), len(marks) - len(marks.rstrip(" ")))

    @property
    def most(self) -> int:
        """Return the longer one."""
        return max(self.front, self.back)


def find(hunk: Hunk, lines: Sequence[bytes], shift: int, done: int, fuzz: int) -> Place | None:
    """Return the place of a hunk with this much fuzz; None if there is none.

    ``shift``: the offset of the hunk before it. ``done``: up to this line the file belongs to the hunks before it.
    """
    ends = Ends.of(hunk)
    wanted = hunk.side("-")
    guess = hunk.old_start - 1 + shift
    if not wanted:  # lines that are added to nothing: below the line that is named
        return Place(min(max(hunk.old_start + shift, done), len(lines)), shift, fuzz)
    skip_front, skip_back = fuzz + ends.front - ends.most, fuzz + ends.back - ends.most
    compared = wanted[max(skip_front, 0) : len(wanted) - max(skip_back, 0)]
    if not compared:  # it would fit anywhere, and is put there by patch
        return None
    for at in _candidates(hunk, len(wanted), lines, guess, done, skip_front, skip_back):
        first = at + max(skip_front, 0)
        if list(lines[first : first + len(compared)]) == compared:
            return Place(at, at - (hunk.old_start - 1), fuzz)
    return None


def _candidates(
    hunk: Hunk, length: int, lines: Sequence[bytes], guess: int, done: int, skip_front: int, skip_back: int
) -> Iterator[int]:
    """Yield the places to try, the nearest first, of two alike the one further down."""
    last = len(lines) - (length - max(skip_back, 0))
    if skip_front < 0 and hunk.old_start <= 1:
        if done <= Ends.of(hunk).front and last >= 0:
            yield 0
        return
    if skip_back < 0:
        if last >= done:
            yield last
        return
    for distance in range(max(last - guess, guess - done) + 1):
        if done <= guess + distance <= last:
            yield guess + distance
        if distance and done <= guess - distance <= last:
            yield guess - distance


def put(hunk: Hunk, lines: Sequence[bytes], place: Place) -> tuple[list[bytes], int]:
    """Return what comes from the hunk's first line to its last change, and the index of the line to go on from.

    Context is taken from the file: with fuzz it may differ from the hunk's. The context behind the last change is left
    to the next hunk, which may begin there.
    """
    out: list[bytes] = []
    at = place.at
    for mark, text in hunk.body[: len(hunk.body) - Ends.of(hunk).back]:
        if mark == "+":
            out.append(text)
            continue
        if mark == " ":
            out += lines[at : at + 1]
        at = min(at + 1, len(lines))
    return out, at
