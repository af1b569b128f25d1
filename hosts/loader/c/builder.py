"""What all parts of the translation of one function share: the steps so far, the locals, what is known of them."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hosts.loader.c.errors import CError
from hosts.loader.c.flow import Declare, Label, Plain, Step
from hosts.loader.c.places import MOVABLE
from hosts.loader.c.report import FunctionReport, Note
from hosts.loader.c.rules import Environment
from hosts.loader.c.source import Function, Sources, line_of
from hosts.loader.c.state import Interval, State, Unknown
from hosts.loader.c.structuring import located
from hosts.loader.c.types import CType, Integer
from hosts.loader.c.values import Address, Number, Place, Value, Variable, ViewPlace, constant

if TYPE_CHECKING:
    from tree_sitter import Node

    from hosts.loader.c.preprocess import Text

_RESERVED: Final = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})


LINE_OF_HOME: Final = 1 << 30
"""Stands for the line of a function that is not known yet."""


@dataclass
class Session:
    """One translation: the files, the environment, and the functions that are still to be made."""

    sources: Sources
    environment: Environment
    taken: Callable[[str], bool]
    """Whether a name is the program's."""
    request: Callable[[Function], str]
    """Asks for a function of its own; returns its name in the program, or nothing if it cannot be one."""
    inlined_report: Callable[[Function], FunctionReport]
    """Returns the report of a function that is inlined."""


@dataclass
class Frame:
    """One C function being translated: the one that was wanted, or one inlined in it."""

    function: Function
    text: Text
    report: FunctionReport
    scopes: list[dict[str, tuple[Place, CType]]] = field(default_factory=lambda: [{}])
    """Names of the C function, inner scopes last."""
    result: CType | None = None
    leave: Label | None = None
    """Where ``return`` goes, if it is inlined."""
    result_variable: Variable | None = None
    result_value: Value | None = None
    labels: dict[str, Label] = field(default_factory=dict)
    """Labels that ``goto`` reaches from here."""
    wanted_labels: set[str] | None = None
    """Labels that some ``goto`` of the function names."""
    breaks: list[Label] = field(default_factory=list)
    continues: list[Label] = field(default_factory=list)
    assigned: frozenset[str] = frozenset()
    """Names that are assigned more than once, or whose address is taken."""
    macro_line: int = 0
    """The line of the macro that is being read, which stands elsewhere."""
    fixed_line: int = 0
    """The line of the call, if the function is in another file than the one it is inlined in."""


class Builder:
    """The function in the making."""

    def __init__(self, session: Session, frame: Frame) -> None:
        """Begin."""
        self.session, self.environment, self.sources = session, session.environment, session.sources
        self.frame = frame
        self.frames = [frame]
        self.home = None if frame.function.note else frame.function
        """The function that lines are told of: of an adapter, the first other one that it brings in."""
        if self.home is None:
            frame.fixed_line = LINE_OF_HOME
        self.out: list[Step] = []
        self.state: State | None = {}
        self.line = frame.fixed_line or frame.function.line
        self.names: dict[str, int] = {}
        self.variables: list[Variable] = []
        self.several: set[str] = set()
        """Names of pointers that are assigned more than once."""
        self.expanding: list[str] = []
        self.expansions: list[tuple[Node, Node]] = []
        """What each macro being read stands for, and where it is used."""
        """Macros that are being expanded."""
        self.trying = 0
        """Turns of loops that are being tried out: what is seen there is not reported."""
        self.unrolling = 0
        self.labels_made: list[Label] = []
        self.tries_left = 2000
        """Turns of loops that may still be tried out."""
        self.turns_left = 4000
        """Turns of unrolled loops that may still be made."""

    # --- errors and notes ----------------------------------------------------------------------------------------

    def refuse(self, node: Node | int, reason: str) -> NoReturn:
        """Refuse the function, for a line of the file that is being read."""
        line = node if isinstance(node, int) else self.complaint_line(node)
        raise CError(self.frame.function.file, line, reason)

    def note(self, notes: list[Note], node: Node, what: str, became: str, reason: str = "") -> None:
        """Keep something that was decided."""
        if self.trying:
            return
        new = Note(self.frame.function.file, self.complaint_line(node), what, became, reason)
        if new not in notes:
            notes.append(new)

    def complaint_line(self, node: Node) -> int:
        """Return the line that a part of the text stands in, or the macro that it comes from."""
        return self.frame.macro_line or line_of(node)

    @property
    def report(self) -> FunctionReport:
        """Return the report of the C function that is being read."""
        return self.frame.report

    # --- steps ---------------------------------------------------------------------------------------------------

    def at(self, node: Node) -> int:
        """Return the line that what is made of a node gets."""
        return self.frame.fixed_line or line_of(node)

    def emit(self, statement: ast.stmt) -> None:
        """Add a statement."""
        self.out.append(Plain(located(statement, self.line)))

    @contextmanager
    def steps(self) -> Iterator[list[Step]]:
        """Collect steps apart."""
        before, self.out = self.out, []
        try:
            yield self.out
        finally:
            self.out = before

    # --- locals --------------------------------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """Return a name that nothing else has."""
        while True:
            count = self.names[name] = self.names.get(name, 0) + 1
            found = name if count == 1 else f"{name}_{count}"
            if found in _RESERVED or found.startswith("_"):
                name = f"{name.lstrip('_') or 'x'}_"
                continue
            if count > 1 and found in self.names:
                continue
            if not self.session.taken(found):
                self.names.setdefault(found, 1)
                return found

    def variable(self, name: str, kind: CType) -> Variable:
        """Return a new local."""
        new = Variable(self.unique(name), kind, self.line)
        self.variables.append(new)
        return new

    def declare(self, variable: Variable) -> None:
        """Note where a local is declared."""
        self.out.append(Declare(variable, self.line))
        if self.state is not None:
            self.state[variable] = Unknown.UNSET

    def assign(self, variable: Variable, value: Number) -> None:
        """Assign a number to a local of its type."""
        target = ast.Name(variable.name, ast.Store())
        self.emit(ast.Assign([target], value.node))
        variable.version += 1
        if self.state is not None:
            self.state[variable] = Interval(value.least, value.most)

    def read(self, variable: Variable, node: Node | int) -> Number:
        """Return the value of a local that is a number."""
        assert isinstance(variable.type, Integer)  # noqa: S101 - pointers are not read so
        known = (self.state or {}).get(variable, Unknown.UNSET)
        if not isinstance(known, Interval):
            if self.state is not None:
                self.refuse(node, f"{variable.name} is read before it is assigned")
            known = Interval(0, 0)
        if known.unset:
            variable.needs_zero = True
            if not isinstance(node, int):
                self.note(self.report.remarks, node, variable.name, "0", "may be read before it is assigned")
            known = Interval(min(known.least, 0), max(known.most, 0))
        if known.least == known.most:
            return constant(known.least, variable.type)
        name = ast.Name(variable.name, ast.Load())
        return Number(name, variable.type, known.least, known.most, variable=variable)

    def kept(self, value: Number, name: str = "value") -> Number:
        """Return a number that is evaluated once, here."""
        if value.constant is not None:
            return value
        if isinstance(value.node, ast.Name):
            return value
        new = self.variable(name, value.type)
        self.assign(new, value)
        return Number(ast.Name(new.name, ast.Load()), value.type, value.least, value.most, variable=new)

    def frozen(self, value: Number, name: str = "value") -> Number:
        """Return a number that no later assignment changes."""
        if value.constant is not None:
            return value
        new = self.variable(name, value.type)
        self.assign(new, value)
        return Number(ast.Name(new.name, ast.Load()), value.type, value.least, value.most, variable=new)

    def stable(self, place: Place) -> Place:
        """Return a place that no later assignment moves."""
        if isinstance(place, MOVABLE) and place.offset.steps is not None:
            steps = self.frozen(place.offset.steps, "index")
            return replace(place, offset=replace(place.offset, steps=steps))
        return place

    # --- order ---------------------------------------------------------------------------------------------------

    def in_order(self, *parts: Callable[[], Any]) -> list[Any]:
        """Evaluate parts of an expression left to right, also if a later one needs statements of its own."""
        done: list[Any] = []
        for each in parts:
            before = len(self.out)
            value = each()
            if len(self.out) > before and any(self._is_open(one) for one in done):
                new = self.out[before:]
                del self.out[before:]
                done = [self._settled(one, new) for one in done]
                self.out += new
            done.append(value)
        return done

    def _is_open(self, value: object) -> bool:
        """Return whether a value is still to be evaluated, or may change."""
        if isinstance(value, Number):
            return value.constant is None
        if isinstance(value, Address):
            value = value.place
        if isinstance(value, MOVABLE):
            return value.offset.steps is not None
        return isinstance(value, ViewPlace) and not value.pure

    def _settled(self, value: Any, new: list[Step]) -> Any:
        """Return a value that is evaluated before some steps, if these may change it."""
        if isinstance(value, Number) and value.constant is None:
            changed = _assigned(new)
            names = {each.id for each in ast.walk(value.node) if isinstance(each, ast.Name)}
            return value if value.pure and not names & changed else self.frozen(value)
        if isinstance(value, Address) and value.place is not None:
            return replace(value, place=self._settled(value.place, new))
        if isinstance(value, MOVABLE) and value.offset.steps is not None:
            return self.stable(value)
        if isinstance(value, ViewPlace) and not value.pure:
            return self.named_view(value)
        return value

    def named_view(self, place: ViewPlace, name: str = "pointer") -> ViewPlace:
        """Return a struct whose address is in a local."""
        if place.pure:
            return place
        new = self.unique(name)
        self.emit(ast.Assign([ast.Name(new, ast.Store())], place.node))
        return replace(place, node=ast.Name(new, ast.Load()), pure=True)

    # --- trying --------------------------------------------------------------------------------------------------

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Do something that leaves no trace but what is known of locals."""
        names, variables, out = dict(self.names), len(self.variables), self.out
        made = len(self.labels_made)
        marks = [(label, len(label.states)) for label in self.labels_made]
        self.out = []
        self.trying += 1
        try:
            yield
        finally:
            self.trying -= 1
            self.names, self.out = names, out
            del self.variables[variables:], self.labels_made[made:]
            for label, count in marks:
                del label.states[count:]

    def copy_state(self) -> State | None:
        """Return what is known now."""
        return None if self.state is None else dict(self.state)


def _assigned(steps: list[Step]) -> set[str]:
    """Return the names that some steps assign."""
    found: set[str] = set()
    left: list[Any] = list(steps)
    while left:
        step = left.pop()
        if isinstance(step, Plain):
            names = [each for each in ast.walk(step.statement) if isinstance(each, ast.Name)]
            found |= {each.id for each in names if isinstance(each.ctx, ast.Store)}
        else:
            left += [*getattr(step, "body", []), *getattr(step, "orelse", [])]
    return found
