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
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from emu import PROTOCOL
from emu.observe import is_instrument
from hosts.loader.attach.program import OBSERVED, attached
from hosts.loader.definition import Definition
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.own.weave import OWN_MODULES
from hosts.loader.rule.replacement import Replaced
from hosts.loader.source_lines import lines_of
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.interrupt_points import Points, Site
from hosts.loader.syntax.language import LoaderError, Origin, PolicyError, check_language
from hosts.loader.syntax.mutate import Mutation, Patch, check_mutations
from hosts.loader.syntax.names import (
    PRIMITIVES,
    PURE_BUILTINS,
    Scope,
    check_recursion,
    pure_functions,
    struct_fields,
)
from hosts.loader.user_code import CodeSpec, UserCode
from hosts.loader.users import surviving, with_code, without_idle

__all__ = ["LoaderError", "PolicyError", "Program", "Site", "load_program"]

CHECKED: Final = "emu.machine"
PROBED: Final = "emu.observe.probes.post"
WITH_CODE: Final = ("emu.rulechecks", "emu.c_arithmetic", "emu.c_calls", *OWN_MODULES)
"""The modules that a user's code needs besides, if the protocol has the first of those; with the second, instruments
attach to it."""
Attach = Callable[[Mapping[str, ast.FunctionDef], Mapping[str, Definition]], dict[str, ast.FunctionDef]]
"""Attaches the instruments to functions in A-normal form; where these come from is given beside them."""


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
    """The names of the functions that come from the user's files."""
    rule_sha256: str = ""
    """Of the file of the user's rule, as it was read."""
    replaced: Mapping[str, Replaced] = field(default_factory=dict)
    """Those of the user's functions that take the place of the protocol's."""
    lost_mutations: tuple[str, ...] = ()
    """The mutations that edit what has been replaced: this program does not have them."""
    patches: CodeSpec | None = None
    """What was asked for of the user's, if it is more than a rule."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The user's functions as they were read, before anything was put in; one in C as it was translated."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """What stays as it is, though the user's kernel has a function of the name, with the reason."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each of the user's files by its path, as they were read."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """The source lines of the user's functions, by ``file:line``."""
    own: Own = NOTHING_OWN
    """What the user's code brings besides functions."""

    def source(self, function: str) -> str:
        """Return what became of a function, for people."""
        return ast.unparse(self.trees[function])


def load_program(
    code: UserCode | None = None,
    mutations: Sequence[Mutation] | None = None,
    modules: Sequence[str] = PROTOCOL,
) -> Program:
    """Load the protocol.

    ``code`` is what a user brings. ``mutations`` are put in, to be selected at run time; by default those that stand
    beside the modules, in ``mutations.MUTATIONS``.
    """
    mutations = _mutations(modules) if mutations is None else mutations
    extra = WITH_CODE if code is not None and CHECKED in modules else ()
    observed = (OBSERVED,) if extra and PROBED in modules else ()
    loaded = [importlib.import_module(name) for name in (*modules, *extra, *observed)]
    definitions = _definitions(loaded)
    values = _values(loaded, definitions)
    if code is None:
        return _program(definitions, values, mutations, loaded)
    users = with_code(code, definitions, values, {name.partition(".")[0] for name in (*modules, "emu")})
    left = surviving(mutations, definitions, users)
    definitions = without_idle(users.definitions, extra, users.called)
    attach = partial(attached, users=users.functions, replaced=users.replaced.keys(), values=users.values.values())
    program = _program(definitions, users.values, left, loaded, b"".join(code.parts()), attach if observed else None)
    return replace(
        program,
        rule=users.functions,
        rule_sha256=code.rule_file.digest if code.rule_file is not None else "",
        replaced=users.replaced,
        texts=users.texts,
        kept=users.kept,
        lost_mutations=tuple(each.name for each in mutations if each not in left),
        patches=code.spec if code.spec.patched else None,
        files=code.digests(),
        lines=lines_of(
            (each for name, each in users.definitions.items() if name in users.functions),
            {each.path: each.content for each in code.files},
        ),
        own=users.own,
    )


def protocol_scope() -> tuple[Scope, dict[str, str]]:
    """Return what the protocol's names are, and the module of each of its functions, as a user's code finds them."""
    loaded = [importlib.import_module(name) for name in (*PROTOCOL, *WITH_CODE)]
    definitions = _definitions(loaded)
    trees = {name: each.tree for name, each in definitions.items()}
    modules = {name: each.module for name, each in definitions.items()}
    return Scope(_values(loaded, definitions), trees, frozenset()), modules


def _program(
    definitions: Mapping[str, Definition],
    values: Mapping[str, Any],
    mutations: Sequence[Mutation],
    loaded: Sequence[ModuleType],
    users: bytes = b"",
    attach: Attach | None = None,
) -> Program:
    """Make the program; ``users``: what it depends on besides."""
    patched = _patched(definitions, values, mutations)
    trees, sites = _transformed(patched, values, attach)
    namespace: dict[str, Any] = {"__name__": f"{loaded[0].__name__.partition('.')[0]}.program", **values}
    functions = {name: _executed(trees[name], patched[name], namespace) for name in trees}
    return Program(namespace, functions, sites, _digest(loaded, users, trees.values()), trees)


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


def _definitions(modules: Iterable[ModuleType]) -> dict[str, Definition]:
    """Read the functions of the modules from their source."""
    found: dict[str, Definition] = {}
    for module in modules:
        origin = Origin(_file(module))
        for statement in ast.parse(Path(origin.file).read_bytes(), origin.file).body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                check_language(statement, origin)
                assert isinstance(statement, ast.FunctionDef)  # noqa: S101 - check_language refuses the others
                if statement.name in found or statement.name in PRIMITIVES or statement.name in PURE_BUILTINS:
                    other = found[statement.name].module if statement.name in found else "emu.waist or Python"
                    origin.refuse(statement, f"{statement.name} is a function of {other} already")
                found[statement.name] = Definition(statement, origin, module.__name__)
    return found


def _values(modules: Iterable[ModuleType], definitions: Mapping[str, Definition]) -> dict[str, Any]:
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


# --- the pass ----------------------------------------------------------------------------------------------------


def _patched(
    definitions: Mapping[str, Definition], values: Mapping[str, Any], mutations: Sequence[Mutation]
) -> dict[str, Definition]:
    """Check every function, by itself and under each mutation alone; return them with all mutations in."""
    check_mutations(mutations, definitions, Origin("mutations"))
    scope = Scope(values, {name: item.tree for name, item in definitions.items()}, struct_fields(values.values()))
    new: dict[str, Definition] = {}
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
    definitions: Mapping[str, Definition], values: Mapping[str, Any], attach: Attach | None
) -> tuple[dict[str, ast.FunctionDef], dict[int, Site]]:
    """Name call results, attach the instruments of a user's code, and put the interrupt points in."""
    trees = {name: definition.tree for name, definition in definitions.items()}
    check_recursion(trees, {name: definition.origin for name, definition in definitions.items()})
    pure: Callable[[str], bool] = pure_functions(trees, values).__contains__
    trees = {name: normalise(tree, pure) for name, tree in trees.items()}
    if attach is not None:
        trees = attach(trees, definitions)
    points = Points()
    for name, tree in trees.items():
        if not is_instrument(definitions[name].module):
            trees[name] = points.insert(tree, definitions[name].origin.file)
    return trees, points.sites


def _executed(tree: ast.FunctionDef, definition: Definition, namespace: dict[str, Any]) -> FunctionType:
    """Make the function, in the program's namespace."""
    module = ast.Module([tree], [])
    code = compile(module, definition.origin.file, "exec", flags=annotations.compiler_flag, dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - the specification's own source
    function: FunctionType = namespace[tree.name]
    function.__module__ = definition.module
    return function


def _digest(modules: Iterable[ModuleType], users: bytes, trees: Iterable[ast.FunctionDef]) -> str:
    """Hash what the program was made of: the modules' packages, the user's files, the functions as they became."""
    digest = hashlib.sha256()
    sources = sorted({path for module in modules for path in Path(_file(module)).parent.rglob("*.py")})
    parts = [part for path in sources for part in (path.name.encode(), path.read_bytes())]
    parts += [users]
    parts += [ast.unparse(tree).encode() for tree in trees]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
