"""Context of the passes over a user's rule: what has been inferred of its functions, and the program around them."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from emu.memory import Word, Words
from hosts.loader.own.classes import NOTHING_BROUGHT, Brings, OwnClass
from hosts.loader.rule.brought import Meant, nothing_meant
from hosts.loader.rule.replacement import OF_A_RULE, Reach
from hosts.loader.rule.types import Kind, What, of_annotation
from hosts.loader.syntax.language import Origin
from hosts.loader.syntax.names import PRIMITIVES, Scope, calls

Local = tuple[str, str]
"""A function and one of its locals."""
_NEVER_NULL: Final = frozenset({"machine", "this_pcpu", "config"})


@dataclass
class Known:
    """What has been found out about all functions of a rule; grows from round to round."""

    kinds: dict[Local, Kind] = field(default_factory=dict)
    """What is assigned to a local."""
    declared: dict[Local, Kind] = field(default_factory=dict)
    """What a parameter has to be."""
    results: dict[str, Kind] = field(default_factory=dict)
    as_word: dict[Local, int] = field(default_factory=dict)
    """Locals that are used as a word, with the line."""
    copies: set[tuple[Local, Local]] = field(default_factory=set)
    """Locals that are assigned to others."""
    given: set[Local] = field(default_factory=set)
    """Parameters that hold what the emulated kernel has given."""
    acting: set[str] = field(default_factory=set)
    """Functions that do something others notice or answer."""

    def size(self) -> tuple[object, ...]:
        """Return something that changes as more is known."""
        return dict(self.kinds), dict(self.results), len(self.as_word), len(self.copies), len(self.acting)


@dataclass(frozen=True)
class Around:
    """What a rule's functions stand in."""

    scope: Scope
    modules: Mapping[str, str]
    """The modules of the protocol's functions."""
    own: Mapping[str, str]
    """The names that things of the user's have in the user's file."""
    mine: AbstractSet[str]
    """The names of the user's functions."""
    origins: Mapping[str, Origin]
    """Where each of these stands."""
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    """What each of these may do besides what a rule may."""
    meaning: Mapping[str, Meant] = field(default_factory=dict)
    """What names in the annotations of each of these stand for."""
    replaced: AbstractSet[str] = frozenset()
    """Those of these that take the place of protocol functions, which the emulated kernel calls."""
    brings: Brings = NOTHING_BROUGHT
    """What inference has to know of the declarations of the user's code."""
    files: Sequence[str] = ()
    """The user's files, by the number that a run-time fault tells."""

    def file_number(self, function: str) -> int:
        """Return the number of the file that a function stands in; one too high for a file that is not the user's."""
        file = self.origins[function].file
        return self.files.index(file) if file in self.files else len(self.files)

    def reach(self, function: str) -> Reach:
        """Return what a function of the user's may do besides what a rule may."""
        return self.reaches.get(function, OF_A_RULE)

    def meant_in(self, function: str) -> Meant:
        """Return what names in a function's annotations stand for."""
        return self.meaning.get(function, nothing_meant)

    @functools.cached_property
    def own_classes(self) -> dict[str, type[OwnClass]]:
        """The structs of the user's, by their names in the program."""
        return {
            name: value
            for name, value in self.scope.values.items()
            if isinstance(value, type) and issubclass(value, OwnClass)
        }

    def primitives_of(self, name: str) -> Iterator[str]:
        """Yield the primitives that a function of the protocol comes to call; of a primitive, itself."""
        left, seen = [name], {name}
        while left:
            each = left.pop()
            if each in PRIMITIVES:
                yield each
            elif each in self.scope.functions:
                new = calls(self.scope.functions[each]).keys() - seen
                seen |= new
                left += new

    def meant(self, name: str) -> object:
        """Return what a name in the protocol's annotations stands for."""
        return self.scope.values.get(name, {"Word": Word, "Words": Words}.get(name))

    def annotated(self, function: str) -> tuple[dict[str, Kind], Kind]:
        """Return the kinds of a function's parameters and of its result."""
        if function in self.scope.functions:
            tree = self.scope.functions[function]
            given = {each.arg: of_annotation(each.annotation, self.meant) for each in tree.args.args}
            result = of_annotation(tree.returns, self.meant)
        else:
            hints = inspect.get_annotations(PRIMITIVES[function])
            kinds = {name: of_annotation(ast.parse(hint, mode="eval").body, self.meant) for name, hint in hints.items()}
            result = kinds.pop("return")
            given = kinds
        return given, replace(result, may_be_null=result.what is What.STRUCT and function not in _NEVER_NULL)
