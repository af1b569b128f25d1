"""Functions as they were before the user's code replaced them, for the processor and the instruments.

The emulated processor and the checkers share some functions with KVM, for example the harvest of a PIR word. A patch of
KVM does not change the processor: so these call copies under names of their own, wherever what they call ends up in a
function that was replaced.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from emu import reach
from hosts.loader.definition import Definition
from hosts.loader.syntax.language import walk
from hosts.loader.syntax.names import calls

PREFIX: Final = "emu_"


def keep_former(definitions: Mapping[str, Definition], replaced: Collection[str]) -> dict[str, Definition]:
    """Return what of the protocol's functions has to be changed or added; ``definitions`` are the former ones."""
    affected = _affected(definitions, replaced)
    keepers = [name for name, each in definitions.items() if reach.keeps_former(each.module)]
    new: dict[str, Definition] = {}
    left = list(keepers)
    while left:
        name = left.pop()
        each = definitions[name]
        own = {called for called in calls(each.tree) if called in affected}
        own = {called for called in own if not reach.keeps_former(definitions[called].module)}
        flat = name if name in keepers else PREFIX + name
        if own or flat != name:
            new[flat] = replace(each, tree=_calling(each.tree, flat, own))
        left += [called for called in own if PREFIX + called not in new and called not in left]
    return {name: new[name] for name in sorted(new)}


def _affected(definitions: Mapping[str, Definition], replaced: Collection[str]) -> set[str]:
    """Return the functions that are replaced, or end up calling one that is."""
    called = {name: set(calls(each.tree)) for name, each in definitions.items()}
    affected = set(replaced)
    while more := {name for name, others in called.items() if name not in affected and others & affected}:
        affected |= more
    return affected


def _calling(tree: ast.FunctionDef, name: str, former: Collection[str]) -> ast.FunctionDef:
    """Return a function under a name, in which some functions are called as they were."""
    new = copy.deepcopy(tree)
    new.name = name
    for node in walk(*new.body):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in former:
            node.func.id = PREFIX + node.func.id
    return new
