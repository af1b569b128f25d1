"""What a user's code replaces, for people: two lines before a run, and as a unified diff against ``emu/``."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import emu
from emu.observe import is_instrument
from hosts.cli.own_show import brought_line
from hosts.loader.program import Program
from hosts.loader.rule.replacement import Replaced
from hosts.loader.rule.userfile import ENTRY
from hosts.loader.sent_vectors import TRIGGER
from hosts.loader.user_code import UserCode
from hosts.plural import counted
from hosts.runs.own_code import TODAYS

_SHOWN: Final = 6
"""Functions that are named before a run; a kernel has many more."""
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
    more = len(replaced) - _SHOWN if len(replaced) > _SHOWN else 0
    each = ", ".join(
        f"{name} ({_place(where.file, where.line)} in place of {_former(where)})"
        for name, where in list(replaced.items())[:_SHOWN]
    )
    each += f" and {more} more (--show-diff shows them)" if more else ""
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
    if code.rule is not None:
        yield from _compared(_users(code.rule.path, code.rule.function, ENTRY, contents, program), _todays())
    for name, where in program.replaced.items():
        former = _todays() if name == TRIGGER else _function(where.former_file, _read(where.former_file), name)
        yield from _compared(_users(where.file, name, name, contents, program, where.line), former)


@dataclass(frozen=True)
class _Shown:
    """A function as it is shown."""

    name: str
    file: str
    line: int
    lines: list[str]
    translated: bool = False
    """From C: with neither comments nor line breaks of its own."""

    @property
    def title(self) -> str:
        """Return where it is: of one of ``emu/`` without what leads there on this machine."""
        return f"{self.file}:{self.line} {self.name}"


def _compared(new: _Shown, former: _Shown) -> Iterator[str]:
    old = _plain(former.lines) if new.translated else former.lines
    old, now = old[1:], new.lines[1:]  # names and annotations are no difference
    yield from difflib.unified_diff(old, now, former.title, new.title, lineterm="")
    if old == now:
        yield f"{new.title}: the same as {former.title}"


def _users(
    file: str, function: str, name: str, contents: Mapping[str, bytes], program: Program, line: int = 1
) -> _Shown:
    """Return the user's function; of one in C its translation. ``name``: in the program."""
    if file.endswith(_PYTHON):
        return _function(file, contents[file], function)
    return _Shown(function, file, line, program.texts[name].splitlines(), translated=True)


def _todays() -> _Shown:
    """Return today's rule, which a user's own is compared with: the function itself chooses among historic ones."""
    path = str(Path(next(iter(emu.__path__)), "policies.py"))
    return _function(path, _read(path), TODAYS.replace("-", "_"))


def _read(file: str) -> bytes:
    return Path(file).read_bytes()


def _function(file: str, content: bytes, name: str) -> _Shown:
    """Return a function without the lines of instruments alone, and without its docstring."""
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
    return _Shown(name, _short(file), function.lineno, [lines[each - 1] for each in numbers if each not in left_out])


def _short(file: str) -> str:
    """Return a file's place: in ``emu/`` without what leads there on this machine."""
    path, top = Path(file), Path(next(iter(emu.__path__)))
    return str(path.relative_to(top.parent)) if path.is_relative_to(top) else file


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
    return f"{_short(where.former_file)}:{where.former_line}"
