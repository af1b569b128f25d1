"""From structured control flow to Python's: jumps become ``break``, ``continue``, ``else``, or nothing.

Where a jump goes to what follows anyhow it vanishes; where it skips the rest of a block that moves into an ``else``.
Only what neither does costs something: a loop of one turn, and a flag for a jump out of two loops.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from hosts.loader.c.errors import refuse
from hosts.loader.c.flow import Block, Branch, Declare, Jump, Label, Leave, Loop, Plain, Step, falls_through, targets
from hosts.loader.c.values import negated

N = TypeVar("N", bound=ast.AST)
_WITH_LINES: Final = (ast.stmt, ast.expr, ast.arg, ast.keyword)
_MOST_WORK: Final = 20_000
_SMALL: Final = 3
"""Simple statements that are rather repeated than jumped around."""


class _NoWayError(Exception):
    """A jump that no statement of Python makes from where it stands."""

    def __init__(self, label: Label) -> None:
        super().__init__(label.name)
        self.label = label


@dataclass(frozen=True)
class _Around:
    """What ``break`` and ``continue`` lead to."""

    after: frozenset[Label] = frozenset()
    again: frozenset[Label] = frozenset()


class Structurer:
    """Makes the body of one function."""

    def __init__(self, file: str, line: int, new_name: Callable[[str], str]) -> None:
        """``new_name`` gives names that no local has."""
        self.file, self.line, self.new_name = file, line, new_name
        self.work = 0

    def body(self, steps: list[Step]) -> list[ast.stmt]:
        """Return the statements of the function."""
        end = Label("end")
        try:
            made = self.steps(steps, frozenset({end}), _Around())
        except _NoWayError as error:
            refuse(self.file, self.line, f"its jumps to {error.label.name} are too tangled")
        return made or [_at(ast.Pass(), self.line)]

    def steps(  # noqa: C901, PLR0911, PLR0912 - one for each kind
        self, steps: list[Step], follow: frozenset[Label], around: _Around
    ) -> list[ast.stmt]:
        """Return statements; control that comes to their end is at all of ``follow``."""
        self.work += 1 + len(steps)
        if self.work > _MOST_WORK:
            refuse(self.file, self.line, "its jumps are too tangled")
        out: list[ast.stmt] = []
        for position, step in enumerate(steps):
            rest = steps[position + 1 :]
            here = follow if not rest else frozenset()
            match step:
                case Plain(statement=statement):
                    out.append(cloned(statement))
                case Declare(variable=variable, line=line):
                    if variable.needs_zero:
                        target = ast.Name(variable.name, ast.Store())
                        out.append(_at(ast.Assign([target], ast.Constant(0)), line))
                case Leave(value=value, line=line):
                    if value is not None or not rest:
                        out.append(_at(ast.Return(None if value is None else cloned(value)), line))
                    else:
                        out.append(_at(ast.Return(None), line))
                    return out
                case Jump():
                    return out + self.jump(step, follow, around)
                case Branch():
                    made, done = self.branch(step, rest, follow, around)
                    out += made
                    if done:
                        return out
                case Block(label=label, body=body) if (first := _without(body, label)) and first < len(body):
                    return out + self.steps([*body[:first], Block(label, body[first:]), *rest], follow, around)
                case Block(label=label, body=body):
                    try:
                        out += self.steps(body, here | {label}, around)
                    except _NoWayError as error:
                        if error.label is label and follow and _is_small(rest):
                            repeated = _redirected(body, label, min(follow, key=lambda each: each.name), rest)
                            return out + self.steps(repeated + rest, follow, around)
                        if error.label in here | {label}:
                            out += self.once(step, here | {label}, around, error)
                        else:
                            raise
                case Loop():
                    return out + self.loop(step, here, around)
        return out

    def jump(self, step: Jump, follow: frozenset[Label], around: _Around) -> list[ast.stmt]:
        """Return a jump."""
        if step.label in follow:
            return []
        if step.label in around.after:
            return [_at(ast.Break(), step.line)]
        if step.label in around.again:
            return [_at(ast.Continue(), step.line)]
        raise _NoWayError(step.label)

    # --- branches ------------------------------------------------------------------------------------------------

    def branch(
        self, step: Branch, rest: list[Step], follow: frozenset[Label], around: _Around
    ) -> tuple[list[ast.stmt], bool]:
        """Return a branch, and whether the steps after it are in it."""
        if not rest:
            return self.two(step, step.body, step.orelse, follow, around), True
        falls = falls_through(step.body), falls_through(step.orelse)
        if falls == (False, False):
            return self.two(step, step.body, step.orelse, follow, around), True
        try:
            return self.two(step, step.body, step.orelse, frozenset(), around), False
        except _NoWayError:
            if falls == (True, True) and not _is_small(rest):
                raise
        body = step.body + rest if falls[0] else step.body
        orelse = step.orelse + rest if falls[1] else step.orelse
        return self.two(step, body, orelse, follow, around), True

    def two(
        self, step: Branch, body: list[Step], orelse: list[Step], follow: frozenset[Label], around: _Around
    ) -> list[ast.stmt]:
        """Return both ways of a branch."""
        then, other = self.steps(body, follow, around), self.steps(orelse, follow, around)
        test = cloned(step.test)
        if not then and not other:
            return [] if _is_idle(test) else [_at(ast.Expr(test), step.line)]
        if not then:
            test, then, other = negated(test), other, []
        return [_at(ast.If(test, then, other), step.line)]

    # --- blocks and loops ----------------------------------------------------------------------------------------

    def once(self, step: Block, follow: frozenset[Label], around: _Around, error: _NoWayError) -> list[ast.stmt]:
        """Return the steps of a block as a loop of one turn, which ``break`` leaves."""
        if error.label not in follow:
            raise error
        end: list[Step] = [Jump(step.label, self.line)] if falls_through(step.body) else []
        once = Loop(Label("once"), [*step.body, *end], self.line)
        return self.loop(once, follow, around)

    def loop(self, step: Loop, follow: frozenset[Label], around: _Around) -> list[ast.stmt]:
        """Return a loop; a jump that leaves two of them sets a flag."""
        inner = _Around(follow, frozenset({step.again}))
        try:
            body = self.steps(step.body, frozenset({step.again}), inner)
        except _NoWayError as error:
            if error.label not in around.after | around.again:
                raise
            return self.with_flag(step, error.label, follow, around)
        return [_at(_while(body), step.line)]

    def with_flag(self, step: Loop, label: Label, follow: frozenset[Label], around: _Around) -> list[ast.stmt]:
        """Return a loop whose jumps to ``label`` set a flag that is looked at after it."""
        name = self.new_name("leave")
        out = Label("out")
        normal = [each for each in targets(step.body) if each in follow]
        changed = _redirected(step.body, label, out, [_assign(name, 1, step.line)])
        for each in normal:
            changed = _redirected(changed, each, out, [])
        left: Step = Branch(
            ast.Compare(ast.Name(name, ast.Load()), [ast.NotEq()], [ast.Constant(0)]),
            [Jump(label, step.line)],
            [],
            step.line,
        )
        begin = _assign(name, 0, step.line)
        return self.steps([begin, Block(out, [replace(step, body=changed)]), left], follow, around)


def _without(steps: list[Step], label: Label) -> int:
    """Return how many steps there are before the first that jumps to a label."""
    for position, step in enumerate(steps):
        if label in targets([step]):
            return position
    return len(steps)


def _assign(name: str, value: int, line: int) -> Plain:
    return Plain(_at(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(value)), line))


def _redirected(steps: list[Step], label: Label, to: Label, before: Sequence[Step]) -> list[Step]:
    """Return steps in which jumps to one label go to another, after something else."""
    new: list[Step] = []
    for step in steps:
        match step:
            case Jump(label=found, line=line) if found is label:
                new += [*before, Jump(to, line)]
            case Branch():
                body = _redirected(step.body, label, to, before)
                new.append(replace(step, body=body, orelse=_redirected(step.orelse, label, to, before)))
            case Block() | Loop():
                new.append(replace(step, body=_redirected(step.body, label, to, before)))
            case _:
                new.append(step)
    return new


def _is_small(steps: list[Step]) -> bool:
    """Return whether steps may stand twice."""
    return len(steps) <= _SMALL and all(isinstance(step, Plain | Jump | Leave | Declare) for step in steps)


def _is_idle(test: ast.expr) -> bool:
    """Return whether a condition that decides nothing need not be evaluated."""
    return not any(isinstance(each, ast.Call) for each in ast.walk(test))


def _while(body: list[ast.stmt]) -> ast.While:
    """Return an endless loop, or one with its condition in its head."""
    match body:
        case [ast.If(test=test, body=[ast.Break()], orelse=orelse), *rest]:
            return ast.While(negated(test), [*orelse, *rest] or [ast.Pass()], [])
        case [ast.If(test=test, body=then, orelse=[ast.Break()])]:
            return ast.While(test, then, [])
    if body and isinstance(body[-1], ast.Continue):
        body = body[:-1]
    return ast.While(ast.Constant(value=True), body or [ast.Pass()], [])


def _at(node: N, line: int) -> N:
    return located(node, line)


def located(node: N, line: int) -> N:
    """Set the line of a node and of its parts, as far as they have none."""
    left: list[ast.AST] = [node]
    while left:
        each = left.pop()
        if isinstance(each, _WITH_LINES):
            if hasattr(each, "lineno"):
                continue
            each.lineno = each.end_lineno = line
            each.col_offset = each.end_col_offset = 0
        left += ast.iter_child_nodes(each)
    return node


def cloned(node: N) -> N:
    """Return a copy of a tree, which shares nothing with it."""
    new: N = node.__class__.__new__(node.__class__)
    for name, value in node.__dict__.items():
        if isinstance(value, ast.AST):
            new.__dict__[name] = cloned(value)
        elif isinstance(value, list):
            new.__dict__[name] = [cloned(each) if isinstance(each, ast.AST) else each for each in value]
        else:
            new.__dict__[name] = value
    return new
