"""Reader of a user's Python file: what its functions reach, checked, with names that clash with none of the protocol's.

The file is read, not run: what the functions reach is taken out of it (helpers, constants, imports from ``emu``).
Every refusal is one :class:`PolicyError` with file and line.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import FunctionType
from typing import Final, NewType

from emu import reach
from hosts.loader.rule.bindings import Bindings
from hosts.loader.rule.brought import Brought
from hosts.loader.source_file import SourceFile
from hosts.loader.syntax.language import WORD_MAX, WORD_MIN, Origin, PolicyError, check_language, local_names, walk
from hosts.loader.syntax.names import PRIMITIVES, Scope
from hosts.loader.user_code import is_c

ENTRY: Final = "user_kvm_vcpu_trigger_posted_interrupt"
"""The name by which the protocol calls a user's rule."""

DEEPEST: Final = 120
"""Levels of a file's syntax: of a rule that people write a dozen or two."""
TOO_DEEP: Final = "is nested too deeply"

_PREFIX: Final = "user_"


def parsed(file: SourceFile) -> ast.Module:
    """Return a file's syntax tree; PolicyError."""
    origin = Origin(file.path, PolicyError)
    if is_c(file.path):
        origin.refuse(None, "is C: --kernel takes it; --patch takes Python")
    try:
        module = ast.parse(file.content, file.path)
    except OSError as error:
        origin.refuse(None, f"cannot be read: {error.strerror or error}")
    except SyntaxError as error:
        raise PolicyError(file.path, error.lineno or 1, f"is not Python: {error.msg}") from None
    except ValueError as error:
        origin.refuse(None, f"is not Python: {error}")
    except (RecursionError, MemoryError):  # the parser's own words for it
        origin.refuse(None, TOO_DEEP)
    _check_depth(module, origin)
    return module


def _check_depth(module: ast.Module, origin: Origin) -> None:
    """Refuse what would take all the stack of those who walk through it."""
    level: list[ast.AST] = [module]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    deep = next((node for node in level if hasattr(node, "lineno")), None)
    if deep is not None:
        origin.refuse(deep, TOO_DEEP)


@dataclass
class FileReader:
    """Takes out of a file what some of its functions reach."""

    origin: Origin
    file: Bindings
    scope: Scope
    packages: Collection[str]
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The program's name of each of the file's."""
    prepare: Callable[[ast.FunctionDef], None] = lambda function: None  # noqa: ARG005
    """Done to each function before its names are looked up."""

    def brought(self) -> Brought:
        """Return what has been taken."""
        own = {flat: own for own, flat in self.names.items() if flat in self.functions or flat in self.values}
        origins = dict.fromkeys(self.functions, self.origin)
        return Brought(self.functions, origins, self.values, own, dict.fromkeys(self.functions, self.meant))

    def function(self, statement: ast.FunctionDef | ast.AsyncFunctionDef, flat: str) -> None:
        """Take one of the file's functions, and what it reaches."""
        check_language(statement, self.origin)
        assert isinstance(statement, ast.FunctionDef)  # noqa: S101 - check_language refuses the others
        new = self.functions[flat] = copy.deepcopy(statement)
        new.name = flat
        self.prepare(new)
        local = local_names(new)
        for node in walk(*new.body):
            if isinstance(node, ast.Name) and node.id not in local:
                node.id = self.name(node, node.id)

    def name(self, node: ast.AST, name: str) -> str:
        """Return the program's name for a name that is not local."""
        if name in self.names:
            return self.names[name]
        statement = self.file.get(name)
        match statement:
            case None:
                return name
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.names[name] = flat = self.free(name)
                self.function(statement, flat)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                self.names[name] = flat = self.free(name)
                result = self.constant(name, value)
                if self.is_protocols(name, result):
                    self.names[name] = name
                else:
                    self.values[flat] = result
            case ast.ImportFrom(names=aliases):
                alias = next(alias for alias in aliases if (alias.asname or alias.name) == name)
                self.names[name] = self.imported(statement, alias.name, name)
            case _:
                self.origin.refuse(node, f"{name} is not a function, a constant or an import from emu")
        return self.names[name]

    def value(self, name: str, value: object) -> None:
        """Give something that the file declares a name in the program."""
        flat = self.names[name] = self.free(name)
        self.values[flat] = value

    def free(self, name: str) -> str:
        """Return a name that nothing in the program has."""
        flat = _PREFIX + name
        while flat == ENTRY or any(flat in taken for taken in (self.scope.values, self.scope.functions, self.values)):
            flat += "_"
        return flat

    def constant(self, name: str, value: ast.expr) -> object:
        """Work out a constant of the file."""
        for node in walk(value):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self.name(node, node.id)
            elif not isinstance(node, _IN_CONSTANTS):
                self.origin.refuse(node, f"{name} is not a constant made of whole numbers")
        known = {own: self.anything(flat) for own, flat in self.names.items()}
        try:
            code = compile(ast.Expression(value), self.origin.file, "eval")
            result = eval(code, {"__builtins__": {}, **self.scope.values, **known})  # noqa: S307 - nothing can be called
        except (ArithmeticError, TypeError, ValueError, NameError) as error:
            self.origin.refuse(value, f"{name} cannot be worked out: {error}")
        if not _is_plain(result):
            self.origin.refuse(value, f"{name} is not a signed 64-bit number, or a tuple of such")
        return result

    def is_protocols(self, name: str, value: object) -> bool:
        """Return whether the protocol has the same constant."""
        there = self.scope.values.get(name)
        return type(there) is type(value) and there == value

    def anything(self, flat: str) -> object:
        """Return the value of a program's name, whoever brought it in."""
        return self.values.get(flat, self.scope.values.get(flat))

    def meant(self, name: str) -> object:
        """Return what a name in an annotation stands for."""
        declared = self.values.get(self.names.get(name, ""))
        if isinstance(declared, type):
            return declared
        statement = self.file.plain.get(name)
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").partition(".")[0] in self.packages:
            alias = next(alias for alias in statement.names if (alias.asname or alias.name) == name)
            with contextlib.suppress(ImportError, AttributeError):
                return _looked_up(str(statement.module), alias.name)
        return None

    def imported(self, statement: ast.ImportFrom, name: str, own: str) -> str:
        """Return the program's name of something that the file imports as ``own``."""
        module = statement.module or ""
        if statement.level or module.partition(".")[0] not in self.packages:
            self.origin.refuse(statement, f"{own} is imported from {module or 'here'}: a policy imports from emu only")
        name = reach.RENAMED.get(name, name) if module in reach.FORMERLY else name
        try:
            value = _looked_up(module, name)
        except (ImportError, AttributeError):
            self.origin.refuse(statement, f"{module} has no {name}")
        if isinstance(value, FunctionType):
            if name not in self.scope.functions and PRIMITIVES.get(name) is not value:
                self.origin.refuse(statement, f"{name} of {module} is no function of the protocol")
        elif not isinstance(value, type | NewType) and not _is_plain(value):
            self.origin.refuse(statement, f"{name} of {module} is no function, struct or number")
        elif self.scope.values.get(name) is not value:
            flat = self.free(own)
            self.values[flat] = value
            return flat
        return name


def _looked_up(module: str, name: str) -> object:
    """Import a name from a module, or from where its contents have gone since; ImportError or AttributeError."""
    *others, last = (module, *reach.FORMERLY.get(module, ()))
    for home in others:
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(home), name)
    return getattr(importlib.import_module(last), name)


_IN_CONSTANTS: Final = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.operator, ast.unaryop, ast.expr_context)


def _is_plain(value: object) -> bool:
    """Return whether a value is a word or a tuple of words."""
    items = value if isinstance(value, tuple) else (value,)
    return all(isinstance(item, int) and WORD_MIN <= item <= WORD_MAX for item in items)
