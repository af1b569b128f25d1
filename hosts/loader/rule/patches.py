"""Reader of a patch in Python: functions that stand in the place of the protocol's functions of the same names.

What such a function reaches in its file is taken, too: helpers, constants, imports from ``emu``. A file that replaces
nothing, or has functions that nothing reaches, is refused: nothing is left out silently.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Mapping

from emu import reach
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
    entries: Mapping[str, str] | None = None,
) -> Brought:
    """Take out of a file its replacements and what they reach; PolicyError.

    ``modules``: the modules of the protocol's functions. ``entries``: further functions of the file that are taken, for
    their own sake, with the names that they get.
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
    taken = {**replacing, **(entries or {})}
    if not taken:
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
    return reader.brought()


def _replaces(file: Bindings, name: str) -> bool:
    """Return whether a file gives a protocol function's name to something of its own."""
    return name in file.plain and not isinstance(file.plain[name], ast.ImportFrom | ast.Import)


def _near(file: Bindings, modules: Mapping[str, str], *names: str) -> str:
    """Return the names that may have been meant."""
    there = [name for name, module in modules.items() if not reach.not_replaceable(name, module)]
    near = [each for name in names or file.functions() for each in difflib.get_close_matches(name, there, 3)]
    return f" (near: {', '.join(dict.fromkeys(near))})" if near else " ('pirace list' names them)"
