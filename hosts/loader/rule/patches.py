"""Reader of a patch in Python: functions that stand in the place of the protocol's functions of the same names.

What such a function reaches in its file is taken, too: helpers, constants, imports from ``emu``. A file that replaces
nothing, or has functions that nothing reaches, is refused: nothing is left out silently.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace

from emu import reach
from hosts.loader.own.classes import Brings, class_of, uses_of
from hosts.loader.own.declared import Own
from hosts.loader.own.read import ACT, Declarations
from hosts.loader.rule.bindings import Bindings
from hosts.loader.rule.brought import Brought
from hosts.loader.rule.instruments import WithoutInstruments, imported_instruments
from hosts.loader.rule.userfile import FileReader, parsed
from hosts.loader.source_file import SourceFile
from hosts.loader.syntax.language import Origin, PolicyError
from hosts.loader.syntax.names import Scope, pure_functions


def read_patch(
    file: SourceFile,
    scope: Scope,
    packages: Collection[str],
    modules: Mapping[str, str],
    declarations: Declarations,
) -> Brought:
    """Take out of a file its replacements, its checks and acts, and what these reach; PolicyError.

    ``modules``: the modules of the protocol's functions. ``declarations``: those of the files before; this one's are
    added.
    """
    module, origin = parsed(file), Origin(file.path, PolicyError)
    bindings = Bindings(module, origin)
    pure = pure_functions(scope.functions, scope.values)
    without = WithoutInstruments(imported_instruments(bindings), pure.__contains__, origin)
    reader = FileReader(origin, bindings, scope, packages, prepare=without.strip)
    replacing = {name: name for name in modules if _replaces(bindings, name)}
    for name in replacing:
        whose = reach.not_replaceable(name, modules[name])
        if whose:
            origin.refuse(bindings.get(name), f"{name} is {whose}: it is not replaced")
    own = declarations.read(bindings, origin)
    brings, entries = _declared(own, reader)
    taken = {**replacing, **entries}
    if not taken and not own and not declarations.unread:
        origin.refuse(None, f"no function here has the name of one that can be replaced{_near(bindings, modules)}")
    reader.names |= taken
    for name, flat in taken.items():
        statement = bindings.get(name)
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            origin.refuse(statement, f"{name} is no function here; it is the name of one of the protocol's")
        reader.function(statement, flat)
    for name in bindings.functions():
        if name not in reader.names:
            said = f"nothing calls {name}, and no function of this name can be replaced"
            origin.refuse(bindings.get(name), said + _near(bindings, modules, name))
    return replace(reader.brought(), brings=brings)


def _declared(own: Own, reader: FileReader) -> tuple[Brings, dict[str, str]]:
    """Make the declared structs and windows known to a reader; return what is declared, and the functions to take."""
    for struct in own.structs:
        reader.value(struct.name, class_of(struct))
    for number, window in enumerate(own.own_windows, own.first_window):
        reader.value(window.constant, number)
    checks = {check.name: reader.free(check.name) for check in own.own_checks}
    acts = {f"{ACT}{act.name}": reader.free(f"{ACT}{act.name}") for act in own.acts}
    windows = frozenset(reader.names[window.constant] for window in own.own_windows)
    brings = Brings(uses_of(own.structs), windows, frozenset(checks.values()), frozenset(acts.values()))
    return brings, checks | acts


def _replaces(file: Bindings, name: str) -> bool:
    """Return whether a file gives a protocol function's name to something of its own."""
    return name in file.plain and not isinstance(file.plain[name], ast.ImportFrom | ast.Import)


def _near(file: Bindings, modules: Mapping[str, str], *names: str) -> str:
    """Return the names that may have been meant."""
    there = [name for name, module in modules.items() if not reach.not_replaceable(name, module)]
    near = [each for name in names or file.functions() for each in difflib.get_close_matches(name, there, 3)]
    return f" (near: {', '.join(dict.fromkeys(near))})" if near else " ('pirace list' names them)"
