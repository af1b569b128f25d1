"""Declarations of a user's code as one value: words, windows, checks, acts and scenarios (:mod:`emu.own`).

Whoever writes a machine's first words, reads what was counted in them, or names a word for people needs this and no
loaded program. It is plain data, so it is given to other processes as it is.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from emu.machine import Machine, OwnWords
from emu.memory import WORD_BYTES, Word
from emu.observe.accounting import CHECKS, WINDOWS
from emu.workload.own_acts import FIRST_OWN_ACT
from emu.workload.scenarios import Scenario

_LOADED: Final = re.compile(r"own_of_(vcpu|pcpu|all)\(((?:[^()]|\([^()]*\))*)\)\.words\[(\d+)\]")
"""A word of the user's in the loaded program."""


class Each(enum.Enum):
    """What there is one of a struct for."""

    VCPU = "PerVcpu"
    PCPU = "PerPcpu"
    ALL = "ForAll"


class Use(enum.Enum):
    """How a word may be used."""

    SHARED = "shared"
    PRIVATE = "private"
    MARK = "a mark"


@dataclass(frozen=True)
class Place:
    """Where something is declared."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class OwnField:
    """A word of a struct, or several."""

    name: str
    index: int
    """The place of the first among the words of its vCPU, its pCPU, or all."""
    start: tuple[int, ...]
    """What each holds at the start."""
    single: bool
    """Whether it is one word, and no row of words."""
    use: Use


@dataclass(frozen=True)
class OwnStruct:
    """A struct of the user's."""

    name: str
    each: Each
    fields: tuple[OwnField, ...]
    place: Place


@dataclass(frozen=True)
class OwnWindow:
    """A race window of the user's: the constant that stands for it in the file, and its name in tables."""

    constant: str
    name: str
    place: Place


@dataclass(frozen=True)
class OwnCheck:
    """A check of the user's: a function of the file."""

    name: str
    points: tuple[str, ...]
    gives_vector: bool
    """Whether it returns the vector that it does not hold of, or -1; else whether it holds."""
    about: str
    place: Place


@dataclass(frozen=True)
class OwnAct:
    """An act of the other pCPUs: a function of the file, whose name begins with ``act_``."""

    name: str
    about: str
    place: Place


@dataclass(frozen=True)
class Own:
    """All declarations of a user's code."""

    structs: tuple[OwnStruct, ...] = ()
    own_windows: tuple[OwnWindow, ...] = ()
    own_checks: tuple[OwnCheck, ...] = ()
    acts: tuple[OwnAct, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    unpromised: tuple[str, ...] = ()
    """Built-in checks that ``CHECKS`` of a patch leaves out: this machine does not promise them."""
    first_window: int = 0
    """Of one file's declarations, the number of its first window among the user's."""

    def __bool__(self) -> bool:
        return self != Own()

    @property
    def windows(self) -> tuple[str, ...]:
        """The names of all windows, by their numbers: the built-in ones first."""
        return (*WINDOWS, *(each.name for each in self.own_windows))

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of all checks, by their numbers: the built-in ones first."""
        return (*CHECKS, *(each.name for each in self.own_checks))

    @property
    def act_numbers(self) -> dict[str, int]:
        """The numbers of the acts in an actor's menu."""
        return {each.name: FIRST_OWN_ACT + i for i, each in enumerate(self.acts)}

    def first_words(self, machine: Machine, pcpus: int, vcpus: int) -> Iterator[tuple[Word, int]]:
        """Yield the words that are not 0 when a machine starts, and what they hold."""
        for struct in self.structs:
            for words in _areas(machine, struct.each, pcpus, vcpus):
                for field in struct.fields:
                    for i, value in enumerate(field.start):
                        if value != 0:
                            yield words.words[field.index + i], value

    def word_name(self, machine: Machine, address: int) -> str | None:
        """Name a word of the user's as ``vcpu0.Doorbell.rung``; None: it is none."""
        for each, first, count, name in (
            (Each.VCPU, machine.own_vcpus[0], _MOST, "vcpu{}."),
            (Each.PCPU, machine.own_pcpus[0], _MOST, "pcpu{}."),
            (Each.ALL, machine.own_shared, 1, ""),
        ):
            number, offset = divmod(address - first.at, OwnWords.nbytes)
            if 0 <= number < count:
                return name.format(number) + self._field_name(each, offset // WORD_BYTES)
        return None

    def as_written(self, text: str) -> str:
        """Return source of the loaded program with the user's words as the user writes them."""
        return _LOADED.sub(lambda found: self._written(found) or found[0], text)

    def _written(self, found: re.Match[str]) -> str:
        each = {"vcpu": Each.VCPU, "pcpu": Each.PCPU, "all": Each.ALL}[found[1]]
        for struct in self.structs:
            for field in struct.fields if struct.each is each else ():
                if field.single and field.index == int(found[3]):
                    return f"{struct.name}({found[2]}).{field.name}"
        return ""

    def _field_name(self, each: Each, index: int) -> str:
        for struct in self.structs:
            for field in struct.fields if struct.each is each else ():
                if field.index <= index < field.index + len(field.start):
                    return f"{struct.name}.{field.name}" + ("" if field.single else f"[{index - field.index}]")
        return f"own[{index}]"


_MOST: Final = Machine.fields["own_vcpus"].count
NOTHING_OWN: Final = Own()


def _areas(machine: Machine, each: Each, pcpus: int, vcpus: int) -> Iterable[OwnWords]:
    """Return the areas in which a struct lies."""
    if each is Each.ALL:
        return [machine.own_shared]
    if each is Each.VCPU:
        return [machine.own_vcpus[i] for i in range(vcpus)]
    return [machine.own_pcpus[i] for i in range(pcpus)]
