"""Puts a user's code into the protocol: reads it, checks it, and lets it replace functions by their names."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hosts.loader.definition import Definition
from hosts.loader.own.classes import is_own_class
from hosts.loader.own.declared import Own
from hosts.loader.own.read import Declarations
from hosts.loader.own.users import of_each_function, stubs_of, with_own
from hosts.loader.rule.brought import Brought, together
from hosts.loader.rule.context import Around
from hosts.loader.rule.former import keep_former
from hosts.loader.rule.inference import with_values
from hosts.loader.rule.patches import read_patch
from hosts.loader.rule.replacement import Replaced, check_fit, reaches
from hosts.loader.rule.userfile import ENTRY
from hosts.loader.rule.userpolicy import PATCH_UNPROMISED, read_policy, unpromised_bits
from hosts.loader.syntax.mutate import Mutation
from hosts.loader.syntax.names import Scope, calls, struct_fields
from hosts.loader.user_code import UserCode, is_c

Definitions = Mapping[str, Definition]
M = TypeVar("M", bound=Mutation)

_ROOTS = ("pcpu_thread", "common_interrupt")
"""What hosts call."""


@dataclass(frozen=True)
class Users:
    """The protocol with a user's code in it."""

    definitions: dict[str, Definition]
    values: dict[str, Any]
    functions: frozenset[str]
    """The names of the functions that come from the user's files."""
    replaced: dict[str, Replaced]
    """Of these, those that take the place of the protocol's."""
    own: Own
    """What the files declare besides."""
    called: frozenset[str]
    """Functions that are called because of these: what else nothing calls may be left out."""
    texts: dict[str, str]
    """The user's functions as they were read: one in C as it was translated."""
    kept: dict[str, str]
    """What stays the protocol's, though the user's kernel has a function of the name, with the reason."""


def with_code(code: UserCode, definitions: Definitions, values: Mapping[str, Any], packages: Collection[str]) -> Users:
    """Return the protocol with a user's code; PolicyError about the code."""
    declarations = Declarations()
    brought = _read(code, definitions, values, packages, declarations)
    own = declarations.own()
    replaced = [name for name in brought.functions if name in definitions and name != ENTRY]
    for name in replaced:
        check_fit(brought.functions[name], definitions[name].tree, brought.origins[name])
    values = {**values, **brought.values, **unpromised_bits(PATCH_UNPROMISED, own.unpromised)}
    stubs = stubs_of(brought)
    brings = of_each_function(brought.brings, brought.functions, brought.functions.keys() & definitions.keys())
    texts = {name: ast.unparse(tree) for name, tree in brought.functions.items()}
    trees = _checked(replace(brought, brings=brings), definitions, values, replaced, stubs, code.paths)
    new = dict(definitions)
    new |= keep_former(definitions, replaced) if replaced else {}
    for name, tree in trees.items():
        origin = brought.origins[name]
        new[name] = Definition(tree, origin, _module(origin.file, looks=name in brings.checks))
    new, called = with_own(own, new, brought, code.paths)
    places = {name: _replaced(brought, name, definitions[name]) for name in replaced}
    values = {name: value for name, value in values.items() if not is_own_class(value)}
    return Users(new, values, frozenset(trees), places, own, frozenset(trees) | called, texts, dict(brought.kept))


def _module(file: str, *, looks: bool) -> str:
    """Return the module of a user's function: a check, which only looks, is an instrument."""
    stem = Path(file).stem.replace(".", "_")
    return f"{stem}.observe.{stem}" if looks else stem


def _read(
    code: UserCode,
    definitions: Definitions,
    values: Mapping[str, Any],
    packages: Collection[str],
    declarations: Declarations,
) -> Brought:
    """Read the files, those that come first before all."""
    protocol = {name: each.tree for name, each in definitions.items()}
    modules = {name: each.module for name, each in definitions.items()}
    found: list[Brought] = []

    def scope() -> Scope:
        """Return what is there so far: names of several files are kept apart."""
        so_far = together(found)
        return Scope({**values, **so_far.values}, {**so_far.functions, **protocol}, frozenset())

    if code.rule is not None and code.rule_file is not None and not is_c(code.rule.path):
        found.append(read_policy(code.rule, code.rule_file, scope(), packages))
    for file in code.patches:
        patch = read_patch(file, scope(), packages, modules, declarations)
        for other in found:
            for name in other.functions.keys() & patch.functions.keys():
                said = f"{name} is replaced by {other.origins[name].file} already"
                patch.origins[name].refuse(patch.functions[name], said)
        found.append(patch)
    if code.kernel or (code.rule is not None and is_c(code.rule.path)):
        from hosts.loader.kernel.bring import bring  # nobody else needs it

        kernel = bring(code, scope(), modules)
        found.append(kernel.without(together(found).functions))
    return together(found)


def _checked(
    brought: Brought,
    definitions: Definitions,
    values: Mapping[str, Any],
    replaced: Sequence[str],
    stubs: Mapping[str, ast.FunctionDef],
    files: Sequence[str],
) -> dict[str, ast.FunctionDef]:
    """Check the user's functions; return them with words read where values are meant, and with instruments."""
    protocol = {name: each.tree for name, each in definitions.items()}
    scope = Scope(values, protocol | brought.functions, struct_fields(values.values()))
    for name, tree in brought.functions.items():
        scope.check(tree, brought.origins[name])
    modules = {name: each.module for name, each in definitions.items()}
    former = {name: protocol[name] for name in replaced}
    around = Around(
        scope,
        modules,
        brought.own,
        brought.functions.keys(),
        brought.origins,
        reaches(brought, former, modules),
        brought.meant,
        frozenset(replaced),
        brought.brings,
        files,
    )
    return with_values(brought.functions, {**protocol, **stubs}, around)


def _replaced(brought: Brought, name: str, former: Definition) -> Replaced:
    file, line = brought.origins[name].file, brought.functions[name].lineno
    return Replaced(file, line, former.origin.file, former.tree.lineno)


def without_idle(definitions: Definitions, extra: Collection[str], users: Collection[str]) -> dict[str, Definition]:
    """Leave out functions of the ``extra`` modules that nothing in the user's functions needs."""
    needed: set[str] = set()
    left = [*users]
    while left:
        name = left.pop()
        if name not in needed and name in definitions and (name in users or definitions[name].module in extra):
            needed.add(name)
            left += calls(definitions[name].tree)
    return {name: each for name, each in definitions.items() if each.module not in extra or name in needed}


def surviving(mutations: Sequence[M], definitions: Definitions, users: Users) -> list[M]:
    """Return the mutations that can still be put in: their functions are there, and something still calls them."""
    before, after = _reached(definitions), _reached(users.definitions)
    gone = (before - after) | users.replaced.keys()
    return [each for each in mutations if not any(edit.function in gone for edit in each.edits)]


def _reached(definitions: Definitions) -> set[str]:
    found: set[str] = set()
    left = [name for name in _ROOTS if name in definitions]
    while left:
        name = left.pop()
        if name not in found and name in definitions:
            found.add(name)
            left += calls(definitions[name].tree)
    return found
