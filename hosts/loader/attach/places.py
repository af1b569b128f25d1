"""Places of words in a function in A-normal form: which fields of which structs a word may be."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

from emu.memory import Struct
from hosts.loader.syntax.language import parameters, walk

Places = frozenset[str]
"""Fields, as ``Struct.field``; a word that is none of those asked for has none."""
_NONE: Final[Places] = frozenset()


class Fields:
    """The fields of all structs of a program, of which some are asked for."""

    def __init__(self, values: Iterable[object], wanted: Iterable[str]) -> None:
        self.owners: dict[str, set[str]] = {}
        """By the name of a field, the structs that have it."""
        for value in values:
            if isinstance(value, type) and issubclass(value, Struct):
                for name in value.fields:
                    self.owners.setdefault(name, set()).add(value.__name__)
        self.wanted = frozenset(wanted)

    def of(self, name: str) -> Places | None:
        """Return the places that a field of this name is; None if that depends on the struct."""
        found = {f"{owner}.{name}" for owner in self.owners.get(name, ())}
        wanted = self.wanted & found
        return None if wanted and len(found) > 1 else wanted


class PlacesOf:
    """The places of the words that a function uses."""

    def __init__(self, function: ast.FunctionDef, fields: Fields) -> None:
        self.fields = fields
        self.unknown = set(parameters(function))
        self.assigned: Mapping[str, list[ast.expr]] = _assigned(function)
        self._looked_at: set[str] = set()

    def of(self, node: ast.expr) -> Places | None:
        """Return the places that an expression may be; None if nobody knows."""
        match node:
            case ast.Attribute(attr=name):
                return self.fields.of(name)
            case ast.Subscript(value=value):
                return self.of(value)
            case ast.IfExp(body=body, orelse=orelse):
                return _either([self.of(body), self.of(orelse)])
            case ast.BoolOp(values=values):
                return _either([self.of(value) for value in values])
            case ast.Name(id=name):
                return self._of_local(name)
        return None

    def _of_local(self, name: str) -> Places | None:
        if name in self._looked_at:
            return _NONE
        if name in self.unknown or name not in self.assigned:
            return None
        self._looked_at.add(name)
        found = _either([self.of(value) for value in self.assigned[name]])
        self._looked_at.discard(name)
        return found


def _either(several: list[Places | None]) -> Places | None:
    known = [each for each in several if each is not None]
    return frozenset().union(*known) if len(known) == len(several) else None


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """Return what is assigned to each local."""
    found: dict[str, list[ast.expr]] = {}
    for node in walk(*function.body):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    for name in walk(target):
                        if isinstance(name, ast.Name):
                            found.setdefault(name.id, []).append(_part(target, name, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
            case ast.AugAssign(target=ast.Name(id=name), value=value) | ast.For(target=ast.Name(id=name), iter=value):
                found.setdefault(name, []).append(value)
    return found


def _part(target: ast.expr, name: ast.Name, value: ast.expr) -> ast.expr:
    """Return the part of a value that a name is assigned."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        return value.elts[target.elts.index(name)]
    return value
