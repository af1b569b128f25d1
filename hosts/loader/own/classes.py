"""Structs of a user's as classes, for the inference alone: the program has only :class:`emu.machine.OwnWords`.

``Doorbell(vcpu).rung`` becomes ``own_of_vcpu(vcpu).words[0]``. So no host has to know a class that a file brings along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from emu.machine import Pcpu, Vcpu
from emu.memory import Struct, word, words
from hosts.loader.own.declared import Each, OwnField, OwnStruct, Use


class OwnClass(Struct):
    """Base of these classes."""

    declared: ClassVar[OwnStruct]

    @classmethod
    def field(cls, name: str) -> OwnField:
        """Return what was declared of a field."""
        return next(each for each in cls.declared.fields if each.name == name)


def _of_vcpu(self: OwnClass, vcpu: Vcpu) -> None: ...


def _of_pcpu(self: OwnClass, pcpu: Pcpu) -> None: ...


def _of_all(self: OwnClass) -> None: ...


_MADE: Final[dict[Each, Callable[..., None]]] = {Each.VCPU: _of_vcpu, Each.PCPU: _of_pcpu, Each.ALL: _of_all}
ACCESSORS: Final = {Each.VCPU: "own_of_vcpu", Each.PCPU: "own_of_pcpu", Each.ALL: "own_of_all"}
"""The function of the protocol (:mod:`emu.own_words`) that says where a struct lies."""
OWNERS: Final[dict[Each, type[Struct] | None]] = {Each.VCPU: Vcpu, Each.PCPU: Pcpu, Each.ALL: None}


def is_own_class(value: object) -> bool:
    """Return whether something is one of these classes."""
    return isinstance(value, type) and issubclass(value, OwnClass)


def class_of(struct: OwnStruct) -> type[OwnClass]:
    """Make the class of a struct."""
    made: dict[str, Any] = {each.name: word() if each.single else words(len(each.start)) for each in struct.fields}
    return type(struct.name, (OwnClass,), {**made, "declared": struct, "__init__": _MADE[struct.each]})


@dataclass(frozen=True)
class Brings:
    """What the inference has to know of a code's declarations, by the names that things have in the program."""

    uses: Mapping[str, Use] = field(default_factory=dict)
    """How words may be used, by their places: ``Doorbell.rung``."""
    windows: frozenset[str] = frozenset()
    """The constants that stand for windows."""
    checks: frozenset[str] = frozenset()
    """The functions that are checks, or that only checks call."""
    acts: frozenset[str] = frozenset()
    """The functions that are acts, or that only acts call."""

    def with_more(self, more: Brings) -> Brings:
        """Return both in one."""
        return Brings(
            {**self.uses, **more.uses}, self.windows | more.windows, self.checks | more.checks, self.acts | more.acts
        )


NOTHING_BROUGHT: Final = Brings()


def uses_of(structs: Iterable[OwnStruct]) -> dict[str, Use]:
    """Return how the words of some structs may be used."""
    return {f"{struct.name}.{each.name}": each.use for struct in structs for each in struct.fields}
