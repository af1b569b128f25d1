"""Declarations among a user's functions: which are checks and acts, and how the program comes to call these."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hosts.loader.definition import Definition
from hosts.loader.own.classes import Brings
from hosts.loader.own.declared import Own, Place
from hosts.loader.own.weave import OWN_MODULES, called_instead, redirected, woven
from hosts.loader.rule.brought import Brought
from hosts.loader.rule.replacement import without_result
from hosts.loader.syntax.names import calls

_CHECK = "def check(vcpu: Vcpu) -> int: return 0"
_ACT = "def act(vcpu: Vcpu) -> None: return"


def of_each_function(brings: Brings, functions: Mapping[str, ast.FunctionDef], roots: Iterable[str]) -> Brings:
    """Return the declarations with the functions that only checks call among the checks, and likewise for acts.

    ``roots``: the functions that the protocol calls.
    """
    called = {name: calls(tree).keys() & functions.keys() for name, tree in functions.items()}
    of_rest = _reached(roots, called)
    of_checks, of_acts = _reached(brings.checks, called), _reached(brings.acts, called)
    return replace(brings, checks=of_checks - of_rest - of_acts | brings.checks, acts=of_acts - of_rest - of_checks)


def _reached(roots: Iterable[str], called: Mapping[str, Iterable[str]]) -> frozenset[str]:
    found: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += called[name]
    return frozenset(found)


def stubs_of(brought: Brought) -> dict[str, ast.FunctionDef]:
    """Return what checks and acts are called like; PolicyError about a check that ends without a result."""
    for name in brought.brings.checks:
        tree = brought.functions[name]
        missing = without_result(tree) if tree.returns is not None else None
        if missing is not None:
            own = brought.own.get(name, name)
            brought.origins[name].refuse(missing, f"{own} ends here without a result: a check says whether it holds")
    return dict.fromkeys(brought.brings.checks, _stub(_CHECK)) | dict.fromkeys(brought.brings.acts, _stub(_ACT))


def _stub(text: str) -> ast.FunctionDef:
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)  # noqa: S101 - see above
    return tree


def with_own(
    own: Own, definitions: Mapping[str, Definition], brought: Brought, files: Sequence[str]
) -> tuple[dict[str, Definition], frozenset[str]]:
    """Return the program with the user's checks and acts called in it, and what is called for them.

    ``files``: the paths of all files of the user's, by whose places run-time faults name them.
    """
    instead = called_instead(own)
    if not instead:
        return dict(definitions), frozenset()
    new = {
        name: each if each.module in OWN_MODULES else replace(each, tree=redirected(each.tree, instead))
        for name, each in definitions.items()
    }

    def flat(place: Place, name: str) -> str:
        """Return the program's name of a function of a file."""
        return next(
            each for each, origin in brought.origins.items() if origin.file == place.file and brought.own[each] == name
        )

    for each in woven(own, flat, files):
        new[each.tree.name] = Definition(each.tree, each.origin, each.module)
    return new, frozenset(instead.values())
