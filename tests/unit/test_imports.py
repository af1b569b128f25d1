"""Imports go down: no module, and no package, imports what imports it, and each package imports lower ones alone.

Imports inside functions count, too: they are there to save time at the start, not to close a circle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

FLOORS = (
    "exit_codes kernel_names plural procfs reading resource_limits rundir signals sources terminal word64",
    "errors",
    "loader",
    "compiler sequential explorer.model",
    "native trace explorer.threads explorer.jit",
    "explorer.compiled explorer.size_estimate",
    "explorer.reduce",
    "explorer.search",
    "litmus explorer.initial_state",
    "explorer.build",
    "explorer.cache explorer.counterexample explorer.rule_equivalence",
    "explorer.refine explorer.repair",
    "explorer.audit explorer.explanation",
    "runs",
    "replay report",
    "soak.clock soak.errors soak.placement soak.task",
    "soak.postmortem soak.store",
    "soak.plan",
    "soak.workers",
    "soak.coordinator",
    "soak.view",
    "cli",
    "__main__",
)
"""The packages of ``hosts``, the lowest first. Those of one floor do not import each other."""

CIRCLES: tuple[frozenset[str], ...] = ()
"""Circles of modules or packages that are still there; whoever opens one takes it out."""

Graph = Mapping[str, frozenset[str]]


def imported(tree: ast.Module, modules: Mapping[str, Path]) -> Iterator[str]:
    """Return the modules of ``hosts`` that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{each.name}" for each in node.names]
            yield from (name if name in modules else str(node.module) for name in names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def module_graph() -> Graph:
    """Return what each module of ``hosts`` imports, by names below ``hosts``; folders are none."""
    paths = [path for path in (TOP / "hosts").rglob("*.py") if path.name != "__init__.py"]
    modules = {".".join(path.relative_to(TOP).with_suffix("").parts): path for path in paths}
    return {
        name.removeprefix("hosts."): frozenset(
            each.removeprefix("hosts.")
            for each in imported(ast.parse(path.read_text()), modules)
            if each in modules and each != name
        )
        for name, path in modules.items()
    }


def package_of(module: str) -> str:
    """Return the package of a module as ``FLOORS`` names it."""
    parts = module.split(".")
    return ".".join(parts[:2] if parts[0] in ("explorer", "soak") else parts[:1])


def package_graph(modules: Graph) -> Graph:
    """Return what each package imports of others."""
    found: dict[str, set[str]] = {package_of(module): set() for module in modules}
    for module, others in modules.items():
        found[package_of(module)].update(package_of(each) for each in others)
    return {package: frozenset(others - {package}) for package, others in found.items()}


def reached(graph: Graph, start: str) -> frozenset[str]:
    """Return all that is imported from somewhere, over however many others."""
    found: set[str] = set()
    left = list(graph[start])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += graph[name]
    return frozenset(found)


def circles(graph: Graph) -> set[frozenset[str]]:
    """Return the groups whose members all import each other."""
    everything = {name: reached(graph, name) for name in graph}
    return {
        frozenset(other for other in everything[name] if name in everything[other])
        for name in graph
        if name in everything[name]
    }


def unexpected(found: set[frozenset[str]]) -> list[list[str]]:
    """Return the circles that are no part of one that is still allowed."""
    return [sorted(each) for each in found if not any(each <= known for known in CIRCLES)]


def test_a_circle_is_seen() -> None:
    """Of two, of three, and none in a diamond."""
    graph = {
        "a": frozenset("b"),
        "b": frozenset("a"),
        "c": frozenset("d"),
        "d": frozenset("e"),
        "e": frozenset("c"),
        "f": frozenset("ac"),
    }
    assert circles(graph) == {frozenset("ab"), frozenset("cde")}
    assert circles({"a": frozenset("bc"), "b": frozenset("d"), "c": frozenset("d"), "d": frozenset()}) == set()


def test_no_module_imports_what_imports_it() -> None:
    """Whatever is read first, the rest of it is below."""
    assert unexpected(circles(module_graph())) == []


def test_no_package_imports_what_imports_it() -> None:
    """Nor do packages."""
    assert unexpected(circles(package_graph(module_graph()))) == []


def test_packages_import_lower_ones_only() -> None:
    """Each package has a floor, and what it imports lies below, apart from the circles that are still there."""
    floor = {package: number for number, packages in enumerate(FLOORS) for package in packages.split()}
    graph = package_graph(module_graph())
    assert graph.keys() == floor.keys(), "FLOORS names every package"
    wrong = [
        f"{package} imports {other}"
        for package, others in graph.items()
        for other in others
        if floor[other] >= floor[package] and not any({package, other} <= known for known in CIRCLES)
    ]
    assert wrong == []
