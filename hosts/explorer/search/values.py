"""Value codes: states hold small numbers instead of the values of a word (as COLLAPSE: Holzmann 1997)."""

from __future__ import annotations

from hosts.word64 import signed


class Values:
    """The values seen in one word, by number; number 0 is the initial one."""

    def __init__(self, initial: int, *, flagged: bool) -> None:
        """With ``flagged``, each value comes with itself with bit 0 set."""
        self.flagged = flagged
        self.known: list[int] = []
        self._number: dict[int, int] = {}
        self.number(initial)

    def __len__(self) -> int:
        return len(self.known)

    def number(self, value: int) -> int:
        """Return a value's number, a new one if it is new."""
        value = signed(value)
        if value not in self._number:
            self._number[value] = len(self.known)
            self.known.append(value)
            if self.flagged:
                self.number(value | 1)
        return self._number[value]

    def known_number(self, value: int) -> int:
        """Return a value's number, or -1."""
        return self._number.get(signed(value), -1)
