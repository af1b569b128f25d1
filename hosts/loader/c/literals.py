"""Numbers and characters as they are written in C."""

from __future__ import annotations

import re
from typing import Final

from hosts.loader.c.types import INT, LONG, UINT, ULONG
from hosts.loader.c.values import Number, constant

_NUMBER: Final = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)([uUlL]*)$")
_ESCAPES: Final = {"n": 10, "t": 9, "r": 13, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11, "\\": 92, "'": 39, '"': 34}
_MOST: Final = 1 << 64


def number(text: str) -> Number | None:
    """Return a number in the first type that holds it."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits, suffix = match.group(1), match.group(2), match.group(3).lower()
    if suffix.count("u") > 1 or suffix.count("l") > 2:  # noqa: PLR2004 - LL
        return None
    base = {"0x": 16, "0b": 2}.get(digits[:2].lower(), 8 if digits[0] == "0" and len(digits) > 1 else 10)
    try:
        value = int(digits[2:] if base in (16, 2) else digits, base)
    except ValueError:
        return None
    if value >= _MOST:
        return None
    unsigned, wide = "u" in suffix, "l" in suffix
    if value > LONG.most and base == 10 and not unsigned:  # noqa: PLR2004
        return None
    kinds = [kind for kind in (INT, UINT, LONG, ULONG) if not (wide and kind in (INT, UINT))]
    if unsigned:
        kinds = [kind for kind in kinds if not kind.signed]
    elif base == 10:  # noqa: PLR2004
        kinds = [kind for kind in kinds if kind.signed]
    kind = next(kind for kind in kinds if value < 1 << (kind.bits - kind.signed))
    value = -value if sign == "-" else value
    return constant(value, kind)


_ASCII: Final = 127


def character(text: str) -> Number | None:
    """Return a character, which is an int."""
    inner = text.strip("'") if text != "'\\''" else "\\'"
    if text[:1] != "'" or not inner.isascii():
        return None
    if len(inner) == 1:
        return constant(ord(inner), INT)
    if inner[:1] == "\\" and inner[1:] in _ESCAPES:
        return constant(_ESCAPES[inner[1:]], INT)
    for pattern, base in ((r"\\x([0-9a-fA-F]{1,2})", 16), (r"\\([0-7]{1,3})", 8)):
        match = re.fullmatch(pattern, inner)
        if match is not None:
            value = int(match.group(1), base)
            return constant(value, INT) if value <= _ASCII else None  # whether a char has a sign depends on the kernel
    return None
