"""The translation of C functions beside the C, line by line; in a narrow terminal below each line."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from rich.text import Text

from hosts.cli.kernel_show import short
from hosts.loader.kernel.bring import Taken
from hosts.loader.syntax.language import bodies
from hosts.terminal import WIDE

LEAST: Final = 100
"""Columns below which C and Python do not fit beside each other."""
_NUMBER: Final = 6
_TAB: Final = 4


def beside(taken: Taken, contents: Mapping[str, bytes], width: int | None, root: str) -> Iterator[Text]:
    """Yield the lines, for a terminal of this width."""
    width = width or WIDE
    for name, tree in taken.translation.functions.items():
        path = taken.translation.files[name]
        c_lines = contents[path].decode(errors="replace").split("\n") if path in contents else []
        yield Text()
        yield Text(f"{name}  {short(path, root)}:{tree.lineno}", style="bold")
        for number, left, right in _paired(tree, c_lines):
            yield from (_wide if width >= LEAST else _narrow)(number, left, right, width)


def _paired(tree: ast.FunctionDef, c_lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield a line's number, the C in it and what it became; a line of C that became nothing, or more, has blanks."""
    last = 0
    for number, text in python_lines(tree):
        first = last + 1 if last else number
        for between in range(first, number):
            yield between, _line(c_lines, between), ""
        yield number, _line(c_lines, number) if number > last else "", text
        last = max(last, number)
    yield from ((after, _line(c_lines, after), "") for after in _to_the_end(c_lines, last))


def _line(c_lines: list[str], number: int) -> str:
    return c_lines[number - 1].expandtabs(_TAB).rstrip() if 0 < number <= len(c_lines) else ""


def _to_the_end(c_lines: list[str], last: int) -> Iterator[int]:
    """Yield the numbers of the lines up to the one that closes the function."""
    for number in range(last + 1, len(c_lines) + 1):
        yield number
        if c_lines[number - 1].startswith("}"):
            return


def python_lines(tree: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Yield the lines of a translated function, each with the number of the line of C that it comes from."""
    parameters = ast.unparse(tree.args)
    yield tree.lineno, f"def {tree.name}({parameters}):"
    yield from _statements(tree.body, 1)


def _statements(statements: list[ast.stmt], level: int) -> Iterator[tuple[int, str]]:
    indent = "    " * level
    for statement in statements:
        if isinstance(statement, ast.If | ast.While):
            word = "if" if isinstance(statement, ast.If) else "while"
            yield statement.lineno, f"{indent}{word} {ast.unparse(statement.test)}:"
            yield from _statements(statement.body, level + 1)
            if statement.orelse:
                yield statement.orelse[0].lineno, f"{indent}else:"
                yield from _statements(statement.orelse, level + 1)
        elif bodies(statement):
            text = ast.unparse(statement).split("\n")
            yield from ((statement.lineno, indent + line) for line in text)
        else:
            yield statement.lineno, indent + ast.unparse(statement)


def _wide(number: int, left: str, right: str, width: int) -> Iterator[Text]:
    """Yield the two beside each other, broken where they are too wide."""
    column = (width - _NUMBER - 3) // 2
    lefts, rights = _broken(left, column), _broken(right, column)
    for i in range(max(len(lefts), len(rights))):
        shown = f"{number:{_NUMBER - 1}} " if i == 0 and left else " " * _NUMBER
        one = lefts[i] if i < len(lefts) else ""
        other = rights[i] if i < len(rights) else ""
        yield Text(f"{shown}{one:{column}} │ {other}".rstrip() if other else f"{shown}{one}".rstrip())


def _narrow(number: int, left: str, right: str, width: int) -> Iterator[Text]:
    """Yield the C, and below it what it became."""
    for i, line in enumerate(_broken(left, width - _NUMBER) if left else []):
        yield Text((f"{number:{_NUMBER - 1}} " if i == 0 else " " * _NUMBER) + line)
    for line in _broken(right, width - _NUMBER - 2) if right else []:
        yield Text(f"{'':{_NUMBER}}> {line}", style="cyan")


def _broken(text: str, width: int) -> list[str]:
    """Break a line between words; what follows is set in further."""
    if len(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip())][: width // 2]
    return textwrap.wrap(
        text.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}    ", break_on_hyphens=False
    )
