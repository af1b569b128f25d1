"""Reader of a user's rule: one function of a file, checked, with names that clash with none of the protocol's.

The file is read, not run: what the function reaches is taken out of it (helpers, constants, imports from ``emu``),
and anything else in the file does not matter. Every refusal is one :class:`PolicyError` with file and line.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Final, NewType

from emu import reach
from emu.observe.accounting import CHECKS
from hosts.loader.rule.bindings import Bindings
from hosts.loader.rule.policy_source import PolicySource
from hosts.loader.syntax.language import (
    WORD_MAX,
    WORD_MIN,
    Origin,
    PolicyError,
    check_language,
    local_names,
    parameters,
    walk,
)
from hosts.loader.syntax.names import PRIMITIVES, Scope

ENTRY: Final = "user_kvm_vcpu_trigger_posted_interrupt"
"""The name by which the protocol calls a user's rule."""

UNPROMISED: Final = "USER_UNPROMISED"
"""The constant of the protocol that says which checks are not made of a user's rule."""
PROMISES: Final = "CHECKS"
"""What a rule's file calls the checks that its protocol promises to hold; without it that is all of them."""

DEEPEST: Final = 120
"""Levels of a file's syntax: of a rule that people write a dozen or two."""
TOO_DEEP: Final = "is nested too deeply"

_PREFIX: Final = "user_"
_PARAMETERS: Final = 2
_EXAMPLE: Final = "def policy(vcpu: Vcpu, vec: int) -> None"


@dataclass(frozen=True)
class Policy:
    """A user's rule and what it reaches, under the names that they have in the program."""

    source: bytes
    origin: Origin
    functions: dict[str, ast.FunctionDef]
    values: dict[str, object]
    own: Mapping[str, str]
    """The names that these have in the file."""
    meant: Callable[[str], object]
    """What a name in an annotation stands for; None if nobody knows."""


def unpromised(rule: PolicySource | None) -> tuple[str, ...]:
    """Name the checks that a rule's file leaves out; nothing of a file that is refused when it is loaded."""
    if rule is None:
        return ()
    try:
        return _left_out(ast.parse(rule.content, rule.path), Origin(rule.path, PolicyError))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, PolicyError):
        return ()


def _left_out(module: ast.Module, origin: Origin) -> tuple[str, ...]:
    """Return the checks that the one assignment to CHECKS leaves out."""
    statement = Bindings(module, origin).get(PROMISES)
    if statement is None:
        return ()
    how = f'{PROMISES} is a tuple of names, or names in one text: {PROMISES} = "{" ".join(CHECKS)}"'
    try:
        given = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        value = ast.literal_eval(given) if given is not None else None
    except (ValueError, TypeError):
        value = None
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, tuple | list) or not names or not all(isinstance(name, str) for name in names):
        origin.refuse(statement, how)
    for name in names:
        if name not in CHECKS:
            origin.refuse(statement, f"there is no check {name}; {how}")
    return tuple(check for check in CHECKS if check not in names)


def read_policy(rule: PolicySource, scope: Scope, packages: Collection[str]) -> Policy:
    """Check a rule, and take out of its file what it reaches."""
    if not rule.path or not rule.function:
        raise PolicyError(str(rule), 1, "a policy is given as path/to/file.py:function")
    path, name = rule.path, rule.function
    origin = Origin(path, PolicyError)
    try:
        source = rule.content
        module = ast.parse(source, path)
    except OSError as error:
        origin.refuse(None, f"cannot be read: {error.strerror or error}")
    except SyntaxError as error:
        raise PolicyError(path, error.lineno or 1, f"is not Python: {error.msg}") from None
    except ValueError as error:
        origin.refuse(None, f"is not Python: {error}")
    except (RecursionError, MemoryError):  # the parser's own words for it
        origin.refuse(None, TOO_DEEP)
    _check_depth(module, origin)
    reader = _Reader(origin, Bindings(module, origin), scope, packages)
    reader.entry(name)
    if left_out := _left_out(module, origin):
        reader.values[UNPROMISED] = sum(1 << CHECKS.index(check) for check in left_out)
    own = {flat: own for own, flat in reader.names.items() if flat in reader.functions or flat in reader.values}
    return Policy(source, origin, reader.functions, reader.values, own, reader.meant)


def _check_depth(module: ast.Module, origin: Origin) -> None:
    """Refuse what would take all the stack of those who walk through it."""
    level: list[ast.AST] = [module]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    deep = next((node for node in level if hasattr(node, "lineno")), None)
    if deep is not None:
        origin.refuse(deep, TOO_DEEP)


@dataclass
class _Reader:
    """Takes out of the file what the rule reaches."""

    origin: Origin
    file: Bindings
    scope: Scope
    packages: Collection[str]
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The program's name of each of the file's."""

    def entry(self, name: str) -> None:
        """Take the rule itself."""
        statement = self.file.get(name)
        if statement is None:
            there = ", ".join(self.file.functions()) or "none"
            self.origin.refuse(None, f"there is no function {name}; functions here: {there}")
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            self.origin.refuse(statement, f"{name} is not a plain function ({_EXAMPLE})")
        self.names[name] = ENTRY
        self.function(statement, ENTRY)
        if len(parameters(self.functions[ENTRY])) != _PARAMETERS or statement.args.defaults:
            self.origin.refuse(statement, f"{name} does not take exactly two parameters ({_EXAMPLE})")

    def function(self, statement: ast.FunctionDef | ast.AsyncFunctionDef, flat: str) -> None:
        """Take one of the file's functions, and what it reaches."""
        check_language(statement, self.origin)
        assert isinstance(statement, ast.FunctionDef)  # noqa: S101 - check_language refuses the others
        new = self.functions[flat] = copy.deepcopy(statement)
        new.name = flat
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
                self.values[flat] = self.constant(name, value)
            case ast.ImportFrom(names=aliases):
                alias = next(alias for alias in aliases if (alias.asname or alias.name) == name)
                self.names[name] = self.imported(statement, alias.name, name)
            case _:
                self.origin.refuse(node, f"{name} is not a function, a constant or an import from emu")
        return self.names[name]

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

    def anything(self, flat: str) -> object:
        """Return the value of a program's name, whoever brought it in."""
        return self.values.get(flat, self.scope.values.get(flat))

    def meant(self, name: str) -> object:
        """Return what a name in an annotation stands for."""
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
