"""A-normal form: the result of every call that a host gives a meaning to gets a name of its own.

The explorer takes a function's named locals for its state. A result that waits on Python's evaluation stack for the
rest of its expression (``STORE(a, LOAD(b))``, two loads in one comparison) is in no local, so two different states
would look alike. After this step nothing waits there while a call runs; and each shared operation stands alone in its
statement, so that an interrupt point can be put right before it.

The order of calls and what is not called at all stay Python's. A pure part of an expression may be evaluated after a
call that stood to the right of it: it reads only local names and constants, which no call changes.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from typing import TypeVar

from hosts.loader.syntax.language import TEMPORARY, assigned, walk

Pure = Callable[[str], bool]
"""Whether the function of a name neither reads nor changes anything: its calls may stay where they are."""
Statements = list[ast.stmt]
N = TypeVar("N", bound=ast.AST)


def normalise(function: ast.FunctionDef, pure: Pure) -> ast.FunctionDef:
    """Return the function in A-normal form; file and line stay those of the source."""
    normal = copy.copy(function)
    normal.body = _Normaliser(pure).block(function.body)
    return normal


def _at(node: N, like: ast.AST) -> N:
    """Set the line of ``node``, and of its parts that have none, to that of ``like``; return it."""
    return ast.fix_missing_locations(ast.copy_location(node, like))


class _Normaliser:
    """One function's pass. Methods append the statements that have to run before to a list that they are given."""

    def __init__(self, pure: Pure) -> None:
        self.pure = pure
        self.count = 0

    # --- statements ----------------------------------------------------------------------------------------------

    def block(self, statements: Statements) -> Statements:
        """Normalise statements that follow each other."""
        out: Statements = []
        for statement in statements:
            new = copy.copy(statement)
            self.statement(new, out)
        return out

    def statement(self, new: ast.stmt, out: Statements) -> None:
        """Normalise one statement, which is the caller's own copy."""
        match new:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                new.value = self.whole(value, out)
            case ast.Expr(value=ast.BoolOp() | ast.IfExp() as value):
                self.statement(_spelled_out(value), out)
                return
            case ast.Expr(value=value):
                new.value = self.whole(value, out)
            case ast.AugAssign(value=value):
                new.value = self.value(value, out)
            case ast.Return(value=ast.expr() as value):
                new.value = self.value(value, out)
            case ast.If(test=test, body=body, orelse=orelse):
                new.test = self.test(test, out)
                new.body, new.orelse = self.block(body), self.block(orelse)
            case ast.While():
                self.loop(new)
            case ast.For(iter=ast.Call() as counted, body=body):
                new.iter = self.range(counted, assigned(*body), out)
                new.body = self.block(body)
            case ast.Match(subject=subject, cases=cases):
                new.subject = self.value(subject, out)
                new.cases = [ast.match_case(case.pattern, case.guard, self.block(case.body)) for case in cases]
        out.append(new)

    def loop(self, new: ast.While) -> None:
        """Normalise a loop: if its test calls anything, the test moves to where the body begins."""
        before: Statements = []
        test = self.test(new.test, before)
        new.body = self.block(new.body)
        if not before:
            new.test = test
            return
        leave = _at(ast.If(_negated(test), [_at(ast.Break(), test)], []), test)
        new.body = [*before, leave, *new.body]
        new.test = _at(ast.Constant(value=True), test)

    def range(self, node: ast.Call, changed: set[str], out: Statements) -> ast.Call:
        """Name the bounds of a loop that the loop's body changes, as a loop's own bounds are in no local."""
        new = copy.copy(node)
        new.args = []
        for bound in self.values(node.args, out):
            names = {part.id for part in walk(bound) if isinstance(part, ast.Name)}
            new.args.append(self.named(bound, out) if names & changed else bound)
        return new

    # --- expressions ---------------------------------------------------------------------------------------------

    def calls(self, *nodes: ast.AST) -> bool:
        """Return whether anything in the nodes has to be named."""
        return any(isinstance(node, ast.Call) and not self.is_pure(node) for node in walk(*nodes))

    def is_pure(self, node: ast.Call) -> bool:
        """Return whether a call, apart from its arguments, may stay where it is."""
        return isinstance(node.func, ast.Name) and self.pure(node.func.id)

    def temporary(self) -> str:
        """Make up a name."""
        self.count += 1
        return f"{TEMPORARY}{self.count}"

    def named(self, value: ast.expr, out: Statements) -> ast.Name:
        """Name a value."""
        return self.assign(self.temporary(), value, value, out)

    def assign(self, name: str, value: ast.expr, like: ast.AST, out: Statements) -> ast.Name:
        """Append the assignment of a value to a made-up name; return the expression that reads it."""
        out.append(_at(ast.Assign([ast.Name(name, ast.Store())], value), like))
        return _at(ast.Name(name, ast.Load()), like)

    def values(self, nodes: list[ast.expr], out: Statements) -> list[ast.expr]:
        """Normalise values that are evaluated one after the other."""
        return [self.value(node, out) for node in nodes]

    def whole(self, node: ast.expr, out: Statements) -> ast.expr:
        """Normalise what is a statement's whole right-hand side: a call may stay there."""
        if not isinstance(node, ast.Call):
            return self.value(node, out)
        if not self.calls(*node.args, *node.keywords):
            return node
        new = copy.copy(node)
        new.args = self.values(node.args, out)
        new.keywords = [_at(ast.keyword(word.arg, self.value(word.value, out)), word) for word in node.keywords]
        return new

    def value(self, node: ast.expr, out: Statements) -> ast.expr:  # noqa: PLR0911 - one for each kind
        """Normalise a value: what is given back calls nothing but pure functions."""
        if not self.calls(node):
            return node
        match node:
            case ast.Call():
                call = self.whole(node, out)
                return call if self.is_pure(node) else self.named(call, out)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _at(ast.UnaryOp(ast.Not(), self.test(operand, out)), node)
            case ast.BoolOp(values=[first, *rest]) if not self.calls(*rest):
                return _at(ast.BoolOp(node.op, [self.value(first, out), *rest]), node)
            case ast.BoolOp():
                return self.joined(node, out, self.value)
            case ast.IfExp(test=test, body=body, orelse=orelse) if not self.calls(body, orelse):
                return _at(ast.IfExp(self.test(test, out), body, orelse), node)
            case ast.IfExp():
                return self.chosen(node, out, self.value)
            case ast.Compare(comparators=[_, *rest]) if self.calls(*rest):
                return self.chained(node, out)
        return self.parts(node, out)

    def parts(self, node: ast.expr, out: Statements) -> ast.expr:
        """Normalise the parts of an expression that evaluates all of them, in the order of its fields."""
        new = copy.copy(node)
        for field, part in ast.iter_fields(node):
            if isinstance(part, list) and part and isinstance(part[0], ast.expr):
                setattr(new, field, self.values(part, out))
            elif isinstance(part, ast.expr):
                setattr(new, field, self.value(part, out))
        return new

    def test(self, node: ast.expr, out: Statements) -> ast.expr:
        """Normalise what is only asked whether it is true: a short circuit becomes a flag of one type."""
        match node:
            case ast.BoolOp(values=[_, *rest]) if self.calls(*rest):
                return self.joined(node, out, self.truth)
            case ast.BoolOp(values=[first, *rest]) if self.calls(first):
                return _at(ast.BoolOp(node.op, [self.test(first, out), *rest]), node)
            case ast.IfExp(body=body, orelse=orelse) if self.calls(body, orelse):
                return self.chosen(node, out, self.truth)
        return self.value(node, out)

    def truth(self, node: ast.expr, out: Statements) -> ast.expr:
        """Normalise to True or False."""
        test = self.test(node, out)
        if _is_flag(test):
            return test
        return _at(ast.Call(ast.Name("bool", ast.Load()), [test], []), node)

    # --- short circuits ------------------------------------------------------------------------------------------

    def joined(self, node: ast.BoolOp, out: Statements, form: _Form) -> ast.expr:
        """Spell out ``and`` and ``or``: the rest runs only if the beginning has not decided."""
        split = next(i for i, part in enumerate(node.values) if i and self.calls(part))
        name = self.temporary()
        flag = self.assign(name, form(_some(node, node.values[:split]), out), node, out)
        rest: Statements = []
        self.assign(name, form(_some(node, node.values[split:]), rest), node.values[split], rest)
        out.append(_at(ast.If(flag if isinstance(node.op, ast.And) else _negated(flag), rest, []), node))
        return copy.copy(flag)

    def chosen(self, node: ast.IfExp, out: Statements, form: _Form) -> ast.expr:
        """Spell out a conditional expression."""
        test, name = self.test(node.test, out), self.temporary()
        yes: Statements = []
        no: Statements = []
        flag = self.assign(name, form(node.body, yes), node.body, yes)
        self.assign(name, form(node.orelse, no), node.orelse, no)
        out.append(_at(ast.If(test, yes, no), node))
        return flag

    def chained(self, node: ast.Compare, out: Statements) -> ast.expr:
        """Spell out a chained comparison: what is to the right runs only if the left has held."""
        split = next(i for i, part in enumerate(node.comparators) if i and self.calls(part))
        operands = self.values([node.left, *node.comparators[:split]], out)
        name = self.temporary()
        begun = _at(ast.Compare(operands[0], node.ops[:split], operands[1:]), node)
        flag = self.assign(name, begun, node, out)
        rest: Statements = []
        more = _at(ast.Compare(copy.deepcopy(operands[-1]), node.ops[split:], node.comparators[split:]), node)
        self.assign(name, self.value(more, rest), node.comparators[split], rest)
        out.append(_at(ast.If(flag, rest, []), node))
        return copy.copy(flag)


_Form = Callable[[ast.expr, Statements], ast.expr]


def _some(node: ast.BoolOp, values: list[ast.expr]) -> ast.expr:
    """Return the same operation on some of its operands."""
    return values[0] if len(values) == 1 else _at(ast.BoolOp(node.op, values), node)


def _spelled_out(node: ast.BoolOp | ast.IfExp) -> ast.If:
    """Return the ``if`` statement that means the same as an expression whose value nobody wants."""
    if isinstance(node, ast.IfExp):
        return _at(ast.If(node.test, [_at(ast.Expr(node.body), node)], [_at(ast.Expr(node.orelse), node)]), node)
    first, last = _some(node, node.values[:-1]), _at(ast.Expr(node.values[-1]), node)
    return _at(ast.If(first if isinstance(node.op, ast.And) else _negated(first), [last], []), node)


def _negated(test: ast.expr) -> ast.expr:
    """Return the opposite of a test."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return _at(ast.UnaryOp(ast.Not(), test), test)


def _is_flag(test: ast.expr) -> bool:
    """Return whether an expression without calls is True or False whatever its operands are."""
    match test:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
        case ast.BoolOp(values=values):
            return all(_is_flag(value) for value in values)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_flag(body) and _is_flag(orelse)
    return False
