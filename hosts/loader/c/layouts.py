"""Structs and unions that the files themselves declare, laid out as the compiler does, for locals of their type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hosts.loader.c.rules import WordField
from hosts.loader.c.source import declared_name, part, parts, text_of
from hosts.loader.c.types import INT_BITS, ULONG, WORD_BITS, Array, CType, Integer, size_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    TypeOf = Callable[[Node, Node | None], CType]


@dataclass(frozen=True)
class Member:
    """A member, where it lies."""

    name: str
    type: Integer
    begin: int
    """In bits."""
    bits: int
    is_bit_field: bool = False

    @property
    def end(self) -> int:
        """Return the bit behind it."""
        return self.begin + self.bits


@dataclass(frozen=True)
class Layout:
    """What a local of such a type consists of."""

    fields: dict[str, WordField]
    words: dict[str, Integer]
    """The locals that stand for it, with their types."""


class UnknownLayoutError(Exception):
    """A declaration whose layout is not known here; says why."""


def layout(node: Node, type_of: TypeOf) -> Layout:
    """Return the layout of a struct or union from its declaration.

    A member that shares no bit with another is a local of its own; what overlaps is a part of one word.
    """
    members, _, _ = _members(node, type_of, 0)
    fields: dict[str, WordField] = {}
    words: dict[str, Integer] = {}
    for member in members:
        others = [each for each in members if each is not member and _overlap(each, member)]
        alone = not others and not member.is_bit_field
        if alone:
            fields[member.name] = WordField(member.name, member.type.spelled, shared=False)
            words[member.name] = member.type
            continue
        number, shift = divmod(member.begin, WORD_BITS)
        if shift + member.bits > WORD_BITS:
            raise UnknownLayoutError(f"{member.name} lies across two words")
        path = f"word{number}"
        bits = member.bits if member.is_bit_field else 0
        fields[member.name] = WordField(path, member.type.spelled, shared=False, shift=shift, bits=bits)
        words[path] = ULONG
    return Layout(fields, words)


def _overlap(one: Member, other: Member) -> bool:
    return one.begin < other.end and other.begin < one.end


def _members(node: Node, type_of: TypeOf, begin: int) -> tuple[list[Member], int, int]:
    """Return the members of a struct or union that begins at a bit; its size and alignment in bits."""
    body = part(node, "body")
    if body is None:
        raise UnknownLayoutError("it is declared elsewhere")
    found: list[Member] = []
    at, most, strictest = 0, 0, 8
    for line in parts(body):
        if line.type != "field_declaration":
            raise UnknownLayoutError(f"{text_of(line)!r} is not understood")
        for new, offset, size, align in _line(line, type_of, at if node.type == "struct_specifier" else 0, begin):
            found += new
            most, strictest = max(most, offset + size), max(strictest, align)
            at = offset + size
    return found, -(-most // strictest) * strictest, strictest


def _line(line: Node, type_of: TypeOf, at: int, begin: int) -> list[tuple[list[Member], int, int, int]]:
    """Return what a line declares: members, where they begin in the struct, size, alignment."""
    base = part(line, "type")
    if base is None:
        raise UnknownLayoutError(f"{text_of(line)!r} is not understood")
    declarators = line.children_by_field_name("declarator")
    if not declarators:
        if base.type not in ("struct_specifier", "union_specifier"):
            raise UnknownLayoutError(f"{text_of(line)!r}: a bit-field without a name")
        _, size, align = _members(base, type_of, 0)
        offset = _up(at, align)
        members, _, _ = _members(base, type_of, begin + offset)
        return [(members, offset, size, align)]
    widths = [each for each in line.named_children if each.type == "bitfield_clause"]
    if widths and len(widths) != len(declarators):
        raise UnknownLayoutError(f"{text_of(line)!r}: bit-fields beside others")
    made = []
    for number, declarator in enumerate(declarators):
        kind = type_of(base, declarator)
        length, name = size_of(kind), declared_name(declarator)
        if length is None or name is None:
            raise UnknownLayoutError(f"{text_of(line)!r}: its size is not known")
        align = 8 * _alignment(kind)
        if widths:
            made.append(_bit_field(text_of(name), kind, widths[number], at, begin))
        else:
            offset = _up(at, align)
            member = [Member(text_of(name), kind, begin + offset, kind.bits)] if isinstance(kind, Integer) else []
            made.append((member, offset, length * 8, align))
        at = made[-1][1] + made[-1][2]
    return made


def _alignment(kind: CType) -> int:
    """Return what the address of a member is a multiple of."""
    while isinstance(kind, Array):
        kind = kind.of
    return kind.bytes if isinstance(kind, Integer) else WORD_BITS // 8


def _bit_field(name: str, kind: CType, width: Node, at: int, begin: int) -> tuple[list[Member], int, int, int]:
    """Return a bit-field: it begins a new unit of its type if it does not fit the one that is begun."""
    bits = int(text_of(parts(width)[0]), 0) if text_of(parts(width)[0]).isdigit() else 0
    if not isinstance(kind, Integer) or kind.signed or not 0 < bits <= min(kind.bits, INT_BITS):
        raise UnknownLayoutError(f"{name}: a bit-field that is not unsigned, of 1 to 32 bits")
    if at // kind.bits != (at + bits - 1) // kind.bits:
        at = _up(at, kind.bits)
    return [Member(name, kind, begin + at, bits, is_bit_field=True)], at, bits, kind.bits


def _up(at: int, align: int) -> int:
    return -(-at // align) * align
