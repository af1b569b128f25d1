"""Data abstraction of ghost words: on other hosts they are counters that only grow, here only differences are kept.

This is a data abstraction (Clarke, Grumberg and Long 1994). Kept as they are, these words would make every history a
state of its own. Each group of them decides something only through a difference:

- counters, windows and records decide nothing: reading one gives 0, writing one is an event of the transition.
- *inside* and *processing* marks: whether they are odd (a step is atomic, so that nobody sees a mark change twice).
- a mailbox and the number last read from it: whether they differ.
- accepted, self-sent, delivered and merged of one vector: their balance, kept negated in ``delivered``.
- the generation of ON with all that has been noted of it: whether the note is about the present generation.

``--no-fold`` disables the abstraction; the search then ends only if every thread does. Where instruments are steps of
their own (``--no-fuse``) it is disabled, too: a mark that changes twice would look as if it had not.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from emu.machine import MAX_PCPUS, OWN_CHECKS, OWN_WINDOWS, Machine
from emu.memory import WORD_BYTES, Word, Words
from emu.observe.accounting import CHECKS, COUNTERS, RECORD_WORDS, WINDOWS
from emu.vectors import SLOTS


class Role(enum.IntEnum):
    """How a word is abstracted."""

    PLAIN = 0
    COUNTER = 1
    WINDOW = 2
    RECORD = 3
    PARITY = 4
    MAIL = 5
    ACKNOWLEDGED = 6
    DEBIT = 7
    """Reads as 0; a number written is taken from ``other``."""
    CREDIT = 8
    """Reads as 0; a number written is added to ``other``."""
    GENERATION = 9
    UNTOLD = 10
    """A note of a generation, one higher: 2 if it is about the present one, which reads 1; else 0."""
    REFUSED = 11
    """Reads as 0; written, it empties the mailbox of ``other``: mail that waited there before is forgotten with it, for
    one bit says no more. That its interrupt is not lost, the balance tells all the same."""


class Folded(NamedTuple):
    """A word's role, and what it needs: the number of a window, check or family, the word that is used instead."""

    role: Role
    number: int = 0
    other: int = 0


_PLAIN = Folded(Role.PLAIN)


@dataclass
class Folding:
    """The roles of all words of a machine with some pCPUs and vCPUs."""

    roles: dict[int, Folded]
    inside: dict[int, int]
    """The *inside* mark of each pCPU, by address."""
    families: list[list[int]]
    """For each vCPU the words that hold notes of its generation of ON."""

    def of(self, word: int) -> Folded:
        """Return a word's role."""
        return self.roles.get(word, _PLAIN)


def folding(machine: Machine, pcpus: int, vcpus: int, *, fold: bool) -> Folding:
    """Return the roles of all words."""
    made = Folding({}, {}, [])
    for i in range(pcpus):
        pcpu = machine.pcpus[i]
        made.inside[pcpu.marks.inside] = i
        _all(made, pcpu.counters[0], len(COUNTERS), Folded(Role.COUNTER))
        made.roles[pcpu.sightings] = Folded(Role.COUNTER)
        _sightings(made, pcpu.windows, range(len(WINDOWS)), pcpu.records, range(len(CHECKS)))
        own, windows, checks = machine.own_marks[i], len(WINDOWS), len(CHECKS)
        _sightings(
            made, own.windows, range(windows, windows + OWN_WINDOWS), own.records, range(checks, checks + OWN_CHECKS)
        )
        if fold:
            made.roles[pcpu.marks.inside] = made.roles[pcpu.irq.processing] = Folded(Role.PARITY)
    for v in range(vcpus):
        vcpu = machine.vcpus[v]
        made.families.append([])
        if not fold:
            continue
        made.roles[vcpu.pi_desc.software[0]] = Folded(Role.GENERATION, v)
        for i in range(pcpus):
            made.roles[vcpu.untold[i]] = Folded(Role.UNTOLD, v)
            made.families[v].append(vcpu.untold[i])
        for slot in range(SLOTS):
            balance = vcpu.delivered[slot]
            made.roles[vcpu.merged[slot]] = Folded(Role.CREDIT, 0, balance)
            made.roles[vcpu.self_ipis[slot]] = Folded(Role.DEBIT, 0, balance)
            for i in range(pcpus):
                made.roles[machine.pcpus[i].accepted[v * SLOTS + slot]] = Folded(Role.DEBIT, 0, balance)
                box = slot * MAX_PCPUS + i
                made.roles[vcpu.mail[box]] = Folded(Role.MAIL)
                made.roles[vcpu.acknowledged[box]] = Folded(Role.ACKNOWLEDGED, 0, vcpu.mail[box])
                made.roles[vcpu.refused[box]] = Folded(Role.REFUSED, 0, vcpu.mail[box])
                made.roles[vcpu.accepted_before[box]] = Folded(Role.COUNTER)
    return made


def _sightings(made: Folding, windows: Words, window_numbers: range, records: Words, check_numbers: range) -> None:
    """Add the windows and records of a pCPU, which have these numbers."""
    for place, number in enumerate(window_numbers):
        made.roles[windows[place]] = Folded(Role.WINDOW, number)
    for place, check in enumerate(check_numbers):
        record = Words(records[place * RECORD_WORDS])
        _all(made, record[0], RECORD_WORDS, Folded(Role.COUNTER))
        made.roles[record[0]] = Folded(Role.RECORD, check)
        made.roles[record[1]] = Folded(Role.RECORD, -1)


def _all(made: Folding, first: Word, count: int, role: Folded) -> None:
    made.roles |= dict.fromkeys(range(first, first + count * WORD_BYTES, WORD_BYTES), role)
