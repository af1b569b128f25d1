"""Structs in shared memory: a value is an address, an attribute is the address of a field.

``vcpu.mode`` is the address of a word, to be used as ``READ_ONCE(vcpu.mode)``, just as C code passes
``&vcpu->mode``. Two struct values are equal when they are the same object in memory, and a struct at address 0 is
false: the comparison ``vcpu != kvm_get_running_vcpu()`` means here what it means in the kernel.

Addresses are in bytes and every word is a signed 64-bit number, on every host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, NewType, TypeVar, cast

WORD_BYTES = 8
LINE_BYTES = 64

Word = NewType("Word", int)
"""The address of one signed 64-bit word."""


class Words:
    """The address of consecutive words; indexing gives the address of one of them (no bounds are checked)."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        """Name the words that begin at byte address ``at``."""
        self.at = at

    def __getitem__(self, index: int) -> Word:
        """Return the address of word ``index``."""
        return Word(self.at + index * WORD_BYTES)

    def __eq__(self, other: object) -> bool:
        """Compare addresses."""
        return type(other) is Words and other.at == self.at

    def __hash__(self) -> int:
        """Hash the address."""
        return hash((Words, self.at))


class _Field:
    """One field of a struct: its byte offset, and what its attribute evaluates to."""

    def __init__(self, of: Any, count: int, line: bool = False) -> None:  # noqa: ANN401 - Word, Words or a struct
        self.of = of
        self.count = count
        self.line = line
        self.offset = 0

    @property
    def nbytes(self) -> int:
        return self.count * (WORD_BYTES if self.of in (Word, Words) else self.of.nbytes)

    @property
    def align(self) -> int:
        if self.line:
            return LINE_BYTES
        return WORD_BYTES if self.of in (Word, Words) else self.of.align

    def getter(self) -> Callable[[Struct], Any]:
        """Return what a property calls: plain Python reads fields by the million."""
        of, offset = self.of, self.offset
        if of is Word:
            return lambda owner: owner.at + offset
        if of is Words or self.count == 1:
            return lambda owner: of(owner.at + offset)
        return lambda owner: Array(of, owner.at + offset)


class Struct:
    """Base of all structs in shared memory. Subclasses list fields with :func:`word`, :func:`words`, ..."""

    __slots__ = ("at",)
    fields: ClassVar[dict[str, _Field]] = {}
    nbytes: ClassVar[int] = 0
    align: ClassVar[int] = WORD_BYTES

    def __init__(self, at: int) -> None:
        """Name the struct at byte address ``at``; 0 is the null pointer."""
        self.at = at

    def __init_subclass__(cls, line: bool = False) -> None:
        """Lay the fields out in the order written; ``line`` starts (and pads to) a cache line of its own."""
        cls.fields = {name: value for name, value in vars(cls).items() if isinstance(value, _Field)}
        offset, align = 0, LINE_BYTES if line else WORD_BYTES
        for name, field in cls.fields.items():
            align = max(align, field.align)
            field.offset = offset = _round_up(offset, field.align)
            offset += field.nbytes
            setattr(cls, name, property(field.getter()))
        cls.align, cls.nbytes = align, _round_up(offset, align)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same object in memory."""
        return type(other) is type(self) and other.at == self.at

    def __hash__(self) -> int:
        """Hash the kind and the address."""
        return hash((type(self).__name__, self.at))

    def __bool__(self) -> bool:
        """Return whether this is no null pointer."""
        return self.at != 0

    def __repr__(self) -> str:
        """Show the kind and the address."""
        return f"{type(self).__name__}({self.at:#x})"


S = TypeVar("S", bound=Struct)


class Array(Generic[S]):
    """The address of consecutive structs of one kind; indexing gives one of them."""

    __slots__ = ("at", "of")

    def __init__(self, of: type[S], at: int) -> None:
        """Name the structs of class ``of`` that begin at byte address ``at``."""
        self.of = of
        self.at = at

    def __getitem__(self, index: int) -> S:
        """Return struct ``index``."""
        return self.of(self.at + index * self.of.nbytes)


def _round_up(value: int, to: int) -> int:
    return -(-value // to) * to


def word(*, line: bool = False) -> Word:
    """Declare a field of one word; ``line`` makes it the first of a new cache line."""
    return cast("Word", _Field(Word, 1, line))


def words(count: int, *, line: bool = False) -> Words:
    """Declare a field of ``count`` consecutive words; ``line`` as in :func:`word`."""
    return cast("Words", _Field(Words, count, line))


def struct(of: type[S]) -> S:
    """Declare a field that is itself a struct."""
    return cast("S", _Field(of, 1))


def array(of: type[S], count: int) -> Array[S]:
    """Declare a field of ``count`` (more than one) consecutive structs."""
    return cast("Array[S]", _Field(of, count))
