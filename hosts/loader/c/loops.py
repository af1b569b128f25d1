"""Loops, and ``switch``."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

from hosts.loader.c.flow import Block, Branch, Label, Step
from hosts.loader.c.labels import Labels
from hosts.loader.c.source import part, parts, text_of, walk
from hosts.loader.c.state import State, joined, refined
from hosts.loader.c.structuring import located
from hosts.loader.c.values import Number, Test

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_TURNS = 64
_PLACES = frozenset({"subscript_expression", "pointer_expression"})


class _NotUnrolled(Exception):  # noqa: N818 - nothing is wrong
    """A loop whose turns cannot be counted."""


class Loops(Labels):
    """``for``, ``while``, ``do`` and ``switch``."""

    def complete(self, node: Node) -> None:
        """Check a full expression for what C leaves undefined."""
        raise NotImplementedError

    def st_for_statement(self, node: Node) -> None:
        """Translate ``for``."""
        if self.state is None:
            return
        self.frame.scopes.append({})
        first = part(node, "initializer")
        if first is not None and first.type == "declaration":
            self.statement(first)
        elif first is not None:
            self.complete(first)
            self.effect(first)
        self.while_loop(node, part(node, "condition"), part(node, "update"))
        self.frame.scopes.pop()

    def st_while_statement(self, node: Node) -> None:
        """Translate ``while``."""
        if self.state is not None:
            self.while_loop(node, part(node, "condition"), None)

    def while_loop(self, node: Node, condition: Node | None, update: Node | None) -> None:
        """Translate a loop whose condition is asked first."""
        for each in (condition, update):
            if each is not None:
                self.complete(each)
        body = part(node, "body")
        assert body is not None  # noqa: S101 - the grammar's
        if condition is not None and any(each.type in _PLACES for each in walk(body)):
            with suppress(_NotUnrolled):
                self.unrolled(node, condition, update, body)
                return
        end = self.label("end")

        def turn(again: Label) -> None:  # noqa: ARG001 - 'continue' goes to the update
            if condition is not None and not self.stays(condition, end, node):
                return
            self.turn_body(body, end)
            if update is not None and self.state is not None:
                self.line = self.at(update)
                self.effect(update)

        with self.steps() as made:
            self.loop(turn, node)
        self.out.append(Block(end, made))
        self.state = joined(end.states)

    def stays(self, condition: Node, end: Label, node: Node) -> bool:
        """Leave a loop if its condition does not hold; return whether it may hold."""
        return self.stays_if(self.test(condition), end, node)

    def stays_if(self, test: Test, end: Label, node: Node) -> bool:
        """Leave a loop if a condition does not hold."""
        self.line = line = self.at(node)
        if test.always is not None:
            self.flush(test)
            if not test.always:
                self.leave_loop(end, node)
            return test.always
        before = self.state
        opposite = test.negated()
        self.state = None if before is None else refined(before, opposite.if_true)
        with self.steps() as leaving:
            self.leave_loop(end, node)
        self.out.append(Branch(located(opposite.node, line), leaving, [], line))
        self.state = None if before is None else refined(before, test.if_true)
        return True

    def turn_body(self, body: Node, end: Label) -> None:
        """Translate the body of a loop."""
        next_turn = self.label("continue")
        self.frame.breaks.append(end)
        self.frame.continues.append(next_turn)
        with self.steps() as made:
            self.statement(body)
        self.frame.breaks.pop()
        self.frame.continues.pop()
        self.out.append(Block(next_turn, made))
        self.state = joined([self.state, *next_turn.states])

    def unrolled(self, node: Node, condition: Node, update: Node | None, body: Node) -> None:
        """Translate a loop turn by turn, if its condition is known each time."""
        names, variables, state = dict(self.names), len(self.variables), self.copy_state()
        marks = [(label, len(label.states)) for label in self.labels_made]
        end = self.label("end")
        self.unrolling += 1
        try:
            with self.steps() as made:
                self.all_turns(node, condition, update, body, end)
        except _NotUnrolled:
            self.names, self.state = names, state
            del self.variables[variables:]
            for label, count in marks:
                del label.states[count:]
            raise
        finally:
            self.unrolling -= 1
        self.out.append(Block(end, made))
        self.state = joined([self.state, *end.states])

    def all_turns(self, node: Node, condition: Node, update: Node | None, body: Node, end: Label) -> None:
        """Translate each turn of a loop."""
        for _ in range(_MOST_TURNS):
            if self.state is None:
                return
            with self.steps() as asked:
                test = self.test(condition)
            if test.always is None or not test.pure or asked:
                raise _NotUnrolled
            if not test.always:
                return
            self.turns_left -= 1
            if self.turns_left < 0:
                self.refuse(node, f"{self.frame.function.name} has too many loops that have to be unrolled")
            self.turn_body(body, end)
            if update is not None and self.state is not None:
                self.line = self.at(update)
                self.effect(update)
        raise _NotUnrolled

    def st_do_statement(self, node: Node) -> None:
        """Translate ``do``."""
        if self.state is None:
            return
        condition, body = part(node, "condition"), part(node, "body")
        assert condition is not None and body is not None  # noqa: S101, PT018 - the grammar's
        self.complete(condition)
        end = self.label("end")
        with self.steps() as made:
            if text_of(self.bare(condition)) in ("0", "false"):
                self.turn_body(body, end)
            else:

                def turn(again: Label) -> None:  # noqa: ARG001 - 'continue' goes to the condition
                    self.turn_body(body, end)
                    if self.state is not None:
                        self.stays(condition, end, node)

                self.loop(turn, node)
        self.out.append(Block(end, made))
        self.state = joined([self.state, *end.states])

    # --- switch --------------------------------------------------------------------------------------------------

    def cases(self, value: Number, body: Node) -> None:
        """Translate the cases of a switch."""
        segments = self.segments(value, body)
        self.frame.scopes.append({})
        if value.constant is not None:
            self.known_case(value.constant, segments)
        else:
            self.chosen(value, segments)
        self.frame.scopes.pop()

    def segments(self, value: Number, body: Node) -> list[Segment]:
        """Return the cases in the order of the text, each with its labels (None: default) and statements."""
        found: list[Segment] = []
        labels: list[int | None] = []
        seen: set[int | None] = set()
        for each in parts(body):
            if each.type != "case_statement":
                self.refuse(
                    each, "a statement of a switch before its first case, or a case inside of another statement"
                )
            said, inner = part(each, "value"), parts(each)
            label = None if said is None else value.type.wrapped(self.as_constant(said))
            if label in seen:
                self.refuse(each, f"case {'default' if label is None else label} stands twice")
            seen.add(label)
            labels.append(label)
            statements = [one for one in inner if one != said]
            if any(one.type == "case_statement" for one in statements):
                self.refuse(each, "a case inside of another case")
            if statements:
                found.append((labels, statements))
                labels = []
        if labels:
            found.append((labels, []))
        return found

    def known_case(self, value: int, segments: list[Segment]) -> None:
        """Translate what follows the one case that there is."""
        begins = [number for number, (labels, _) in enumerate(segments) if value in labels]
        begins = begins or [number for number, (labels, _) in enumerate(segments) if None in labels]
        for _, statements in segments[begins[0] :] if begins else []:
            if self.state is not None:
                self.listing(statements)

    def chosen(self, value: Number, segments: list[Segment]) -> None:
        """Translate all cases."""
        before, line = self.copy_state(), self.line
        ways: list[tuple[list[int | None], list[Step]]] = []
        after: list[State | None] = []
        falls = False
        for labels, statements in segments:
            fallen = self.state if falls else None
            self.state = joined([fallen, None if before is None else dict(before)])
            with self.steps() as made:
                self.listing(statements)
            if falls:
                all_labels, steps = ways[-1]
                all_labels += labels
                steps += [("case", tuple(all_labels), made)]  # type: ignore[list-item]
            else:
                ways.append((list(labels), [("case", tuple(labels), made)]))  # type: ignore[list-item]
            falls = self.state is not None
        after.append(self.state)
        listed = [label for labels, _ in segments for label in labels]
        self.out += self.ways(value, ways, [label for label in listed if label is not None], line)
        self.state = joined([*after, None if None in listed else before])

    def ways(self, value: Number, ways: list, labels: list[int], line: int) -> list[Step]:  # type: ignore[type-arg]
        """Return the choice among runs of cases."""
        rest: list[Step] = []
        ordered = sorted(ways, key=lambda way: None in way[0])
        for number, (mine, cases) in reversed(list(enumerate(ordered))):
            body: list[Step] = []
            for position, (_, entered, made) in enumerate(cases):
                if position == len(cases) - 1:
                    body += made
                else:
                    body.append(Branch(_is_one(value, entered, labels, line), made, [], line))
            if None in mine and number == len(ordered) - 1:
                rest = body
            else:
                rest = [Branch(_is_one(value, mine, labels, line), body, rest, line)]
        return rest


Segment = tuple[list[int | None], list["Node"]]


def _is_one(
    value: Number, entered: list[int | None] | tuple[int | None, ...], labels: list[int], line: int
) -> ast.expr:
    """Return whether a value is one of some labels."""
    wanted = [label for label in entered if label is not None]
    negative = None in entered
    if negative:
        wanted = [label for label in labels if label not in wanted]
    compare = ast.NotEq if negative else ast.Eq
    tests: list[ast.expr] = [
        ast.Compare(ast.Name(_name(value), ast.Load()), [compare()], [ast.Constant(each)]) for each in wanted
    ]
    if not tests:
        return located(ast.Constant(value=negative), line)
    if len(tests) == 1:
        return located(tests[0], line)
    return located(ast.BoolOp(ast.And() if negative else ast.Or(), tests), line)


def _name(value: Number) -> str:
    assert isinstance(value.node, ast.Name)  # noqa: S101 - it was given a name
    return value.node.id
