"""The initial state: ``{ x=1; uint64_t y; 0:rax=x; int *p=&y; }``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from hosts.litmus import registers
from hosts.litmus.errors import LitmusError
from hosts.litmus.registers import Arch
from hosts.litmus.syntax import Address, Memory, Place, Register, Type, Value
from hosts.litmus.tokens import Cursor, number

TYPES: Final[Mapping[str, Type]] = {
    name: Type(bits, signed)
    for signed, bits, names in (
        (True, 8, ("char", "int8_t")),
        (False, 8, ("uint8_t",)),
        (True, 16, ("short", "int16_t")),
        (False, 16, ("uint16_t",)),
        (True, 32, ("int", "int32_t")),
        (False, 32, ("uint32_t",)),
        (True, 64, ("int64_t", "intptr_t")),
        (False, 64, ("uint64_t", "uintptr_t")),
    )
    for name in names
}


def read_initial(cursor: Cursor, arch: Arch) -> tuple[dict[Place, Type], dict[Place, Value]]:
    """Read the whole of it: declared types, and values that are not 0."""
    types: dict[Place, Type] = {}
    values: dict[Place, Value] = {}
    seen: set[Place] = set()
    while not cursor.ended:
        if cursor.accept(";"):
            continue
        line = cursor.line
        kind = _type(cursor, arch)
        place = read_place(cursor, arch)
        if place in seen:
            raise LitmusError(line, f"{_told(place, arch)} is given twice")
        seen.add(place)
        if cursor.peek().text in ("[", "{"):
            raise LitmusError(cursor.line, "arrays are not read")
        value = read_value(cursor, registers.width(arch)) if cursor.accept("=") else None
        if kind is None and isinstance(value, Address):
            kind = Type(registers.width(arch), signed=False, pointer=True)
        if kind is not None:
            types[place] = kind
        if value is not None:
            values[place] = value
        if not cursor.ended:
            cursor.expect(";")
    return types, values


def _type(cursor: Cursor, arch: Arch) -> Type | None:
    """Take the type in front of a place, if there is one."""
    if cursor.accept("*"):
        return Type(registers.width(arch), signed=False, pointer=True)
    atomic = cursor.accept("_Atomic")
    after = cursor.peek(1)
    place_follows = after.kind in ("name", "number") or after.text == "*"
    place_follows |= after.text == "[" and cursor.peek(2).kind == "name"
    if cursor.peek().kind != "name" or not (atomic or place_follows):
        return None
    token = cursor.take()
    if cursor.accept("*"):
        return Type(registers.width(arch), signed=False, pointer=True)
    if token.text not in TYPES:
        raise LitmusError(token.line, f"the type {token.text} is not known")
    return TYPES[token.text]


def read_place(cursor: Cursor, arch: Arch) -> Place:
    """Read ``x``, ``[x]`` or ``0:rax``."""
    if cursor.accept("["):
        name = cursor.expect_kind("name", "a location").text
        cursor.expect("]")
        return Memory(name)
    token = cursor.take()
    if cursor.peek().text == ":":
        return _register(cursor, arch, token.text.removeprefix("P"), token.line)
    if token.kind != "name":
        raise LitmusError(token.line, f"a location or a register is wanted where {token} stands")
    return Memory(token.text)


def _register(cursor: Cursor, arch: Arch, thread: str, line: int) -> Register:
    cursor.expect(":")
    name = cursor.take().text.removeprefix("%")
    found = registers.number(arch, name)
    if not thread.isdigit() or found is None:
        _no_register(arch, thread, name, line)
    return Register(int(thread), found)


def _no_register(arch: Arch, thread: str, name: str, line: int) -> NoReturn:
    whole = registers.part(arch, name)
    hint = f" (the whole register is {registers.spelling(arch, whole.number)})" if whole is not None else ""
    raise LitmusError(line, f"{thread}:{name} is no register of {arch}{hint}")


def read_value(cursor: Cursor, bits: int) -> Value:
    """Read a number, or a location whose address is meant."""
    cursor.accept("&")
    if cursor.peek().kind == "number":
        return number(cursor.take().text, bits)
    return Address(cursor.expect_kind("name", "a number or a location").text)


def _told(place: Place, arch: Arch) -> str:
    if isinstance(place, Memory):
        return place.name
    return f"{place.thread}:{registers.spelling(arch, place.number)}"
