"""Candidates for symmetry: pCPUs of a scope whose acts read the same.

Known of a scope are the pCPUs whose acts read the same. What is taken for granted is that the others treat them alike:
``emu`` goes through the pCPUs in loops that ask for all or any. (A user's rule might ask for one: there this reduction
is left out.) That they *are* alike is looked at while they are learnt, edge by edge
(:mod:`hosts.explorer.reduce.symmetry`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from emu.machine import MAX_PCPUS
from emu.memory import WORD_BYTES
from emu.vectors import SLOTS
from hosts.explorer.model.system import SymmetryClass
from hosts.explorer.threads.harness import Scope
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.sharing import SHARED


class Owned(NamedTuple):
    """A word of which each pCPU has one."""

    pcpu: int
    place: tuple[str, int]
    """Which of that pCPU's words."""
    apart: int
    """The bytes from one pCPU's to the next one's."""


def equal_columns(scope: Scope) -> list[tuple[int, ...]]:
    """Return the threads of each list of acts that more than one pCPU has."""
    numbers = sorted(range(len(scope.acts)), key=lambda i: scope.acts[i])
    groups = [tuple(scope.serving + i for i in same) for _, same in groupby(numbers, key=lambda i: scope.acts[i])]
    return [tuple(sorted(each)) for each in groups if len(each) > 1]


def owned(world: World, word: int) -> Owned | None:
    """Return the owner of a word; None: it is no pCPU's."""
    machine = world.machine
    first = machine.pcpus[0]
    number, offset = divmod(word - first.at, first.nbytes)
    if 0 <= number < MAX_PCPUS:
        return Owned(number, ("pcpu", offset), first.nbytes)
    for v in range(world.vcpus):
        vcpu = machine.vcpus[v]
        lists = {"untold": (vcpu.untold.at, 1), "mail": (vcpu.mail.at, SLOTS), "read": (vcpu.acknowledged.at, SLOTS)}
        for name, (start, rows) in lists.items():
            row, column = divmod((word - start) // WORD_BYTES, MAX_PCPUS)
            if 0 <= row < rows:
                return Owned(column, (f"{name} {v}", row), WORD_BYTES)
    return None


def align(world: World, group: tuple[int, ...]) -> None:
    """Take what is known of the words of one for known of all."""
    words = world.words
    by_place: dict[tuple[str, int], dict[int, int]] = {}
    by_start: dict[tuple[str, int], tuple[int, int]] = {}
    for word in words.users:
        mine = owned(world, word)
        if mine is not None and mine.pcpu in group:
            by_place.setdefault(mine.place, {})[mine.pcpu] = word
            by_start[mine.place] = word - mine.apart * mine.pcpu, mine.apart
    for place, known in by_place.items():
        start, apart = by_start[place]
        twins = {each: start + apart * each for each in group}
        users = [(owner, user) for owner, each in known.items() for user in words.users[each]]
        written, read = (any(each in which for each in known.values()) for which in (words.written, words.read))
        for owner, twin in twins.items():
            words.users.setdefault(twin, set()).update(_renamed(user, before, owner) for before, user in users)
            words.written.update([twin] if written else ())
            words.read.update([twin] if read else ())
        for twin in twins.values():
            if words.kind(twin) == SHARED:
                words.shared.setdefault(twin, len(words.shared))


def _renamed(user: int, before: int, now: int) -> int:
    """Return who uses a word of ``now`` if ``user`` uses that of ``before``."""
    return now if user == before else before if user == now else user


def groups(world: World, wanted: Iterable[tuple[int, ...]]) -> list[SymmetryClass]:
    """Return which shared words are whose, those of all members in one order."""
    made = []
    for threads in wanted:
        mine: dict[int, dict[tuple[str, int], int]] = {thread: {} for thread in threads}
        for word, number in world.words.shared.items():
            whose = owned(world, word)
            if whose is not None and whose.pcpu in mine:
                mine[whose.pcpu][whose.place] = number
        places = sorted(mine[threads[0]])
        if all(sorted(each) == places for each in mine.values()):
            made.append(
                SymmetryClass(threads, tuple(tuple(mine[thread][place] for place in places) for thread in threads))
            )
    return made
