"""What a user's code replaces, for people: two lines before a run, and as a unified diff against ``emu/``."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from emu.observe import is_instrument
from hosts.cli.own_show import brought_line
from hosts.loader.program import Program
from hosts.loader.rule.replacement import Replaced
from hosts.loader.user_code import UserCode
from hosts.plural import counted

_SHOWN: Final = 6
"""Functions that are named with both places; of more only the name and the user's."""
_PYTHON: Final = ".py"


def code_lines(code: UserCode | None, program: Program | None) -> list[str]:
    """Return what a run's user should know of the code: what is replaced, and what of a diff is of no effect."""
    return [] if code is None or program is None else [*_replaced_lines(code, program), *_diff_lines(code)]


def _diff_lines(code: UserCode) -> list[str]:
    """Return what a diff changes besides what was read, and which of its hunks are elsewhere than they say."""
    if code.diff is None:
        return []
    from hosts.loader.kernel.patchfile import applied_to  # reads mails, which few need

    applied = applied_to(code.unpatched, code.diff, code.kernel_label)
    unread = f"{Path(code.diff.path).name} also changes what is not read here: {', '.join(applied.absent)}"
    return [*([unread] if applied.absent else []), *applied.moved]


def _replaced_lines(code: UserCode, program: Program) -> list[str]:
    """Return what is replaced, what is new, and what stays: two or three lines; none if there is only a rule."""
    replaced = program.replaced
    brought = [line for line in [brought_line(code.label, program.own)] if line]
    if not replaced:
        return [*brought, f"{code.label}: no function of emu/ is replaced"] if brought else []
    many = len(replaced) > _SHOWN
    each = ", ".join(
        f"{name} ({_place(where.file, where.line)}{'' if many else f' in place of {_former(where)}'})"
        for name, where in replaced.items()
    )
    what = f"{counted(len(replaced), 'function')} of emu/ {'is' if len(replaced) == 1 else 'are'} replaced"
    return [f"{code.label}: {what}: {each}", *brought, f"{code.label}: {_staying(program)}"]


def _staying(program: Program) -> str:
    """Return what stays emu's."""
    kept = program.kept
    if not kept:
        return "everything else is emu's"
    names = ", ".join(list(kept)[:_SHOWN]) + (f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else "")
    return f"everything else is emu's, also what the kernel has, too: {names} (pirace kernel PATH says why)"


def diff_lines(code: UserCode, program: Program) -> Iterator[str]:
    """Return unified diffs, function by function, in the order of their files. What instruments do is left out."""
    contents = {file.path: file.content for file in code.files}
    for name, where in program.replaced.items():
        former = _function(where.former_file, Path(where.former_file).read_bytes(), name)
        new = _users(name, where, contents, program)
        if not where.file.endswith(_PYTHON):  # as a translation has neither comments nor line breaks of its own
            former = _plain(former)
        titles = f"{_former(where)} {name}", f"{where.file}:{where.line} {name}"
        yield from difflib.unified_diff(former, new, *titles, lineterm="")
        if former == new:
            yield f"{where.file}:{where.line}: {name} is the same as {_former(where)}"


def _users(name: str, where: Replaced, contents: Mapping[str, bytes], program: Program) -> list[str]:
    """Return the lines of the user's function; of one in C those of its translation."""
    if where.file.endswith(_PYTHON):
        return _function(where.file, contents[where.file], name)
    return program.texts[name].splitlines()


def _function(file: str, content: bytes, name: str) -> list[str]:
    """Return the lines of a function without those of instruments alone, and without its docstring."""
    module = ast.parse(content, file)
    instruments = {
        alias.asname or alias.name
        for node in module.body
        if isinstance(node, ast.ImportFrom) and is_instrument(node.module or "")
        for alias in node.names
    }
    function = next(node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name)
    left_out: set[int] = set()
    for statement in ast.walk(function):
        if isinstance(statement, ast.stmt) and _is_instruments(statement, instruments):
            left_out.update(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        left_out.update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    lines = content.decode("utf-8", "replace").splitlines()
    numbers = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    return [lines[number - 1] for number in numbers if number not in left_out]


def _is_instruments(statement: ast.stmt, instruments: set[str]) -> bool:
    """Return whether all that a statement does is to call an instrument."""
    match statement:
        case (
            ast.Expr(value=ast.Call(func=ast.Name(id=name)))
            | ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Name(id=name)))
        ):
            return name in instruments
    return False


def _plain(lines: list[str]) -> list[str]:
    """Return a function as the translator writes one."""
    return ast.unparse(ast.parse("\n".join(lines))).splitlines()


def _place(file: str, line: int) -> str:
    return f"{Path(file).name}:{line}"


def _former(where: Replaced) -> str:
    """Return the place in ``emu/``, without what leads there on this machine."""
    path = Path(where.former_file)
    return f"{path.parent.name}/{path.name}:{where.former_line}"
