"""How tightly the parts of an expression bind: a macro is text, and what stands beside it may take a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hosts.loader.c.source import part, parts

if TYPE_CHECKING:
    from tree_sitter import Node

_ANY, _COMMA, _ASSIGNMENT, _CHOICE, _BINARY, _UNARY, _POSTFIX = 0, 1, 2, 3, 4, 20, 30
_LEVELS: Final = ("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %")
_OPERATORS: Final = {each: _BINARY + n for n, level in enumerate(_LEVELS) for each in level.split()}
_KINDS: Final = {
    "comma_expression": _COMMA,
    "assignment_expression": _ASSIGNMENT,
    "conditional_expression": _CHOICE,
    **dict.fromkeys(("unary_expression", "cast_expression", "pointer_expression", "sizeof_expression"), _UNARY),
}


def strength(node: Node) -> int:
    """Return how tightly the outermost operator of an expression binds."""
    if node.type == "binary_expression":
        return _OPERATORS[node.children[1].type]
    if node.type == "update_expression":
        return _POSTFIX if node.children[0].is_named else _UNARY
    return _KINDS.get(node.type, _POSTFIX)


def needed(node: Node) -> int:  # noqa: PLR0911 - one for each kind of neighbour
    """Return how tightly an expression has to bind that stands where ``node`` does."""
    around = node.parent
    match around.type if around is not None else "":
        case "binary_expression":
            assert around is not None  # noqa: S101 - it has a type
            level = _OPERATORS[around.children[1].type]
            return level if around.children[0] == node else level + 1
        case "conditional_expression":
            assert around is not None  # noqa: S101 - it has a type
            if part(around, "condition") == node:
                return _CHOICE + 1
            return _CHOICE if part(around, "alternative") == node else _ANY
        case "assignment_expression":
            assert around is not None  # noqa: S101 - it has a type
            return _UNARY if part(around, "left") == node else _ASSIGNMENT
        case "unary_expression" | "cast_expression" | "pointer_expression" | "sizeof_expression":
            return _UNARY
        case "update_expression" | "field_expression":
            return _POSTFIX
        case "subscript_expression" | "call_expression":
            assert around is not None  # noqa: S101 - it has a type
            return _POSTFIX if parts(around)[0] == node else _ANY
        case "argument_list" | "init_declarator" | "initializer_list" | "initializer_pair":
            return _ASSIGNMENT
    return _ANY
