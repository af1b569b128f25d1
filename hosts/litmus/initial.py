"""The initial state: ``{ x=1; uint64_t y; 0:rax=x; int *p=&y; int a[2]={5,6}; }``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn

from hosts.litmus import registers
from hosts.litmus.errors import LitmusError
from hosts.litmus.registers import Arch
from hosts.litmus.syntax import INT, Address, Memory, Place, Register, Type, Value, element
from hosts.litmus.tokens import Cursor, Token, check_fits, number
from hosts.litmus.types import pointer, read_type

MOST_ELEMENTS: Final = 256
"""Of an array, and of threads that are named."""
UNSAID: Final = "what an address in an array is: herd7 counts bytes there, C counts elements; write &a[1]"
BYTE: Final = 8


@dataclass
class Initial:
    """What the initial state says."""

    types: dict[Place, Type] = field(default_factory=dict)
    values: dict[Place, Value] = field(default_factory=dict)
    """Those that are given."""
    lines: dict[Place, int] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
    """How many elements each has."""

    def element(self, array: Token, index: int) -> Memory:
        """Return an element of an array, which has to have it."""
        if index >= self.arrays.get(array.text, 0):
            has = f"has {self.arrays[array.text]} elements" if array.text in self.arrays else "is no array"
            raise LitmusError(array.line, f"{array.text}[{index}]: {array.text} {has}")
        return Memory(element(array.text, index))


def read_initial(cursor: Cursor, arch: Arch) -> Initial:
    """Read the whole of it."""
    found = Initial()
    while not cursor.ended:
        if cursor.accept(";"):
            continue
        _declaration(cursor, arch, found)
        if not cursor.ended:
            cursor.expect(";")
    return found


def _declaration(cursor: Cursor, arch: Arch, found: Initial) -> None:
    line = cursor.line
    kind = read_type(cursor, arch)
    place = read_place(cursor, arch)
    if place in found.lines or (isinstance(place, Memory) and place.name in found.arrays):
        raise LitmusError(line, f"{_told(place, arch)} is given twice")
    if isinstance(place, Memory) and cursor.lookahead().text == "[":
        _array(cursor, arch, found, place.name, kind)
        return
    found.lines[place] = line
    value = _given(cursor, arch, found, kind if isinstance(place, Memory) else None)
    if kind is None and isinstance(value, Address):
        kind = pointer(arch)
    if kind is not None:
        found.types[place] = kind
    if value is not None:
        found.values[place] = value


def _given(cursor: Cursor, arch: Arch, found: Initial, kind: Type | None) -> Value | None:
    """Read what stands behind ``=``, if that is there."""
    if not cursor.accept("="):
        return None
    line = cursor.line
    value = read_value(cursor, arch, found)
    if kind is not None and isinstance(value, int):
        check_fits(line, value, kind.bits)
    return value


def _array(cursor: Cursor, arch: Arch, found: Initial, name: str, kind: Type | None) -> None:
    """Read ``[2]`` and ``[2]={5,6}``."""
    cursor.expect("[")
    line = cursor.line
    count = read_count(cursor.expect_kind("number", "the number of elements"), 1)
    cursor.expect("]")
    kind = kind or INT
    values: list[Value] = []
    if cursor.accept("="):
        values = read_values(cursor, arch, found, kind)
        if len(values) != count:
            raise LitmusError(line, f"{name} has {count} elements, and {len(values)} are given")
    found.arrays[name] = count
    for index in range(count):
        place = Memory(element(name, index))
        found.lines[place], found.types[place] = line, kind
        found.values |= {place: values[index]} if values else {}


def read_values(cursor: Cursor, arch: Arch, found: Initial, kind: Type) -> list[Value]:
    """Read ``{5,6}``."""
    cursor.expect("{")
    values: list[Value] = []
    while not values or cursor.accept(","):
        line = cursor.line
        values.append(read_value(cursor, arch, found))
        if isinstance(values[-1], int):
            check_fits(line, values[-1], kind.bits)
    cursor.expect("}")
    return values


def read_count(token: Token, least: int = 0) -> int:
    """Return a number of threads or elements."""
    if token.kind != "number" or not least <= number(token) <= MOST_ELEMENTS:
        raise LitmusError(token.line, f"a number from {least} to {MOST_ELEMENTS} is wanted where {token} stands")
    return number(token)


def read_place(cursor: Cursor, arch: Arch) -> Place:
    """Read ``x``, ``[x]`` or ``0:rax``."""
    if cursor.accept("["):
        name = cursor.expect_kind("name", "a location").text
        cursor.expect("]")
        return Memory(name)
    token = cursor.take()
    if cursor.lookahead().text == ":":
        return _register(cursor, arch, token._replace(text=token.text.removeprefix("P")))
    if token.kind != "name":
        raise LitmusError(token.line, f"a location or a register is wanted where {token} stands")
    return Memory(token.text)


def _register(cursor: Cursor, arch: Arch, thread: Token) -> Register:
    cursor.expect(":")
    name = cursor.take().text.removeprefix("%")
    found = registers.number(arch, name)
    if found is None:
        _no_register(arch, thread, name)
    if not thread.text.isascii() or not thread.text.isdigit():
        raise LitmusError(thread.line, f"a thread's number is wanted where {thread} stands")
    return Register(read_count(thread._replace(kind="number")), found)


def _no_register(arch: Arch, thread: Token, name: str) -> NoReturn:
    whole = registers.part(arch, name)
    if name.lower() in ("rip", "eip", "cs"):
        raise LitmusError(thread.line, f"{thread.text}:{name} is not modelled")
    hint = f" (the whole register is {registers.spelling(arch, whole.number)})" if whole is not None else ""
    raise LitmusError(thread.line, f"{thread.text}:{name} is no register of {arch}{hint}")


def read_value(cursor: Cursor, arch: Arch, found: Initial) -> Value:
    """Read a number, or a location whose address is meant."""
    of = cursor.accept("&")
    if cursor.lookahead().kind == "number" and not of:
        return number(cursor.take(), registers.width(arch))
    token = cursor.expect_kind("name", "a number or a location")
    if not cursor.accept("["):
        return Address(token.text)
    index = read_count(cursor.take())
    cursor.expect("]")
    if not of:
        raise LitmusError(token.line, f"{token.text}[{index}] does not say {UNSAID}")
    place = found.element(token, index)
    return Address(token.text, index * found.types[place].bits // BYTE)


def _told(place: Place, arch: Arch) -> str:
    if isinstance(place, Memory):
        return place.name
    return f"{place.thread}:{registers.spelling(arch, place.number)}"
