"""Takes out assignments whose value is never read on any way, by going through a function from its end."""

from __future__ import annotations

import ast

from hosts.loader.c.structuring import located
from hosts.loader.c.values import negated

Names = frozenset[str]
_NOBODY: Names = frozenset()


def without_dead(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a function without dead assignments."""
    return _Backward().block(body, _NOBODY)[0]


def read_in(node: ast.AST | None) -> Names:
    """Return the names that an expression reads."""
    found = ast.walk(node) if node is not None else ()
    return frozenset(each.id for each in found if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))


class _Backward:
    """Goes backward with the names whose values are still wanted."""

    def __init__(self) -> None:
        self.after: list[Names] = []
        """For each loop around: what is wanted behind it."""
        self.again: list[Names] = []
        """For each loop around: what is wanted at its begin."""

    def block(self, body: list[ast.stmt], wanted: Names) -> tuple[list[ast.stmt], Names]:
        """Return statements anew, and what is wanted before them."""
        out: list[ast.stmt] = []
        for statement in reversed(body):
            made, wanted = self.statement(statement, wanted)
            out += reversed(made)
        return out[::-1], wanted

    def statement(self, statement: ast.stmt, wanted: Names) -> tuple[list[ast.stmt], Names]:  # noqa: C901, PLR0911
        """Return a statement anew, and what is wanted before it."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name in wanted:
                    return [statement], wanted - {name} | read_in(value)
                if is_pure(value):
                    return [], wanted
                return [located(ast.Expr(value), statement.lineno)], wanted | read_in(value)
            case ast.Return(value=value):
                return [statement], read_in(value)
            case ast.Break():
                return [statement], self.after[-1]
            case ast.Continue():
                return [statement], self.again[-1]
            case ast.If(test=test):
                return self.branch(statement, test, wanted)
            case ast.While(test=test, body=body):
                return self.loop(statement, test, body, wanted)
            case ast.Expr(value=value) if is_pure(value):
                return [], wanted
            case ast.Pass():
                return [], wanted
        return [statement], wanted | read_in(statement)

    def branch(self, statement: ast.If, test: ast.expr, wanted: Names) -> tuple[list[ast.stmt], Names]:
        """Return ``if`` anew."""
        body, one = self.block(statement.body, wanted)
        orelse, other = self.block(statement.orelse, wanted)
        if not body and not orelse:
            if is_pure(test):
                return [], wanted
            return [located(ast.Expr(test), statement.lineno)], wanted | read_in(test)
        if not body:
            test, body, orelse = located(negated(test), statement.lineno), orelse, []
        return [located(ast.If(test, body, orelse), statement.lineno)], one | other | read_in(test)

    def loop(
        self, statement: ast.While, test: ast.expr, body: list[ast.stmt], wanted: Names
    ) -> tuple[list[ast.stmt], Names]:
        """Return a loop anew; what is wanted at its begin is found by going round it."""
        forever = isinstance(test, ast.Constant) and bool(test.value)
        head = read_in(test) | (_NOBODY if forever else wanted)
        while True:
            self.after.append(wanted)
            self.again.append(head)
            made, before = self.block(body, head)
            self.after.pop()
            self.again.pop()
            if before <= head:
                break
            head |= before
        made = made or [located(ast.Pass(), statement.lineno)]
        return [located(ast.While(test, made, []), statement.lineno)], head


PURE = frozenset(
    {
        *("wrap_s8", "wrap_s16", "wrap_s32", "add64", "sub64", "mul64", "shift_left", "shift_right"),
        *("shift_right_unsigned", "below_unsigned", "with_bits", "BIT", "fls64", "hweight64"),
    }
)
"""Functions that may be left uncalled. A division may fault."""


def is_pure(node: ast.AST) -> bool:
    """Return whether an expression does nothing and cannot fault."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and not (isinstance(each.func, ast.Name) and each.func.id in PURE):
            return False
        match each:
            case ast.BinOp(op=ast.FloorDiv() | ast.Mod(), right=right) if not isinstance(right, ast.Constant):
                return False
    return True
