"""From C files to functions of the language that ``emu/`` is written in: the way in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from hosts.loader.c.builder import LINE_OF_HOME, Frame, Session
from hosts.loader.c.cleanup import tidy
from hosts.loader.c.errors import CError
from hosts.loader.c.functions import several_times
from hosts.loader.c.report import Fate, FunctionReport
from hosts.loader.c.rules import CFile, Environment, NoEnvironment, Wanted
from hosts.loader.c.source import Function, Sources, part, parts
from hosts.loader.c.state import Interval
from hosts.loader.c.statements import Statements
from hosts.loader.c.structuring import Structurer, located
from hosts.loader.c.types import CType, Integer, Pointer, Struct, Void
from hosts.loader.c.values import Address, LocalPlace, ViewPlace

__all__ = ["CError", "Translation", "translate", "translate_function"]

_MOST_FRAMES: Final = 20_000


@dataclass
class Translation:
    """What C files became."""

    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    """Under their names in the program: those wanted, and the helpers that these call."""
    files: dict[str, str] = field(default_factory=dict)
    """The C file that each function's lines are those of."""
    refused: dict[str, CError] = field(default_factory=dict)
    """Functions that were wanted and cannot be translated, by the name in the program."""
    reports: list[FunctionReport] = field(default_factory=list)


def translate(
    files: Sequence[CFile] | Sources,
    wanted: Sequence[Wanted],
    environment: Environment,
    taken: Callable[[str], bool] = lambda name: False,  # noqa: ARG005 - nothing is, by default
) -> Translation:
    """Translate functions, and what they call; one that cannot be is in ``refused`` and the others are not affected.

    ``files`` may have been read before, by :class:`Sources`, for an environment that answers ``#if`` alike.
    ``taken``: whether a name is the program's, so that no local and no helper gets it.
    """
    with _deep():
        return _Translator(files, wanted, environment, taken).run()


def translate_function(source: bytes, name: str, environment: Environment | None = None) -> Translation:
    """Translate one function of a text and what it calls; raise :class:`CError` if it cannot be."""
    result = translate([CFile("test.c", source)], [Wanted(name)], environment or NoEnvironment())
    for error in result.refused.values():
        raise error
    return result


@contextmanager
def _deep() -> Iterator[None]:
    """Allow the recursion that the nesting of expressions and functions takes, which is bounded elsewhere."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _MOST_FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class _Translator:
    """One translation."""

    def __init__(
        self,
        files: Sequence[CFile] | Sources,
        wanted: Sequence[Wanted],
        environment: Environment,
        taken: Callable[[str], bool],
    ) -> None:
        self.sources = files if isinstance(files, Sources) else Sources(files, environment)
        self.wanted, self.environment, self.taken = wanted, environment, taken
        self.result = Translation()
        self.names: dict[tuple[str, str, int], str] = {}
        """Helpers by their file, name and line; an empty name: it cannot be one."""
        self.under_way: list[Function] = []
        self.own = {each.name or each.function for each in wanted}

    def run(self) -> Translation:
        """Translate what is wanted."""
        for each in self.wanted:
            name = each.name or each.function
            report = FunctionReport(each.function, name, "", 0)
            self.result.reports.append(report)
            try:
                self.top(each, name, report)
            except CError as error:
                report.fate, report.refusal = Fate.REFUSED, str(error)
                self.result.refused[name] = error
        return self.result

    def top(self, wanted: Wanted, name: str, report: FunctionReport) -> None:
        """Translate a function that is wanted."""
        function = self.sources.function(wanted.function)
        if function is None:
            path = self.sources.texts[0].path if self.sources.texts else "C"
            raise CError(path, 1, f"{wanted.function}: {self.sources.missing(wanted.function)}")
        report.file, report.line = function.file, function.line
        self.make(function, name, report, wanted.parameters)

    def request(self, function: Function) -> str:
        """Return the name of a function that becomes one of the program; nothing if it cannot."""
        key = (function.file, function.name, function.line)
        if key in self.names:
            return self.names[key]
        if any(each.node == function.node for each in self.under_way):
            return ""
        name = function.name
        while name in self.own or name in self.result.functions or self.taken(name):
            name = f"{name}_c"
        report = FunctionReport(function.name, name, function.file, function.line)
        try:
            self.make(function, name, report, ())
        except CError:
            self.names[key] = ""
            return ""
        self.names[key] = name
        self.result.reports.append(report)
        return name

    def inlined_report(self, function: Function) -> FunctionReport:
        """Return the report of a function that is inlined."""
        for report in self.result.reports:
            if report.fate is Fate.INLINED and (report.file, report.line) == (function.file, function.line):
                return report
        report = FunctionReport(function.name, "", function.file, function.line, Fate.INLINED)
        self.result.reports.append(report)
        return report

    def make(self, function: Function, name: str, report: FunctionReport, parameters: tuple[str, ...]) -> None:
        """Translate one function into one of the program."""
        self.under_way.append(function)
        try:
            made = _Body(self, function, name, report)
            tree = made.tree(parameters)
        except RecursionError:
            raise CError(function.file, function.line, f"{function.name} is nested too deeply") from None
        finally:
            self.under_way.pop()
        self.result.functions[name] = tree
        home = made.home or function
        self.result.files[name] = report.file = home.file
        report.line = home.line


class _Body(Statements):
    """A whole function."""

    def __init__(self, translator: _Translator, function: Function, name: str, report: FunctionReport) -> None:
        session = Session(
            translator.sources,
            translator.environment,
            translator.taken,
            translator.request,
            translator.inlined_report,
        )
        function.check()
        report.directives = function.directives
        super().__init__(session, Frame(function, function.text, report, assigned=several_times(function)))
        self.name = name
        self.names[name] = 1

    def tree(self, parameters: tuple[str, ...]) -> ast.FunctionDef:
        """Return the function."""
        function = self.frame.function
        given, result = self.signature(function)
        if parameters and len(parameters) != len(given):
            self.refuse(function.line, f"{function.name} takes {len(given)} parameters, not {len(parameters)}")
        arguments = [self.given(*each, parameters[number] if parameters else "") for number, each in enumerate(given)]
        if not isinstance(result, Integer | Void) and self.runtime(result) is None:
            self.refuse(function.line, f"{function.name} returns {result}, which does not exist at run time")
        self.frame.result = result
        body = part(function.node, "body")
        assert body is not None  # noqa: S101 - it has one, or it would be a declaration
        self.listing(parts(body))
        if self.state is not None and not isinstance(result, Void):
            self.refuse(body.end_point[0] + 1, f"{function.name} ends without a value on some way")
        home = self.home or function
        statements = Structurer(function.file, home.line, self.unique).body(self.out)
        returned = ast.Constant(None) if isinstance(result, Void) else ast.Name(self.annotation(result), ast.Load())
        tree = ast.FunctionDef(
            self.name, ast.arguments([], arguments, None, [], [], None, []), statements, [], returned
        )
        located(tree, home.line)
        tidy(tree)
        for each in ast.walk(located(tree, home.line)):
            if getattr(each, "lineno", 0) == LINE_OF_HOME:
                each.lineno = each.end_lineno = home.line  # type: ignore[attr-defined]
        return tree

    def given(self, name: str, kind: CType, said: str) -> ast.arg:
        """Return a parameter, which is bound to its name in C."""
        wanted, _, annotation = said.partition(":")
        variable = self.variable(wanted.strip() or name or "unused", kind)
        if isinstance(kind, Integer):
            assert self.state is not None  # noqa: S101 - nothing has been left yet
            self.state[variable] = Interval(kind.least, kind.most)
        elif isinstance(kind, Pointer) and isinstance(kind.to, Struct) and self.runtime(kind) is not None:
            assert self.state is not None  # noqa: S101 - nothing has been left yet
            if name in self.frame.assigned:
                self.several.add(variable.name)
            place = ViewPlace(ast.Name(variable.name, ast.Load()), kind.to.tag, surely=False)
            self.state[variable] = Address(place, kind.to)
        else:
            self.refuse(
                self.frame.function.line,
                f"{self.frame.function.name}: its parameter {name} of type {kind} does not exist at run time",
            )
        if name:
            self.frame.scopes[0][name] = LocalPlace(variable), kind
        return ast.arg(variable.name, ast.Name(annotation.strip() or self.annotation(kind), ast.Load()))

    def annotation(self, kind: CType) -> str:
        """Return the class that a type is at run time."""
        return self.runtime(kind) or "int"
