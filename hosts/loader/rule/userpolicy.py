"""Reader of a user's rule: one function of a file, and the checks that the file promises to hold."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Final

from emu.observe.accounting import CHECKS
from hosts.loader.policy_name import RuleName
from hosts.loader.rule.bindings import Bindings
from hosts.loader.rule.brought import Brought
from hosts.loader.rule.userfile import ENTRY, FileReader, parsed
from hosts.loader.source_file import SourceFile
from hosts.loader.syntax.language import Origin, PolicyError, parameters
from hosts.loader.syntax.names import Scope

UNPROMISED: Final = "USER_UNPROMISED"
"""The constant of the protocol that says which checks are not made of a user's rule."""
PROMISES: Final = "CHECKS"
"""What a rule's file calls the checks that its protocol promises to hold; without it that is all of them."""

_PARAMETERS: Final = 2
_EXAMPLE: Final = "def policy(vcpu: Vcpu, vec: int) -> None"


def unpromised(file: SourceFile | None) -> tuple[str, ...]:
    """Name the checks that a rule's file leaves out; nothing of a file that is refused when it is loaded."""
    if file is None:
        return ()
    try:
        return _left_out(ast.parse(file.content, file.path), Origin(file.path, PolicyError))
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


def read_policy(rule: RuleName, file: SourceFile, scope: Scope, packages: Collection[str]) -> Brought:
    """Check a rule, and take out of its file what it reaches."""
    if not rule.path or not rule.function:
        raise PolicyError(str(rule), 1, "a policy is given as path/to/file.py:function")
    module, origin = parsed(file), Origin(rule.path, PolicyError)
    reader = FileReader(origin, Bindings(module, origin), scope, packages)
    _take(reader, rule.function)
    if left_out := _left_out(module, origin):
        reader.values[UNPROMISED] = sum(1 << CHECKS.index(check) for check in left_out)
    return reader.brought()


def _take(reader: FileReader, name: str) -> None:
    """Take the rule itself."""
    statement = reader.file.get(name)
    if statement is None:
        there = ", ".join(reader.file.functions()) or "none"
        reader.origin.refuse(None, f"there is no function {name}; functions here: {there}")
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        reader.origin.refuse(statement, f"{name} is not a plain function ({_EXAMPLE})")
    reader.names[name] = ENTRY
    reader.function(statement, ENTRY)
    if len(parameters(reader.functions[ENTRY])) != _PARAMETERS or statement.args.defaults:
        reader.origin.refuse(statement, f"{name} does not take exactly two parameters ({_EXAMPLE})")
