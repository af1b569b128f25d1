"""Functions translated where they are called: those that take pointers to what exists only while translating."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.builder import Frame
from hosts.loader.c.declarations import Declarations
from hosts.loader.c.flow import Block, Label
from hosts.loader.c.functions import several_times
from hosts.loader.c.report import FunctionReport
from hosts.loader.c.source import Function, part, parts, walk
from hosts.loader.c.state import joined
from hosts.loader.c.types import CType, Integer, Pointer, Void
from hosts.loader.c.values import Address, LocalPlace, Nothing, Value, ViewPlace, constant

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_INLINED = 24
"""How deeply functions are inlined in each other."""


class Inlining(Declarations):
    """Calls that become the statements of what is called."""

    def statement(self, node: Node) -> None:
        """Translate a statement."""
        raise NotImplementedError

    def listing(self, nodes: list[Node]) -> None:
        """Translate statements that follow each other."""
        raise NotImplementedError

    def label(self, name: str) -> Label:
        """Return a new label."""
        new = Label(name)
        self.labels_made.append(new)
        return new

    def begin(self, function: Function, report: FunctionReport) -> Frame:
        """Return the frame of a function that is going to be read."""
        function.check()
        report.directives = function.directives
        return Frame(function, function.text, report, assigned=several_times(function))

    def inlined(self, function: Function, arguments: list[Value], nodes: list[Node], node: Node) -> Value:
        """Return the value of a function translated where it is called."""
        if any(frame.function.node == function.node for frame in self.frames):
            self.refuse(node, f"{function.name} ends up calling itself")
        if len(self.frames) > MOST_INLINED:
            self.refuse(node, f"{function.name} is called more than {MOST_INLINED} levels deep")
        given, result = self.signature(function)
        report = self.session.inlined_report(function)
        frame = self.begin(function, report)
        if self.home is None and not function.note:
            self.home = function
        if self.home is None or function.file != self.home.file:
            frame.fixed_line = self.at(node)
        frame.result = result
        before, line = self.frame, self.line
        for (name, kind), value, argument in zip(given, arguments, nodes, strict=True):
            self.bind(frame, name, kind, value, argument)
        self.frame = frame
        self.frames.append(frame)
        try:
            found = self.body_inlined(function)
        finally:
            self.frames.pop()
            self.frame, self.line = before, line
        self.note(self.report.calls, node, function.name, "inlined", f"{function.file}:{function.line}")
        return found

    def bind(self, frame: Frame, name: str, kind: CType, value: Value, node: Node) -> None:
        """Give a parameter its value."""
        if not name:
            self.finish(value, node)
            return
        variable = self.variable(name, kind)
        if isinstance(kind, Integer):
            self.assign(variable, convert(self.as_number(value, node), kind))
        elif isinstance(kind, Pointer):
            if name in frame.assigned:
                self.several.add(variable.name)
            if isinstance(value, Address) and isinstance(value.place, ViewPlace):
                value = Address(self.named_view(value.place, name), value.to)
            self.assign_pointer(LocalPlace(variable), kind, value, node)
        else:
            self.refuse(node, f"{frame.function.name} takes a {kind} by value")
        frame.scopes[0][name] = LocalPlace(variable), kind

    def body_inlined(self, function: Function) -> Value:
        """Translate the body."""
        frame, body = self.frame, part(function.node, "body")
        assert body is not None  # noqa: S101 - it has one, or it would be a declaration
        statements = parts(body)
        last = statements[-1] if statements else None
        returns = [each for each in walk(body) if each.type == "return_statement"]
        plain = all(each.type != "labeled_statement" for each in walk(body))
        if plain and last is not None and returns == [last] and parts(last) and not isinstance(frame.result, Void):
            for each in statements[:-1]:
                self.statement(each)
            if self.state is not None and frame.result is not None:
                return self.converted(self.expression(parts(last)[0]), frame.result, last)
            return self.unreached(frame.result)
        frame.leave = self.label(function.name)
        if isinstance(frame.result, Integer):
            frame.result_variable = self.variable(f"{function.name.lstrip('_')}_result", frame.result)
            self.declare(frame.result_variable)
        with self.steps() as made:
            self.listing(statements)
        self.out.append(Block(frame.leave, made))
        self.state = joined([self.state, *frame.leave.states])
        if frame.result_variable is not None:
            return self.read(frame.result_variable, function.line) if self.state else self.unreached(frame.result)
        if isinstance(frame.result, Pointer):
            return frame.result_value or Address(None, frame.result.to)
        return Nothing()

    def unreached(self, kind: CType | None) -> Value:
        """Return something for what is never evaluated."""
        if isinstance(kind, Integer):
            return constant(0, kind)
        return Address(None, kind.to) if isinstance(kind, Pointer) else Nothing()
