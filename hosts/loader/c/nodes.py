"""Small expressions of Python that C becomes."""

from __future__ import annotations

import ast


def call(name: str, *arguments: ast.expr) -> ast.expr:
    """Call a function of :mod:`emu.c_arithmetic` or of the waist."""
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def operation(left: ast.expr, operator: type[ast.operator], right: ast.expr) -> ast.expr:
    """Return a Python operation."""
    return ast.BinOp(left, operator(), right)


def masked(node: ast.expr, mask: int) -> ast.expr:
    """Return the low bits of an expression."""
    return operation(node, ast.BitAnd, ast.Constant(mask))
