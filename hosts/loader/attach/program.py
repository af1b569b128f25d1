"""Attaches the instruments to a machine in which functions of a user's stand, by the table :mod:`emu.observe.attach`.

The machine's own lines that call instruments are taken out, and what the table says is put in: into the machine's
functions and the user's alike, so that it does not matter which of them are whose, and nothing is counted twice. The
functions are in A-normal form: each operation and each call stands alone in its statement, which stays where it is, in
its function and at its line; what is called before and after it are statements of their own.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from emu.observe import is_instrument
from emu.observe.attach import CHAIN, EFFECTS, KEPT, LEAVES, MODULES, POSTERS, READ, TRIGGERS, WORDS, WRITTEN
from emu.reach import not_replaceable
from hosts.loader.attach.function import Attaching, Function, Trees
from hosts.loader.attach.places import Fields, PlacesOf
from hosts.loader.attach.statements import Statements
from hosts.loader.definition import Definition
from hosts.loader.primitives import TABLE
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.language import walk, with_bodies
from hosts.loader.syntax.names import calls

OBSERVED: Final = "emu.observe.probes.observed"
"""The module of what is attached."""


def attached(
    trees: Trees,
    definitions: Mapping[str, Definition],
    users: AbstractSet[str],
    replaced: AbstractSet[str],
    values: Iterable[object],
) -> dict[str, ast.FunctionDef]:
    """Return the functions of a program with the instruments where the table says.

    ``trees`` are in A-normal form. ``users`` are the names of those that a user brought, ``replaced`` of those of
    these that stand in the place of the machine's. If these touch nothing that is watched, the program stays as it is.
    """
    fields = Fields(values, {*WORDS, *READ, *WRITTEN})
    if not replaced - TRIGGERS and not any(_touches(trees[name], fields) for name in users):
        return {name: tree for name, tree in trees.items() if definitions[name].module != OBSERVED}
    posting = _within_posts(trees, users)
    _check_helpers(trees, definitions, users, posting)
    around = Attaching(trees, fields, users, posting)
    new = dict(trees)
    for name, tree in trees.items():
        if name in users and not is_instrument(definitions[name].module):
            new[name] = Function(tree, around).instrumented()
        elif definitions[name].module in MODULES:
            new[name] = Function(_without_instruments(tree, definitions), around).instrumented()
    return new


def _touches(tree: ast.FunctionDef, fields: Fields) -> bool:
    """Return whether a function changes a descriptor, or what may be one, where no probe of the machine sees it."""
    places = PlacesOf(tree, fields)
    for node in walk(*tree.body):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in LEAVES:
                return True
            row = TABLE.get(node.func.id)
            if row is not None and row.stores:
                found = places.of(node.args[row.word]) if row.word < len(node.args) else None
                if found is None or found & {"PiDesc.pir", "PiDesc.control"}:
                    return True
    return False


def _within_posts(trees: Trees, users: AbstractSet[str]) -> frozenset[str]:
    """Return the functions that a post goes through, and their helpers among the user's."""
    found = {*CHAIN, *POSTERS, *TRIGGERS}
    while more := {
        name for each in found & trees.keys() for name in calls(trees[each]) if name in users and name not in found
    }:
        found |= more
    return frozenset(found)


def _check_helpers(
    trees: Trees, definitions: Mapping[str, Definition], users: AbstractSet[str], posting: AbstractSet[str]
) -> None:
    """Refuse a helper that hands a vector to the APIC both within a post and outside of one: is it one, or a part."""
    helpers = {name for name in users & posting if name not in {*CHAIN, *POSTERS, *TRIGGERS}}
    handing = {name for name in helpers if calls(trees[name]).keys() & CHAIN.keys()}
    while more := {name for name in helpers - handing if calls(trees[name]).keys() & handing}:
        handing |= more
    for name in users - posting:
        for helper, call in calls(trees[name]).items():
            if helper in handing:
                own = helper.removeprefix("user_")
                said = f"{own} hands a vector to the APIC, here as a post and elsewhere as a part of one: use two"
                definitions[name].origin.refuse(call, said)


# --- the machine's own instruments -------------------------------------------------------------------------------


def _without_instruments(tree: ast.FunctionDef, definitions: Mapping[str, Definition]) -> ast.FunctionDef:
    """Return a function without its calls of instruments."""
    stays = KEPT | EFFECTS if not_replaceable(tree.name, definitions[tree.name].module) else KEPT

    def is_one(statement: ast.stmt) -> bool:
        name = called(statement)
        return name not in stays and name in definitions and is_instrument(definitions[name].module)

    return _filtered(tree, is_one)


def _filtered(tree: ast.FunctionDef, is_out: Callable[[ast.stmt], bool]) -> ast.FunctionDef:
    new = copy.copy(tree)
    new.body = _left(tree.body, is_out)
    return new


def _left(statements: Statements, is_out: Callable[[ast.stmt], bool]) -> Statements:
    out: Statements = []
    for statement in statements:
        if not is_out(statement):
            out.append(with_bodies(statement, lambda body: _left(body, is_out)))
    return out or [ast.copy_location(ast.Pass(), statements[0])]
