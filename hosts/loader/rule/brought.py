"""Functions of the user's on their way into the program, from whatever language they were read."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from hosts.loader.own.classes import NOTHING_BROUGHT, Brings
from hosts.loader.syntax.language import Origin

Meant = Callable[[str], object]
"""What a name in an annotation stands for; None if nobody knows."""


def nothing_meant(_name: str) -> object:
    """Return what a name in the annotations of a language without any stands for."""
    return None


@dataclass(frozen=True)
class Brought:
    """Functions under the names that they have in the program: a protocol function's takes the place of that one."""

    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    """Where each function stands."""
    values: dict[str, object] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    """The names that functions and values have in the user's file."""
    meant: Mapping[str, Meant] = field(default_factory=dict)
    """What names in a function's annotations stand for."""
    brings: Brings = NOTHING_BROUGHT
    """What is declared besides."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """What stays the protocol's, though the user's kernel has a function of the name, with the reason."""

    def without(self, names: Collection[str]) -> Brought:
        """Return it without functions that others have brought before."""
        left = {name: tree for name, tree in self.functions.items() if name not in names}
        return replace(self, functions=left)


def together(several: Iterable[Brought]) -> Brought:
    """Return all in one. They have different names."""
    functions: dict[str, ast.FunctionDef] = {}
    origins: dict[str, Origin] = {}
    values: dict[str, object] = {}
    own: dict[str, str] = {}
    meant: dict[str, Meant] = {}
    brings = NOTHING_BROUGHT
    kept: dict[str, str] = {}
    for each in several:
        functions |= each.functions
        origins |= each.origins
        values |= each.values
        own |= each.own
        meant |= each.meant
        brings = brings.with_more(each.brings)
        kept |= each.kept
    return Brought(functions, origins, values, own, meant, brings, kept)
