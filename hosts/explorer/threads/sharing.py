"""Sharing (escape) analysis of words: constant if nobody writes them, private if one thread uses them, else shared.

Nothing is declared. A word is assumed to be constant or private until a thread refutes that; then the model is built
again with what is known by then (:class:`~hosts.explorer.model.system.AbstractionRefuted`), a few dozen times and
early.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from hosts.explorer.model.system import AbstractionRefuted

CONSTANT: Final = 0
OWN: Final = 1
SHARED: Final = 2
NOBODY: Final = -1
"""No thread: a private word's owner if several write it, or a task does, which is now on one thread, now on another."""


class Words:
    """What is known of every word's use, by byte address."""

    def __init__(self, initial: Mapping[int, int]) -> None:
        """``initial``: what words hold at the start, where that is not 0."""
        self.initial = initial
        self.users: dict[int, set[int]] = {}
        """Threads; and tasks, with numbers behind those of the threads."""
        self.written: set[int] = set()
        self.read: set[int] = set()
        """Words that some thread has looked at: what is only written decides nothing."""
        self.shared: dict[int, int] = {}
        """Shared words, numbered in the order in which they became so."""
        self.private: dict[int, bool] = {}
        """Words that the protocol calls private (``local_read``, ``local_write``): whether others use them, too."""
        self.owner: dict[int, int] = {}
        """Of these the one thread that has written them, in no other way; NOBODY: there are more, or it has."""
        self.grows = False
        """A constant may become private without a new model: who has read it as a constant knows it as it was at first,
        and that is what it held. All that refers to it is what runs have read (:attr:`grown`)."""
        self.grown = 0
        """How often that has happened: runs that are remembered from before are no longer right."""
        self.opened: set[int] = set()
        """Those that are shared because a loop asks for them that nothing else can end: see :meth:`open`."""

    def copied(self, initial: Mapping[int, int]) -> Words:
        """Return a copy that knows the same, with some words that hold something else at the start."""
        copy = Words({**self.initial, **initial})
        copy.users = {word: set(users) for word, users in self.users.items()}
        copy.written, copy.read, copy.shared = set(self.written), set(self.read), dict(self.shared)
        return copy

    def use(self, user: int, word: int, *, write: bool) -> int:
        """Record a use of a word; return what the word is now. AbstractionRefuted if it was less before."""
        users = self.users.setdefault(word, set())
        known = user in users and (not write or word in self.written)
        if not known:
            before = self.kind(word)
            fresh = not users
            users.add(user)
            if write:
                self.written.add(word)
            after = self.kind(word)
            if after == SHARED and word not in self.shared:
                self.shared[word] = len(self.shared)
            if after == SHARED and word in self.private:
                self.private[word] = True
            if self.grows and before == CONSTANT and after == OWN and not fresh:
                self.grown += 1
            elif after != before and not fresh:
                raise AbstractionRefuted(word)
        return self.kind(word)

    def share(self, word: int, users: Iterable[int]) -> None:
        """Declare a word shared."""
        self.users[word] = set(users)
        self.written.add(word)
        self.read.add(word)
        self.shared.setdefault(word, len(self.shared))

    def expect(self, words: Collection[int]) -> None:
        """Take it that words are written and looked at by somebody: they are no constants."""
        self.written.update(words)
        self.read.update(words)
        for word in words:
            self.users.setdefault(word, set())

    def open(self, word: int) -> None:
        """Make each use of a word a scheduling point, though only one thread is known to use it so far."""
        self.users.setdefault(word, set())
        self.written.add(word)
        self.read.add(word)
        self.shared.setdefault(word, len(self.shared))
        self.opened.add(word)
        self.owner[word] = NOBODY

    def used_privately(self, word: int) -> bool:
        """Note that the protocol calls a word private; return whether others use it all the same."""
        self.private[word] = word in self.shared
        return self.private[word]

    def wrote_privately(self, thread: int, word: int) -> None:
        """Note who writes a private word; AbstractionRefuted if others, who use it too, were told of another one."""
        if self.owner.setdefault(word, thread) not in (thread, NOBODY):
            self.wrote(word)

    def wrote(self, word: int) -> None:
        """Note that a private word has several writers, or is written otherwise; AbstractionRefuted if that matters."""
        if self.owner.get(word, NOBODY) != NOBODY:
            self.owner[word] = NOBODY
            if self.private.get(word):
                raise AbstractionRefuted(word)

    @property
    def single(self) -> dict[int, int]:
        """Return the private words that others read but one thread alone writes, always by ``local_write``; with it."""
        return {word: owner for word, owner in self.owner.items() if owner >= 0 and self.private.get(word)}

    def kind(self, word: int) -> int:
        """Return whether a word is constant, private or shared, as far as is known."""
        if word not in self.written:
            return CONSTANT
        return SHARED if word in self.shared or len(self.users[word]) > 1 else OWN

    def look(self, word: int) -> None:
        """Record that the value of a word decides something."""
        if word not in self.read:
            self.read.add(word)
            if word in self.written:
                raise AbstractionRefuted(word)
