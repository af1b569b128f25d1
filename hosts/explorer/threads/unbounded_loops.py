"""Loops without a visible operation: those of the machine become schedulable, those of a user's rule are an error.

A thread executes invisible operations at once. In a loop that waits for a word which no other thread is known to write
(a sleeper whose waker has not been met yet, or that nobody wakes) it would never reach an operation. Such a loop is
detected by its length; then its words are shared, or, if it uses none, each of its turns becomes a scheduling point,
and the model is built again. From then on it is a cycle of states like others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from hosts.explorer.model.system import AbstractionRefuted
from hosts.explorer.threads.coverage import Endless
from hosts.explorer.threads.machine_words import World

_NONE: Final[frozenset[Any]] = frozenset()


class Head(NamedTuple):
    """The head of a loop of unknown length."""

    file: str
    line: int
    function: str
    block: int


class Passed(NamedTuple):
    """Loop heads and words that a thread has passed without a visible operation."""

    heads: frozenset[Head] = _NONE
    """Loops that it came round."""
    met: frozenset[int] = _NONE
    """Words on which operations would be due if others had to do with them."""

    @classmethod
    def all_of(cls, several: Iterable[Passed]) -> Passed:
        """Put together what was come past on several ways."""
        each = list(several)
        return cls(*(_NONE.union(*parts) for parts in zip(*each, strict=True))) if each else cls()


def let_others_act(world: World, thread: int, passed: Passed) -> None:
    """Let others act in a loop; AbstractionRefuted. Endless if it is the user's own, and nobody else could ever end it.

    Best at its operations on words that nobody else is known to use as yet: whoever it waits for may turn out to.
    """
    users = sorted(head for head in passed.heads if head.function in world.rule)
    if not passed.heads:
        return
    if passed.met:
        for word in sorted(passed.met):
            world.words.open(word)
        world.suspects += [(head.file, head.line, thread, passed.met) for head in users[:1]]
    elif users:
        raise _endless(users[0].file, users[0].line)
    else:
        world.breathers |= {(head.function, head.block) for head in passed.heads}
    raise AbstractionRefuted(thread)


def refuse_endless(world: World) -> None:
    """Endless if a loop of the user's has been found to wait for words that nobody else has ever used."""
    for file, line, thread, words in world.suspects:
        if all(world.words.users[word] <= {thread} for word in words):
            raise _endless(file, line)


def _endless(file: str, line: int) -> Endless:
    return Endless(file, line, "this loop does not come to an end: what it waits for, nobody else ever changes")


def cycle(edges: Mapping[int, Iterable[tuple[int, int]]], start: int) -> list[tuple[int, int]]:
    """Return the edges, as (local state, answer), that lie on cycles behind ``start``.

    ``edges`` gives for each local state the answers and where they lead.
    """

    def behind(local: int) -> set[int]:
        found: set[int] = set()
        left = [local]
        while left:
            for _answer, following in edges.get(left.pop(), ()):
                if following not in found:
                    found.add(following)
                    left.append(following)
        return found

    reached = {local: behind(local) for local in {start} | behind(start)}
    return [
        (local, answer)
        for local in reached
        for answer, following in edges.get(local, ())
        if local == following or local in reached[following]
    ]
