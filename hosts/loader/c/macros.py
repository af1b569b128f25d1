"""Macros of the files: what one stands for, as an expression, with its arguments put in token by token."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from hosts.loader.c.errors import refuse
from hosts.loader.c.preprocess import Macro, Meaning, without_doubt
from hosts.loader.c.source import parsed, parts, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|##?|.", re.DOTALL)
_MOST_TEXT = 20_000


def expanded(macro: Macro, arguments: tuple[str, ...], meaning: Meaning, where: tuple[str, int]) -> Node:
    """Return what a macro stands for, as the syntax tree of an expression."""
    text = substituted(macro, arguments, where)
    tree = _expression(without_doubt(text.encode(), meaning))
    if tree is None:
        what = "is empty" if not macro.body else "stands for something else than an expression"
        refuse(*where, f"the macro {macro.name} ({macro.file}:{macro.line}) {what}, which is not translated")
    return tree


def statement(macro: Macro, arguments: tuple[str, ...], meaning: Meaning, where: tuple[str, int]) -> Node | None:
    """Return the statement that a macro stands for, if that is ``do { ... } while (0)``: nothing joins it."""
    text = without_doubt(substituted(macro, arguments, where).encode(), meaning)
    root = parsed(b"void f(void) { " + text + b"\n; }")
    found = [] if root.has_error else [each for each in walk(root) if each.type == "compound_statement"][:1]
    inner = [each for body in found for each in parts(body)]
    if not inner or inner[0].type != "do_statement" or any(parts(each) for each in inner[1:]):
        return None
    condition = inner[0].child_by_field_name("condition")
    once = condition is not None and (condition.text or b"").strip(b"( )") in (b"0", b"false")
    return inner[0] if once else None


def substituted(macro: Macro, arguments: tuple[str, ...], where: tuple[str, int]) -> str:
    """Return the text of a macro with its arguments put in."""
    given = macro.parameters or ()
    if len(given) != len(arguments) or any("..." in each for each in given):
        refuse(*where, f"the macro {macro.name} ({macro.file}:{macro.line}) takes {len(given)}, not {len(arguments)}")
    values = dict(zip(given, arguments, strict=True))
    out: list[str] = []
    for token in _TOKEN.findall(macro.body):
        if token in ("#", "##"):
            refuse(*where, f"the macro {macro.name} ({macro.file}:{macro.line}) makes names or strings with {token}")
        out.append(f" {values[token]} " if token in values else token)
    text = "".join(out)
    if len(text) > _MOST_TEXT:
        refuse(*where, f"the macro {macro.name} ({macro.file}:{macro.line}) grows too long")
    return text


@functools.lru_cache(1024)
def _expression(text: bytes) -> Node | None:
    """Parse an expression."""
    root = parsed(b"int f(void) { return (" + text + b"\n); }")
    if root.has_error:
        return None
    found = [each for each in walk(root) if each.type == "return_statement"]
    inner = parts(found[0])[0] if found and parts(found[0]) else None
    return inner if inner is not None and inner.type == "parenthesized_expression" else None
