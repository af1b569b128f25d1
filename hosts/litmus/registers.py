"""The registers of herd7's two x86 architectures, under its names and in its order.

X86 knows 32-bit registers in capitals only. X86_64 knows every part of a register in either case, but the initial state
and the condition name the whole register only (``rax``, never ``eax``).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Arch = Literal["X86", "X86_64"]

ORDER: Final = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp", *(f"r{n}" for n in range(8, 16)))
"""Registers by number, as herd7 sorts them."""
ACCUMULATOR: Final = 0
ZF, SF, CF, OF, PF = FLAGS = range(len(ORDER), len(ORDER) + 5)
COUNT: Final = FLAGS.stop
"""Registers and flags that a thread has."""


class Part(NamedTuple):
    """A register, or a part of one."""

    number: int
    bits: int
    shift: int = 0
    """8 for ah, bh, ch and dh, so that a width alone does not identify a part."""


COUNT_REGISTER: Final = Part(2, 8)
"""cl, by which a shift counts."""


def _parts_64() -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for number, base in enumerate(ORDER):
        if base[1:].isdigit():
            names = {64: base, 32: base + "d", 16: base + "w", 8: base + "b"}
        else:
            names = {64: "r" + base, 32: "e" + base, 16: base, 8: base[0] + "l" if base[1] == "x" else base + "l"}
        parts.update({name: Part(number, bits) for bits, name in names.items()})
    parts.update({f"{letter}h": Part(ORDER.index(f"{letter}x"), 8, 8) for letter in "abcd"})
    return parts


PARTS_64: Final = _parts_64()
NAMES_64: Final = {part.number: name for name, part in PARTS_64.items() if part.bits == 64}  # noqa: PLR2004
NAMES_32: Final = {number: f"E{ORDER[number]}".upper() for number in range(8)} | {ZF: "ZF", SF: "SF", CF: "CF"}
PARTS_32: Final = {name: Part(number, 32) for number, name in NAMES_32.items() if number < ZF}


def width(arch: Arch) -> int:
    """Return the bits of a whole register."""
    return 64 if arch == "X86_64" else 32


def part(arch: Arch, name: str) -> Part | None:
    """Return what an instruction means by a name; None if it is no register."""
    return PARTS_64.get(name.lower()) if arch == "X86_64" else PARTS_32.get(name)


def number(arch: Arch, name: str) -> int | None:
    """Return the register that the initial state or the condition means by a name."""
    names = NAMES_64 if arch == "X86_64" else NAMES_32
    wanted = name.lower() if arch == "X86_64" else name
    return next((each for each, known in names.items() if known == wanted), None)


def spelling(arch: Arch, register: int) -> str:
    """Return the name that herd7 prints."""
    return NAMES_64[register] if arch == "X86_64" else NAMES_32[register]
