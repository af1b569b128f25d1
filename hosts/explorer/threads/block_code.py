"""Code of the blocks of a function: statements over a list of locals, which can be copied and entered again."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, Final

from hosts.loader.syntax.names import PRIMITIVES

_FRAME: Final = "_pirace_frame"
"""The parameter of a block's function: the list of locals."""


def compile_blocks(name: str, blocks: Sequence[Sequence[ast.stmt]], slots: Mapping[str, int], file: str) -> CodeType:
    """Compile all blocks of a function at once: a call of the compiler costs as much as several blocks."""
    in_frame = _InFrame(slots)
    functions: list[ast.stmt] = []
    for number, block in enumerate(blocks):
        body = [in_frame.statement(node) for node in block]
        frame = ast.arguments([], [ast.arg(_FRAME)], None, [], [], None, [])
        block_name = f"{name}_{number}"
        functions.append(ast.copy_location(ast.FunctionDef(block_name, frame, body, [], None), block[0]))
    module = ast.fix_missing_locations(ast.Module(functions, []))
    return compile(module, file, "exec")


class _InFrame:
    """Copies statements, with names of locals turned into places in the frame, which have no annotations."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self.slots = slots

    def statement(self, node: ast.stmt) -> ast.stmt:
        """Copy one statement."""
        new: ast.stmt = self._copied(node)
        return new

    def _copied(self, node: Any) -> Any:
        if isinstance(node, ast.Name):
            local = node.id in self.slots
            return ast.copy_location(frame_slot(self.slots[node.id], node.ctx), node) if local else _twin(node)
        if isinstance(node, ast.expr_context):
            return node
        if isinstance(node, ast.AnnAssign):  # the mere annotation becomes nothing
            plain = ast.Assign([node.target], node.value) if node.value is not None else ast.Pass()
            node = ast.copy_location(plain, node)
        new = _twin(node)
        for name, value in node.__dict__.items():
            if isinstance(value, ast.AST):
                named = name == "func" and isinstance(node, ast.Call)  # the name of what is called is left alone
                new.__dict__[name] = _twin(value) if named else self._copied(value)
            elif isinstance(value, list):
                new.__dict__[name] = [self._copied(each) if isinstance(each, ast.AST) else each for each in value]
        return new


def _twin(node: Any) -> Any:
    """Copy a node, not its parts; copy.copy() takes ten times as long, and there are a hundred thousand."""
    new = node.__class__.__new__(node.__class__)
    new.__dict__.update(node.__dict__)
    return new


def frame_slot(slot: int, context: ast.expr_context) -> ast.expr:
    """Return the expression of a local."""
    return ast.Subscript(ast.Name(_FRAME, ast.Load()), ast.Constant(slot), context)


def arguments(name: str, call: ast.Call) -> ast.expr:
    """Return the expression of a call's arguments: a tuple, in order if a primitive is called.

    The keywords of another function stand behind it as a second one, if there are any.
    """
    if not call.keywords:
        return ast.Tuple(list(call.args), ast.Load())
    words = {str(word.arg): word.value for word in call.keywords}
    if name in PRIMITIVES:
        bound = inspect.signature(PRIMITIVES[name]).bind(*call.args, **words)
        return ast.Tuple(list(bound.args), ast.Load())
    keywords = ast.Dict([ast.Constant(word) for word in words], list(words.values()))
    return ast.Tuple([ast.Tuple(list(call.args), ast.Load()), keywords], ast.Load())


def parsed(text: str, like: ast.AST) -> ast.stmt:
    """Return one statement with this text, at the line of another; several become one that is always true."""
    statements = ast.parse(text).body
    statement = statements[0] if len(statements) == 1 else ast.If(ast.Constant(value=True), statements, [])
    return ast.fix_missing_locations(ast.copy_location(statement, like))
