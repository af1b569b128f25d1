"""Who may import whom in the emulated machine, and that each of its functions is in the table of kernel files."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import emu
from emu import PROTOCOL
from emu.observe import is_instrument

ROOT: Final = Path(emu.__file__).parent
CONSTANTS: Final = frozenset({"emu.observe.accounting"})
"""Names of what is counted: the machine's memory has a word for each."""
AROUND: Final = frozenset(
    {
        "emu.waist",
        "emu.memory",
        "emu.reach",
        "emu.rulechecks",
        "emu.own",
        "emu.expected",
        "emu.mutations",
        "emu.history",
        "emu.c_arithmetic",
    }
)
"""Modules that are neither the machine nor what watches or drives it."""


def module_of(path: Path) -> str:
    """Return the dotted name of a file."""
    return ".".join(["emu", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Return the modules of emu that a file imports from."""
    found = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    return {name for name in found if name.startswith("emu.")}


GRAPH: Final = {module_of(path): imports(path) for path in ROOT.rglob("*.py")}
MACHINE: Final = (
    frozenset(name for name in GRAPH if name.count(".") == 1 and not name.startswith(("emu.observe", "emu.workload")))
    - AROUND
)


PROBES: Final = frozenset(name for name in GRAPH if name.startswith("emu.observe.probes."))
REPAIR: Final = "emu.observe.repair"
"""The one instrument that calls the machine; the workload calls it."""


def reached(module: str) -> set[str]:
    """Return all that a module imports, and what that imports."""
    found: set[str] = set()
    ahead = {module}
    while ahead:
        found |= ahead
        ahead = {name for each in ahead for name in GRAPH.get(each, ())} - found
    return found - {module}


def test_the_machine_calls_probes_and_trace_points_and_no_other_instrument() -> None:
    """An arrow from the machine to what watches it ends at a probe, which is one line of a function."""
    allowed = {*PROBES, "emu.observe.tracepoints", *CONSTANTS}
    wrong = {name: bad for name in MACHINE if (bad := {to for to in GRAPH[name] if is_instrument(to)} - allowed)}
    assert not wrong


def test_no_arrow_leads_back() -> None:
    """Probes ask checkers; neither imports anything of the machine that has a probe in it."""
    with_probes = {name for name in MACHINE if GRAPH[name] & PROBES}
    assert len(with_probes) > len(PROBES) > 1
    for name in GRAPH:
        if is_instrument(name) and name != REPAIR:
            assert not reached(name) & with_probes
            assert name in PROBES or not reached(name) & PROBES
    assert {name for name in GRAPH if REPAIR in GRAPH[name]} == {"emu.workload.program"}


def test_nothing_is_imported_in_a_circle() -> None:
    """Each module can be read before those that use it; the loader's order is one of these orders."""
    assert not [name for name in GRAPH if name in reached(name)]
    for place, name in enumerate(PROTOCOL):
        assert not GRAPH[name] & set(PROTOCOL[place + 1 :])


def functions(module: str) -> set[str]:
    """Return the functions that a module defines."""
    path = ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_each_function_of_the_machine_is_in_the_table_of_kernel_files() -> None:
    """And each entry of the table is a function of the file that it names."""
    table: dict[str, set[str]] = {}
    rows = re.findall(r"^(\w+\.py)  +(\S.*?)  +(.*(?:\n {40,}.*)*)", str(emu.__doc__), re.MULTILINE)
    for file, _kernel, names in rows:
        table.setdefault(f"emu.{file.removesuffix('.py')}", set()).update(names.replace(",", " ").split())
    assert table == {name: found for name in MACHINE if (found := functions(name))}
