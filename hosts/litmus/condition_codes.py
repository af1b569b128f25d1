"""The conditions of conditional jumps, ``setcc`` and ``cmovcc``, as the manual's tables have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hosts.litmus.registers import CF, OF, PF, SF, ZF

UNDEFINED: Final = 2
"""A flag of which the manual does not say what it holds."""
FLAG_NAMES: Final = {ZF: "ZF", SF: "SF", CF: "CF", OF: "OF", PF: "PF"}


class Condition(NamedTuple):
    """What has to hold, or must not."""

    code: str
    negated: bool


FLAGS_READ: Final = {
    "o": (OF,),
    "b": (CF,),
    "e": (ZF,),
    "be": (CF, ZF),
    "s": (SF,),
    "p": (PF,),
    "l": (SF, OF),
    "le": (ZF, SF, OF),
}
"""Conditions, with the flags they depend on."""
_NAMES: Final = {
    "o": ("o", "no"),
    "b": ("b c nae", "nb nc ae"),
    "e": ("e z", "ne nz"),
    "be": ("be na", "nbe a"),
    "s": ("s", "ns"),
    "p": ("p pe", "np po"),
    "l": ("l nge", "nl ge"),
    "le": ("le ng", "nle g"),
}
"""Suffixes for each, and for its opposite."""
CONDITIONS: Final = {
    suffix: Condition(code, negated)
    for code, both in _NAMES.items()
    for negated, names in zip((False, True), both, strict=True)
    for suffix in names.split()
}


class UndefinedFlagError(Exception):
    """A condition looks at a flag that is undefined; the flag's name."""


def fulfilled(condition: Condition, registers: Sequence[int]) -> bool:
    """Return whether the flags are so; UndefinedFlagError."""
    flags = [registers[each] for each in FLAGS_READ[condition.code]]
    if UNDEFINED in flags:
        raise UndefinedFlagError(FLAG_NAMES[FLAGS_READ[condition.code][flags.index(UNDEFINED)]])
    held = {
        "l": lambda: flags[0] != flags[1],
        "le": lambda: bool(flags[0]) or flags[1] != flags[2],
    }.get(condition.code, lambda: any(flags))()
    return held != condition.negated
