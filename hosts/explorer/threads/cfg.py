"""Control-flow graph: a protocol function as blocks that can be left and entered again.

The state of a call is a block and a list of locals. CPython's frames cannot be copied, and a generator runs on only
once; a search goes on from one state in many ways. So each function, in A-normal form, is cut after every call that may
suspend (an operation that other threads can notice, a choice, or a function that reaches one). What is between two cuts
is compiled as it stands (:mod:`hosts.explorer.threads.block_code`) and run by CPython; only the control flow around the
cuts is this module's. A local that no later block reads is dropped at the cut.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from hosts.explorer.threads.block_code import arguments, compile_blocks, frame_slot, parsed
from hosts.explorer.threads.live_variables import ANSWER, RETURN, Call, live_slots
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.language import bodies, parameters, walk, without_docstring

Code = Callable[[list[Any]], int]
"""Runs one block over a frame's locals. Returns the next block, or RETURN, or ``-2 - s`` for the call of site ``s``."""


@dataclass
class Flow:
    """One function, cut into blocks."""

    name: str
    file: str
    module: str
    arguments: int
    """The number of parameters, which are the first locals."""
    defaults: tuple[Any, ...]
    size: int
    names: tuple[str, ...] = ()
    """Of the parameters."""
    codes: list[Code] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    live: list[tuple[int, ...]] = field(default_factory=list)
    """For each block the locals that it or a later one reads before they are assigned."""
    heads: dict[int, int] = field(default_factory=dict)
    """The blocks to which the loops of unknown length come back, each with its line."""
    live_in_call: list[tuple[int, ...]] = field(default_factory=list)
    """For each call the locals that are read when it has returned, apart from the one that takes its value."""


def cut(
    tree: ast.FunctionDef, file: str, module: str, suspends: Callable[[str], bool], namespace: dict[str, Any]
) -> Flow:
    """Cut a function, which is in A-normal form, into blocks that run in ``namespace``."""
    return bound(*cut_up(tree, file, module, suspends), namespace)


def cut_up(tree: ast.FunctionDef, file: str, module: str, suspends: Callable[[str], bool]) -> tuple[Flow, CodeType]:
    """Return the flow without its blocks, and the code that makes them, which depends on no namespace."""
    cutter = _Cutter(tree, file, module, suspends)
    return cutter.flow, compile_blocks(tree.name, cutter.blocks, cutter.slots, file)


def bound(flow: Flow, code: CodeType, namespace: dict[str, Any]) -> Flow:
    """Return a flow with its blocks, which run in ``namespace``."""
    made: dict[str, Any] = {}
    exec(code, namespace, made)  # noqa: S102 - see the module
    return replace(flow, codes=list(made.values()))


class _Cutter:
    """Construction of one function's graph: appends statements to the current block until something ends it."""

    def __init__(
        self,
        tree: ast.FunctionDef,
        file: str,
        module: str,
        suspends: Callable[[str], bool],
    ) -> None:
        self.suspends = suspends
        names = parameters(tree)
        defaults = tuple(item.value for item in tree.args.defaults if isinstance(item, ast.Constant))
        self.slots = {name: i + 1 for i, name in enumerate(names)}
        for node in walk(*tree.body):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.slots.setdefault(node.id, len(self.slots) + 1)
        self.flow = Flow(tree.name, file, module, len(names), defaults, len(self.slots) + 1, tuple(names))
        self.blocks: list[list[ast.stmt]] = []
        self.loops: list[tuple[int, int]] = []
        """For the loops around: where ``continue`` and ``break`` go."""
        self.bounds = 0
        last = self.body(without_docstring(tree), self.new())
        if last >= 0:
            self.end(last, self.returned(None))
        self.flow.live = live = live_slots(self.blocks, self.slots, self.flow.calls)
        self.flow.live_in_call = [
            tuple(slot for slot in live[call.after] if slot not in (call.target, ANSWER)) for call in self.flow.calls
        ]

    # --- blocks --------------------------------------------------------------------------------------------------

    def new(self) -> int:
        """Begin a block."""
        self.blocks.append([])
        return len(self.blocks) - 1

    def end(self, block: int, *statements: ast.stmt) -> None:
        """End a block by statements of which each way returns."""
        self.blocks[block] += statements

    def goto(self, block: int) -> ast.stmt:
        """Return the statement that goes on at a block."""
        return ast.Return(ast.Constant(block))

    def returned(self, value: ast.expr | None) -> ast.stmt:
        """Return the statement that returns from the function."""
        keep = ast.Assign([frame_slot(ANSWER, ast.Store())], value or ast.Constant(None))
        return ast.If(ast.Constant(value=True), [keep, ast.Return(ast.Constant(RETURN))], [])

    def body(self, statements: list[ast.stmt], block: int) -> int:
        """Put statements behind a block; return the block that goes on behind them, or -1 if none does."""
        for statement in statements:
            block = self.statement(statement, block)
            if block < 0:
                return -1
        return block

    def statement(self, node: ast.stmt, block: int) -> int:  # noqa: PLR0911 - one for each kind
        """Put a statement behind a block; as :meth:`body`."""
        name = called(node)
        if name and self.suspends(name):
            return self.call(node, name, block)
        match node:
            case ast.Return(value=value):
                self.end(block, self.returned(value))
                return -1
            case ast.Break():
                self.end(block, self.goto(self.loops[-1][1]))
                return -1
            case ast.Continue():
                self.end(block, self.goto(self.loops[-1][0]))
                return -1
            case ast.If() | ast.Match() if self.is_cut(node):
                return self.branch(node, block)
            case ast.While():
                return self.loop(node, block)
            case ast.For() if self.is_cut(node):
                return self.counted(node, block)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self.blocks[block].append(ast.copy_location(ast.Assign([target], value), node))
                return block
        self.blocks[block].append(node)
        return block

    def is_cut(self, node: ast.stmt) -> bool:
        """Return whether a compound statement cannot run as a whole."""
        own_loop = isinstance(node, ast.While | ast.For)
        return any(_leaves(part, own_loop) or self.is_call(part) for body in bodies(node) for part in body)

    def is_call(self, node: ast.stmt) -> bool:
        """Return whether a call that may suspend is in a statement, or a loop that may never end."""
        return any(
            isinstance(part, ast.While)
            or (isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and self.suspends(part.func.id))
            for part in walk(node)
        )

    def call(self, node: ast.stmt, name: str, block: int) -> int:
        """End the block by a call that may suspend."""
        if name == "interrupt_point" and self.blocks[block]:
            start = self.new()  # an interrupt point is come back to, when a handler has run
            self.end(block, self.goto(start))
            block = start
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr) else None
        assert isinstance(value, ast.Call)  # noqa: S101 - hosts.loader.syntax.interrupt_points.called says so
        target = ANSWER
        several = isinstance(node, ast.Assign) and (len(node.targets) > 1 or isinstance(node.targets[0], ast.Tuple))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and not several:
            target = self.slots[node.targets[0].id]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            target = self.slots[node.target.id]
        after = self.new()
        if isinstance(node, ast.Assign) and several:
            self.blocks[after].append(ast.Assign(node.targets, frame_slot(ANSWER, ast.Load())))
        self.flow.calls.append(Call(name, target, after, node.lineno, ast.unparse(value)))
        keep = ast.Assign([frame_slot(ANSWER, ast.Store())], arguments(name, value))
        self.end(block, keep, ast.Return(ast.Constant(-1 - len(self.flow.calls))))
        return after

    def branch(self, node: ast.If | ast.Match, block: int) -> int:
        """End the block by a choice between lists of statements."""
        after = self.new()
        new = copy.copy(node)
        if isinstance(node, ast.If) and isinstance(new, ast.If):
            new.body, new.orelse = self.arm(node.body, after), self.arm(node.orelse, after)
        elif isinstance(node, ast.Match) and isinstance(new, ast.Match):
            new.cases = [ast.match_case(case.pattern, case.guard, self.arm(case.body, after)) for case in node.cases]
        self.end(block, new, self.goto(after))
        return after

    def arm(self, statements: list[ast.stmt], after: int) -> list[ast.stmt]:
        """Put statements into blocks of their own; return the statement that goes there."""
        if not statements:
            return [self.goto(after)]
        start = self.new()
        end = self.body(statements, start)
        if end >= 0:
            self.end(end, self.goto(after))
        return [self.goto(start)]

    def loop(self, node: ast.While, block: int) -> int:
        """Cut a loop: its test begins a block."""
        head, start, after = self.new(), self.new(), self.new()
        self.flow.heads[head] = node.lineno
        self.end(block, self.goto(head))
        self.end(head, ast.If(node.test, [self.goto(start)], []), self.goto(after))
        self.loops.append((head, after))
        end = self.body(node.body, start)
        self.loops.pop()
        if end >= 0:
            self.end(end, self.goto(head))
        return after

    def counted(self, node: ast.For, block: int) -> int:
        """Cut a loop over a range: the rest of the range becomes locals of its own."""
        assert isinstance(node.iter, ast.Call)  # noqa: S101 - hosts.loader.syntax.language says so
        assert isinstance(node.target, ast.Name)  # noqa: S101
        self.bounds += 1
        at, stop, by = (self.made_up(f"_range{self.bounds}_{part}") for part in ("at", "stop", "by"))
        head, start, step, after = self.new(), self.new(), self.new(), self.new()
        counted = ast.unparse(node.iter)
        self.end(block, parsed(f"{at} = ({counted}).start; {stop} = ({counted}).stop; {by} = ({counted}).step", node))
        self.end(block, self.goto(head))
        more = parsed(f"{at} < {stop} if {by} > 0 else {at} > {stop}", node)
        assert isinstance(more, ast.Expr)  # noqa: S101
        self.end(head, ast.If(more.value, [self.goto(start)], []), self.goto(after))
        self.blocks[start].append(parsed(f"{node.target.id} = {at}", node))
        self.loops.append((step, after))
        end = self.body(node.body, start)
        self.loops.pop()
        if end >= 0:
            self.end(end, self.goto(step))
        self.end(step, parsed(f"{at} = {at} + {by}", node), self.goto(head))
        return after

    def made_up(self, name: str) -> str:
        """Add a local."""
        self.slots[name] = self.flow.size
        self.flow.size += 1
        return name


def _leaves(statement: ast.stmt, own_loop: bool) -> bool:  # noqa: FBT001
    """Return whether a statement returns from the function, or leaves a loop that stands around the statement given."""
    if isinstance(statement, ast.Return):
        return True
    if isinstance(statement, ast.Break | ast.Continue):
        return not own_loop
    inside = own_loop or isinstance(statement, ast.While | ast.For)
    return any(_leaves(part, inside) for body in bodies(statement) for part in body)
