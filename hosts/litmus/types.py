"""The types of C in which a test may declare its locations and registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hosts.litmus import registers
from hosts.litmus.errors import LitmusError
from hosts.litmus.registers import Arch
from hosts.litmus.syntax import Type
from hosts.litmus.tokens import Cursor, Token

TYPES: Final[Mapping[str, Type]] = {
    name: Type(bits, signed)
    for signed, bits, names in (
        (True, 8, ("char", "signed char", "int8_t")),
        (False, 8, ("unsigned char", "uint8_t")),
        (True, 16, ("short", "short int", "int16_t")),
        (False, 16, ("unsigned short", "unsigned short int", "uint16_t")),
        (True, 32, ("int", "int32_t", "signed", "signed int", "atomic_t")),
        (False, 32, ("unsigned", "unsigned int", "uint32_t")),
        (True, 64, ("int64_t", "intptr_t", "long long", "long long int")),
        (False, 64, ("uint64_t", "uintptr_t", "unsigned long long", "unsigned long long int")),
    )
    for name in names
}
AS_ACCESSED: Final = frozenset({"long", "long int"})
"""herd7 shows them as int; they are as wide as what is done to them."""
QUALIFIERS: Final = frozenset({"_Atomic", "volatile", "const"})
WORDS: Final = frozenset(word for name in {*TYPES, *AS_ACCESSED} for word in name.split())


def pointer(arch: Arch) -> Type:
    """Return the type of an address."""
    return Type(registers.width(arch), signed=False, pointer=True)


def read_type(cursor: Cursor, arch: Arch) -> Type | None:
    """Take the type in front of a place, if there is one."""
    if cursor.accept("*"):
        return pointer(arch)
    qualified = False
    while cursor.accept(*QUALIFIERS):
        qualified = True
    if cursor.lookahead().kind != "name" or not (qualified or _place_follows(cursor)):
        return None
    words = [cursor.take()]
    while words[-1].text in WORDS and cursor.lookahead().text in WORDS and _place_follows(cursor):
        words.append(cursor.take())
    if cursor.accept("*"):
        return pointer(arch)
    return _known(words)


def _place_follows(cursor: Cursor) -> bool:
    after = cursor.lookahead(1)
    indexed = after.text == "[" and cursor.lookahead(2).kind == "name"
    return after.kind in ("name", "number") or after.text == "*" or indexed


def _known(words: list[Token]) -> Type | None:
    name = " ".join(word.text for word in words)
    if name in AS_ACCESSED:
        return None
    if name not in TYPES:
        raise LitmusError(words[0].line, f"the type {name} is not known")
    return TYPES[name]
