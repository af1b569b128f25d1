"""Refuses expressions that C leaves undefined: a variable changed twice, or changed and read, in no fixed order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hosts.loader.c.source import part, parts, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

Names = tuple[frozenset[str], frozenset[str]]
"""What is read, and what is changed."""
_NONE: Final[Names] = (frozenset(), frozenset())
Complain = Callable[["Node", str], None]


def check_order(node: Node, complain: Complain) -> Names:  # noqa: PLR0911 - one for each kind
    """Look through an expression; return the plain names that it reads and changes."""
    match node.type:
        case "identifier":
            return frozenset({text_of(node)}), frozenset()
        case "assignment_expression":
            return _assignment(node, complain)
        case "update_expression":
            inner = part(node, "argument")
            return _changed(inner, complain, reads=True) if inner is not None else _NONE
        case "comma_expression" | "conditional_expression":
            return _joined(*(check_order(each, complain) for each in parts(node)))
        case "binary_expression" if any(each.type in ("&&", "||") for each in node.children):
            return _joined(*(check_order(each, complain) for each in parts(node)))
        case "sizeof_expression" | "field_identifier" | "type_descriptor" | "compound_statement":
            return _NONE
        case "pointer_expression" if node.children and node.children[0].type == "&":
            reads, changes = _beside(node, parts(node), complain)
            return frozenset() if parts(node)[0].type == "identifier" else reads, changes
    return _beside(node, parts(node), complain)


def _beside(node: Node, each: list[Node], complain: Complain) -> Names:
    """Look at parts that are evaluated in no fixed order."""
    reads: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    for one in each:
        new_reads, new_changes = check_order(one, complain)
        clash = (changes & (new_reads | new_changes)) | (reads & new_changes)
        if clash:
            complain(node, f"{min(clash)} is changed and used in one expression, in an order that C leaves open")
        reads, changes = reads | new_reads, changes | new_changes
    return reads, changes


def _assignment(node: Node, complain: Complain) -> Names:
    left, right = part(node, "left"), part(node, "right")
    if left is None or right is None:
        return _NONE
    compound = text_of(node.children[1]) != "="
    given = check_order(right, complain)
    target = _changed(left, complain, reads=compound)
    clash = given[1] & (target[0] | target[1])
    if left.type != "identifier":
        clash |= target[1] & given[0]
    if clash:
        complain(node, f"{min(clash)} is changed and used in one expression, in an order that C leaves open")
    return _joined(given, target)


def _changed(node: Node, complain: Complain, *, reads: bool) -> Names:
    """Return what changing a place reads and changes."""
    while node.type == "parenthesized_expression" and parts(node):
        node = parts(node)[0]
    if node.type == "identifier":
        name = frozenset({text_of(node)})
        return name if reads else frozenset(), name
    return check_order(node, complain)


def _joined(*each: Names) -> Names:
    return frozenset().union(*(one[0] for one in each)), frozenset().union(*(one[1] for one in each))
