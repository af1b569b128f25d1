"""Reader of all declarations of a user's patches (:mod:`emu.own`). The files are read, not run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from emu import machine
from emu.machine import OWN_CHECKS, OWN_WINDOWS
from emu.observe.accounting import CHECKS, WINDOWS
from emu.own import POINTS
from emu.workload.scenarios import Scenario
from hosts.loader.own.declared import NOTHING_OWN, Own, OwnAct, OwnCheck, OwnStruct, OwnWindow, Place
from hosts.loader.own.literals import Literals
from hosts.loader.own.scenarios import SCENARIOS_HOME, scenario_of
from hosts.loader.own.words import struct_of
from hosts.loader.rule.bindings import Bindings
from hosts.loader.rule.userfile import parsed
from hosts.loader.rule.userpolicy import left_out, unpromised
from hosts.loader.source_file import SourceFile
from hosts.loader.syntax.language import Origin, PolicyError, parameters

if TYPE_CHECKING:
    from hosts.loader.user_code import UserCode

ACT: Final = "act_"
"""What the name of a function begins with that is an act."""
_HOME: Final = "emu.own"
_WINDOW: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST: Final = 40
_RESERVED: Final = (*CHECKS, "deadlock", "no-progress")
_EMUS: Final = frozenset(name for name, value in vars(machine).items() if isinstance(value, type))
_BUILT_IN_ACTS: Final = ("post", "kick", "device", "signal", "hrtimer", "guest", "timers", "handlers")


@dataclass
class Declarations:
    """What has been read of a code's files so far: one file after the other, as they share their room and names."""

    structs: list[OwnStruct] = field(default_factory=list)
    windows: list[OwnWindow] = field(default_factory=list)
    checks: list[OwnCheck] = field(default_factory=list)
    acts: list[OwnAct] = field(default_factory=list)
    unpromised: list[str] = field(default_factory=list)
    unread: list[tuple[ast.expr, Literals]] = field(default_factory=list)
    """Scenarios, which may name what a later line declares."""

    def read(self, file: Bindings, origin: Origin) -> Own:
        """Read a file's declarations, and return them alone; the decorators of its checks are taken out."""
        first = len(self.structs), len(self.windows), len(self.checks), len(self.acts)
        literals = Literals(file, origin)
        for name, unclear in file.unclear.items():
            if isinstance(unclear, ast.ClassDef):
                file.get(name)
        for name, statement in file.plain.items():
            match statement:
                case ast.ClassDef():
                    self._struct(struct_of(statement, literals, self.structs), statement, origin)
                case ast.FunctionDef():
                    self._function(statement, literals)
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    self._assigned(name, value, literals)
        self.unpromised += left_out(file, origin, [check.name for check in self.checks])
        return Own(
            tuple(self.structs[first[0] :]),
            tuple(self.windows[first[1] :]),
            tuple(self.checks[first[2] :]),
            tuple(self.acts[first[3] :]),
            first_window=first[1],
        )

    def own(self) -> Own:
        """Return all that has been read, and the scenarios, which may name any of it."""
        without = Own(tuple(self.structs), tuple(self.windows), tuple(self.checks), tuple(self.acts))
        found: list[Scenario] = []
        for call, literals in self.unread:
            literals.known = {ACT + name: number for name, number in without.act_numbers.items()}
            made = scenario_of(call, literals, without.act_numbers, without.windows)
            if any(each.name == made.name for each in found):
                literals.origin.refuse(call, f"there is another scenario {made.name!r} in these patches")
            found.append(made)
        return replace(without, scenarios=tuple(found), unpromised=tuple(dict.fromkeys(self.unpromised)))

    # --- one declaration -----------------------------------------------------------------------------------------

    def _struct(self, made: OwnStruct, node: ast.AST, origin: Origin) -> None:
        taken = {**dict.fromkeys(_EMUS, "one of emu's"), **{each.name: str(each.place) for each in self.structs}}
        if made.name in taken:
            origin.refuse(node, f"there is a struct {made.name} already, {taken[made.name]}: use another name")
        self.structs.append(made)

    def _assigned(self, name: str, value: ast.expr, literals: Literals) -> None:
        """Read a window or a scenario, if it is one."""
        for call in ast.walk(value):
            kind = declared(call, literals)
            if not kind:
                continue
            if call is not value:
                literals.origin.refuse(call, f"{kind}(...) is declared by itself: NAME = {kind}(...)")
            literals.file.get(name)
            if kind == "window":
                self._window(name, value, literals)
            else:
                self.unread.append((value, literals))

    def _window(self, constant: str, call: ast.expr, literals: Literals) -> None:
        refuse = literals.origin.refuse
        if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
            refuse(call, f'a window is declared as {constant} = window("its-name")')
        name = literals.text(call.args[0])
        taken = {**dict.fromkeys(WINDOWS, "a built-in one"), **{each.name: str(each.place) for each in self.windows}}
        if not _WINDOW.fullmatch(name) or len(name) > _LONGEST:
            refuse(call, f"{name!r} is no name for a window: it is small letters, digits and '-', up to {_LONGEST}")
        if name in taken:
            refuse(call, f"there is a window {name!r} already: {taken[name]}")
        if len(self.windows) == OWN_WINDOWS:
            refuse(call, f"{name!r} is one too many: patches have up to {OWN_WINDOWS} windows of their own")
        self.windows.append(OwnWindow(constant, name, Place(literals.origin.file, call.lineno)))

    def _function(self, statement: ast.FunctionDef, literals: Literals) -> None:
        points = _points(statement, literals)
        if points:
            self._check(statement, points, literals.origin)
            statement.decorator_list = []
        elif statement.name.startswith(ACT):
            self._act(statement, literals.origin)

    def _check(self, statement: ast.FunctionDef, points: tuple[str, ...], origin: Origin) -> None:
        name = statement.name
        taken = {**dict.fromkeys(_RESERVED, "a built-in one"), **{each.name: str(each.place) for each in self.checks}}
        gives = ast.unparse(statement.returns) if statement.returns is not None else ""
        if len(parameters(statement)) != 1 or statement.args.defaults or gives.strip("'\"") not in ("bool", "int"):
            how = f"def {name}(vcpu: Vcpu) -> bool (it holds), or -> int (the vector that it does not hold of, or -1)"
            origin.refuse(statement, f"a check is {how}")
        if name in taken or name != name.lower() or len(name) > _LONGEST:
            said = f"there is one already, {taken[name]}" if name in taken else f"small letters, up to {_LONGEST}"
            origin.refuse(statement, f"{name} is no name for a check: {said}")
        if len(self.checks) == OWN_CHECKS:
            origin.refuse(statement, f"{name} is one too many: patches have up to {OWN_CHECKS} checks of their own")
        place = Place(origin.file, statement.lineno)
        self.checks.append(OwnCheck(name, points, "int" in gives, _about(statement), place))

    def _act(self, statement: ast.FunctionDef, origin: Origin) -> None:
        name = statement.name.removeprefix(ACT)
        if len(parameters(statement)) != 1 or statement.args.defaults:
            origin.refuse(statement, f"an act is def {ACT}{name or 'NAME'}(vcpu: Vcpu) -> None")
        taken = {**dict.fromkeys(_BUILT_IN_ACTS, "built in"), **{each.name: str(each.place) for each in self.acts}}
        if not name or name in taken or name != name.lower() or len(name) > _LONGEST:
            said = taken.get(name, f"its name is {ACT} and small letters, up to {_LONGEST}")
            origin.refuse(statement, f"{ACT}{name} is no act: {said}")
        self.acts.append(OwnAct(name, _about(statement), Place(origin.file, statement.lineno)))


def declared(node: ast.AST, literals: Literals) -> str:
    """Return what a call declares, a window or a Scenario; an empty string: it is none of these."""
    function = node.func if isinstance(node, ast.Call) else None
    name = literals.imported(function, _HOME) or literals.imported(function, SCENARIOS_HOME)
    return name if name in ("window", "Scenario") else ""


def _points(statement: ast.FunctionDef, literals: Literals) -> tuple[str, ...]:
    """Return where a function is to be called as a check; nothing: it is none."""
    for decorator in statement.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if literals.imported(call.func if call else decorator, _HOME) != "check":
            continue
        given = tuple(literals.text(each) for each in call.args) if call is not None else ()
        if any(each not in POINTS for each in given) or (call is not None and call.keywords):
            said = ", ".join(f'"{point}"' for point in POINTS)
            literals.origin.refuse(decorator, f"@check({said}): a check is made at some of these points, or at all")
        if len(statement.decorator_list) > 1:
            literals.origin.refuse(statement, f"{statement.name} has other decorators than @check")
        return tuple(point for point in POINTS if point in given) or POINTS
    return ()


def _about(statement: ast.FunctionDef) -> str:
    """Return the first line of a function's docstring."""
    return (ast.get_docstring(statement) or "").partition("\n")[0]


def own_of(code: UserCode | None) -> Own:
    """Return the declarations of a user's code; PolicyError."""
    return declared_in(code.patches) if code is not None and code.patches else NOTHING_OWN


def unpromised_by(code: UserCode | None) -> tuple[str, ...]:
    """Name the checks that a rule's file and patches leave out; nothing of files that are refused when they load."""
    if code is None:
        return ()
    try:
        patches = own_of(code).unpromised
    except PolicyError:
        patches = ()
    left = {*unpromised(code.rule_file), *patches}
    return tuple(check for check in CHECKS if check in left)


def declared_in(files: Iterable[SourceFile]) -> Own:
    """Return the declarations of some patches; PolicyError. That their functions are sound shows as they are loaded."""
    declarations = Declarations()
    for file in files:
        origin = Origin(file.path, PolicyError)
        declarations.read(Bindings(parsed(file), origin), origin)
    return declarations.own()
