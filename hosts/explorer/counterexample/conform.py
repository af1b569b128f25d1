"""Plain values out of a file, held against the types of a dataclass: what does not fit is named with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

WORD: Final = 1 << 63
"""Numbers are words of the machine, or small."""


class Misfit(ValueError):  # noqa: N818 - of a file, not of the program
    """A value that does not fit; the message says which."""


def conform(kind: type[T], value: Any, place: str = "") -> T:
    """Make an object of a dataclass out of what JSON gave; Misfit."""
    if not isinstance(value, dict):
        raise Misfit(f"{place or 'the whole'} is no object")
    hints = get_type_hints(kind)
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    for name in value:
        if name not in known:
            raise Misfit(f"{_at(place, name)[:80]} is not known")
    for name, each in known.items():
        if name not in value and each.default is MISSING and each.default_factory is MISSING:
            raise Misfit(f"{_at(place, name)} is missing")
    return kind(**{name: _fit(hints[name], part, _at(place, name)) for name, part in value.items()})


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _fit(hint: Any, value: Any, place: str) -> Any:
    """Give a value as its type wants it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return conform(hint, value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise Misfit(f"{place} is no list")
        return tuple(_fit(arguments[0], each, f"{place}[{i}]") for i, each in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise Misfit(f"{place} is no object")
        return {
            _key(arguments[0], key, place): _fit(arguments[1], each, _at(place, key)) for key, each in value.items()
        }
    return value if hint is Any else _plain(hint, value, place)


def _key(hint: Any, key: str, place: str) -> Any:
    if hint is not int:
        return key
    if not key.isdecimal() or len(key) > len(str(WORD)):
        raise Misfit(f"{place} has {key[:40]!r} where a number is wanted")
    return int(key)


def _plain(hint: Any, value: Any, place: str) -> Any:
    if type(value) is not hint:
        names = {int: "a whole number", str: "a text", bool: "true or false", NoneType: "null"}
        raise Misfit(f"{place} is not {names[hint]}")
    if hint is int and not -WORD <= value < WORD:
        raise Misfit(f"{place} is out of range: a word has 64 bits")
    return value
