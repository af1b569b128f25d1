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
PATCH_UNPROMISED: Final = "PATCH_UNPROMISED"
"""And of a machine with a user's patches, under whichever rule."""
PROMISES: Final = "CHECKS"
"""What a rule's file calls the checks that its protocol promises to hold; without it that is all of them."""

_PARAMETERS: Final = 2
_EXAMPLE: Final = "def policy(vcpu: Vcpu, vec: int) -> None"


def unpromised(file: SourceFile | None) -> tuple[str, ...]:
    """Name the checks that a rule's file leaves out; nothing of a file that is refused when it is loaded."""
    if file is None:
        return ()
    try:
        origin = Origin(file.path, PolicyError)
        return left_out(Bindings(ast.parse(file.content, file.path), origin), origin)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, PolicyError):
        return ()


def left_out(file: Bindings, origin: Origin, own: Collection[str] = ()) -> tuple[str, ...]:
    """Return the checks that the one assignment to CHECKS leaves out; it may also name those of the file's ``own``."""
    statement = file.get(PROMISES)
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
        if name not in (*CHECKS, *own):
            origin.refuse(statement, f"there is no check {name}; {how}")
    return tuple(check for check in CHECKS if check not in names)


def unpromised_bits(constant: str, checks: Collection[str]) -> dict[str, object]:
    """Return the constant of the protocol that says so, if any checks are left out."""
    return {constant: sum(1 << CHECKS.index(check) for check in checks)} if checks else {}


def read_policy(rule: RuleName, file: SourceFile, scope: Scope, packages: Collection[str]) -> Brought:
    """Check a rule, and take out of its file what it reaches."""
    if not rule.path or not rule.function:
        raise PolicyError(str(rule), 1, "a policy is given as path/to/file.py:function")
    module, origin = parsed(file), Origin(rule.path, PolicyError)
    bindings = Bindings(module, origin)
    reader = FileReader(origin, bindings, scope, packages)
    _take(reader, rule.function)
    reader.values |= unpromised_bits(UNPROMISED, left_out(bindings, origin))
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
