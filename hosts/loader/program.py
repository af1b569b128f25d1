"""Loads the specification: all protocol modules in one flat namespace, ready to be run or compiled.

Like one kernel image, the program has one name for each thing. Classes and constants are those of the imported
modules; every function is made anew from its source by one pass, which puts in what would be wrong to write by hand:
the mutations (:mod:`hosts.loader.syntax.mutate`), a name for every call result (:mod:`hosts.loader.syntax.anf`) and
the interrupt points (:mod:`hosts.loader.syntax.interrupt_points`). File and line stay those of the source. Every host
runs this program.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from emu import PROTOCOL
from emu.observe import is_instrument
from hosts.loader.rule.context import Around
from hosts.loader.rule.inference import with_values
from hosts.loader.rule.policy_source import PolicySource
from hosts.loader.rule.userpolicy import Policy, read_policy
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.interrupt_points import Points, Site
from hosts.loader.syntax.language import LoaderError, Origin, PolicyError, check_language
from hosts.loader.syntax.mutate import Mutation, Patch, check_mutations
from hosts.loader.syntax.names import (
    PRIMITIVES,
    PURE_BUILTINS,
    Scope,
    calls,
    check_recursion,
    pure_functions,
    struct_fields,
)

__all__ = ["LoaderError", "PolicyError", "Program", "Site", "load_program"]

CHECKED: Final = "emu.machine"
CHECKS: Final = "emu.rulechecks"
"""What is put around what a user's rule computes, and the module that it needs."""


@dataclass(frozen=True)
class Program:
    """The protocol, loaded."""

    namespace: dict[str, Any]
    """Everything that the functions refer to, themselves included; their ``__globals__``."""
    functions: dict[str, FunctionType]
    """The functions, in the order of the source."""
    sites: Mapping[int, Site]
    """The interrupt points, numbered from 1 in the order of the source."""
    digest: str
    """Changes whenever the program may: the hash of every source file that went in and of what was made of them."""
    trees: Mapping[str, ast.FunctionDef] = field(repr=False)
    rule: frozenset[str] = frozenset()
    """The names of the functions that come from the user's file."""
    rule_sha256: str = ""
    """Of the user's file, as it was read."""

    def source(self, function: str) -> str:
        """Return what became of a function, for people."""
        return ast.unparse(self.trees[function])


@dataclass(frozen=True)
class _Definition:
    """One function on its way from source to program."""

    tree: ast.FunctionDef
    origin: Origin
    module: str


def load_program(
    rule: PolicySource | None = None,
    mutations: Sequence[Mutation] | None = None,
    modules: Sequence[str] = PROTOCOL,
) -> Program:
    """Load the protocol.

    ``rule`` is a user's own rule. ``mutations`` are put in, to be selected at run time; by default those that stand
    beside the modules, in ``mutations.MUTATIONS``.
    """
    mutations = _mutations(modules) if mutations is None else mutations
    checks = (CHECKS,) if rule is not None and CHECKED in modules else ()
    loaded = [importlib.import_module(name) for name in (*modules, *checks)]
    definitions = _definitions(loaded)
    values = _values(loaded, definitions)
    policy = _policy(rule, values, definitions, {name.partition(".")[0] for name in (*modules, "emu")})
    if policy is not None:
        values |= policy.values
        module = Path(policy.origin.file).stem
        trees_of_rule = _with_values(policy, definitions, values)
        definitions |= {name: _Definition(tree, policy.origin, module) for name, tree in trees_of_rule.items()}
        definitions = _without_idle_checks(definitions, trees_of_rule)
    patched = _patched(definitions, values, mutations)
    trees, sites = _transformed(patched, values)
    namespace: dict[str, Any] = {"__name__": f"{modules[0].partition('.')[0]}.program", **values}
    functions = {name: _executed(trees[name], patched[name], namespace) for name in trees}
    digest = _digest(loaded, policy, trees.values())
    if policy is None:
        return Program(namespace, functions, sites, digest, trees)
    rule_sha256 = hashlib.sha256(policy.source).hexdigest()
    return Program(namespace, functions, sites, digest, trees, frozenset(policy.functions), rule_sha256)


def _mutations(modules: Sequence[str]) -> Sequence[Mutation]:
    """Return the mutations that stand beside the protocol's modules, if any."""
    name = f"{modules[0].partition('.')[0]}.mutations"
    if importlib.util.find_spec(name) is None:
        return ()
    mutations: Sequence[Mutation] = importlib.import_module(name).MUTATIONS
    return mutations


# --- one flat namespace ------------------------------------------------------------------------------------------


def _file(module: ModuleType) -> str:
    if module.__file__ is None:
        raise LoaderError(module.__name__, 1, "has no source file")
    return module.__file__


def _definitions(modules: Iterable[ModuleType]) -> dict[str, _Definition]:
    """Read the functions of the modules from their source."""
    found: dict[str, _Definition] = {}
    for module in modules:
        origin = Origin(_file(module))
        for statement in ast.parse(Path(origin.file).read_bytes(), origin.file).body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                check_language(statement, origin)
                assert isinstance(statement, ast.FunctionDef)  # noqa: S101 - check_language refuses the others
                if statement.name in found or statement.name in PRIMITIVES or statement.name in PURE_BUILTINS:
                    other = found[statement.name].module if statement.name in found else "emu.waist or Python"
                    origin.refuse(statement, f"{statement.name} is a function of {other} already")
                found[statement.name] = _Definition(statement, origin, module.__name__)
    return found


def _values(modules: Iterable[ModuleType], definitions: Mapping[str, _Definition]) -> dict[str, Any]:
    """Collect what the modules' names stand for, apart from the protocol's own functions."""
    values: dict[str, Any] = dict(PRIMITIVES)
    where = dict.fromkeys(PRIMITIVES, "emu.waist")
    protocol = {definition.module for definition in definitions.values()}
    for module in modules:
        origin = Origin(_file(module))
        for name, value in vars(module).items():
            if name.startswith("__") and name.endswith("__"):
                continue
            if isinstance(value, FunctionType) and value.__module__ in protocol:
                if name != value.__name__:
                    origin.refuse(None, f"{name} is another name for {value.__name__}: a function has one name")
            elif name in definitions or (name in values and not _same(values[name], value)):
                other = definitions[name].module if name in definitions else where[name]
                origin.refuse(None, f"{name} is something else in {other}: the program has one name for each thing")
            elif isinstance(value, FunctionType) and value in PRIMITIVES.values() and name != value.__name__:
                origin.refuse(None, f"{name} is another name for {value.__name__}: a function has one name")
            else:
                values[name] = value
                where.setdefault(name, module.__name__)
    return values


def _same(one: object, other: object) -> bool:
    return one is other or (isinstance(one, int | tuple) and type(one) is type(other) and one == other)


def _policy(
    rule: PolicySource | None, values: Mapping[str, Any], definitions: Mapping[str, _Definition], packages: set[str]
) -> Policy | None:
    if rule is None:
        return None
    trees = {name: definition.tree for name, definition in definitions.items()}
    return read_policy(rule, Scope(values, trees, frozenset()), packages)


def _with_values(
    policy: Policy, definitions: Mapping[str, _Definition], values: Mapping[str, Any]
) -> dict[str, ast.FunctionDef]:
    """Check the names in a rule's functions, and return these with its words read where their values are meant."""
    protocol = {name: definition.tree for name, definition in definitions.items()}
    scope = Scope(values, protocol | policy.functions, struct_fields(values.values()))
    for tree in policy.functions.values():
        scope.check(tree, policy.origin)
    modules = {name: definition.module for name, definition in definitions.items()}
    around = Around(scope, modules, policy.own, policy.functions.keys(), policy.origin)
    return with_values(policy.functions, protocol, around, policy.meant)


def _without_idle_checks(
    definitions: Mapping[str, _Definition], rule: Mapping[str, ast.FunctionDef]
) -> dict[str, _Definition]:
    """Leave out the checks that nothing in the rule needs."""
    needed: set[str] = set()
    left = [name for tree in rule.values() for name in calls(tree)]
    while left:
        name = left.pop()
        if name not in needed and name in definitions and definitions[name].module == CHECKS:
            needed.add(name)
            left += calls(definitions[name].tree)
    return {name: each for name, each in definitions.items() if each.module != CHECKS or name in needed}


# --- the pass ----------------------------------------------------------------------------------------------------


def _patched(
    definitions: Mapping[str, _Definition], values: Mapping[str, Any], mutations: Sequence[Mutation]
) -> dict[str, _Definition]:
    """Check every function, by itself and under each mutation alone; return them with all mutations in."""
    check_mutations(mutations, definitions, Origin("mutations"))
    scope = Scope(values, {name: item.tree for name, item in definitions.items()}, struct_fields(values.values()))
    new: dict[str, _Definition] = {}
    for name, definition in definitions.items():
        scope.check(definition.tree, definition.origin)
        patch = Patch(definition.tree, mutations, definition.origin)
        for number, note in patch.notes.items():
            mutant = patch.only(number)
            origin = replace(definition.origin, note=f"{note}leaves a function that cannot be run: ")
            check_language(mutant, origin)
            scope.check(mutant, origin)
        new[name] = replace(definition, tree=patch.merged())
    return new


def _transformed(
    definitions: Mapping[str, _Definition], values: Mapping[str, Any]
) -> tuple[dict[str, ast.FunctionDef], dict[int, Site]]:
    """Name call results and put the interrupt points in."""
    trees = {name: definition.tree for name, definition in definitions.items()}
    check_recursion(trees, {name: definition.origin for name, definition in definitions.items()})
    pure: Callable[[str], bool] = pure_functions(trees, values).__contains__
    points = Points()
    for name, definition in definitions.items():
        trees[name] = normalise(definition.tree, pure)
        if not is_instrument(definition.module):
            trees[name] = points.insert(trees[name], definition.origin.file)
    return trees, points.sites


def _executed(tree: ast.FunctionDef, definition: _Definition, namespace: dict[str, Any]) -> FunctionType:
    """Make the function, in the program's namespace."""
    module = ast.Module([tree], [])
    code = compile(module, definition.origin.file, "exec", flags=annotations.compiler_flag, dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - the specification's own source
    function: FunctionType = namespace[tree.name]
    function.__module__ = definition.module
    return function


def _digest(modules: Iterable[ModuleType], policy: Policy | None, trees: Iterable[ast.FunctionDef]) -> str:
    """Hash what the program was made of: the modules' packages, the user's file, the functions as they became."""
    digest = hashlib.sha256()
    sources = sorted({path for module in modules for path in Path(_file(module)).parent.rglob("*.py")})
    parts = [part for path in sources for part in (path.name.encode(), path.read_bytes())]
    parts += [policy.source if policy is not None else b""]
    parts += [ast.unparse(tree).encode() for tree in trees]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
