"""Functions translated from C, made into plain Python functions by the steps that every protocol function takes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from emu import c_arithmetic
from hosts.loader.c.rules import CFile, Environment, FieldRule, NoEnvironment, Wanted, WordField
from hosts.loader.c.translate import CError, Translation, translate
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.language import Origin, check_language
from hosts.loader.syntax.names import PRIMITIVES, Scope, check_recursion, pure_functions
from tests.c_semantics import inputs
from tests.c_semantics.corpus import Case

ARITHMETIC = {name: value for name, value in vars(c_arithmetic).items() if not name.startswith("__")}


@dataclass(frozen=True)
class Fields(NoEnvironment):
    """Knows the fields of ``struct control``."""

    def field(self, tag: str, name: str) -> FieldRule | None:
        """Return which part of the word a field is."""
        rules = {
            "word": WordField("word", "u64"),
            "on": WordField("word", "u16", shift=0, bits=1),
            "sn": WordField("word", "u16", shift=1, bits=1),
            "nv": WordField("word", "u8", shift=16, bits=8),
            "ndst": WordField("word", "u32", shift=32, bits=32),
        }
        return rules.get(name) if tag == "control" else None


@dataclass(frozen=True)
class Loaded:
    """What became of some texts of C."""

    functions: dict[str, FunctionType]
    trees: dict[str, ast.FunctionDef]
    refused: dict[str, CError]


def translated(texts: dict[str, bytes], environment: Environment | None = None) -> Translation:
    """Translate the function of each name in the text that defines it."""
    files = [CFile(f"{name}.c", text) for name, text in texts.items()]
    return translate(files, [Wanted(name) for name in texts], environment or Fields())


def load(texts: dict[str, bytes], environment: Environment | None = None) -> Loaded:
    """Translate, check and make functions."""
    made = translated(texts, environment)
    values = {**PRIMITIVES, **ARITHMETIC}
    arithmetic = _trees_of(c_arithmetic)
    scope = Scope(values, {**arithmetic, **made.functions}, frozenset())
    origins = {name: Origin(made.files.get(name, "?")) for name in made.functions}
    pure = pure_functions({**arithmetic, **made.functions}, values).__contains__
    trees: dict[str, ast.FunctionDef] = {}
    for name, tree in made.functions.items():
        check_language(tree, origins[name])
        scope.check(tree, origins[name])
        trees[name] = normalise(tree, pure)
    check_recursion(made.functions, origins)
    namespace: dict[str, Any] = {"__name__": "translated_from_c", **values}
    for name, tree in trees.items():
        exec(compile(ast.Module([tree], []), origins[name].file, "exec"), namespace)  # noqa: S102 - what was translated
    return Loaded({name: namespace[name] for name in trees}, trees, made.refused)


def _trees_of(module: Any) -> dict[str, ast.FunctionDef]:
    with open(module.__file__, encoding="utf-8") as file:  # noqa: PTH123
        statements = ast.parse(file.read()).body
    return {each.name: each for each in statements if isinstance(each, ast.FunctionDef)}


def difference(case: Case, function: Any) -> str:
    """Say on which input a function is not what C's is; an empty string if on none."""
    rest: list[int] = []
    for n, given in enumerate(case.inputs()):
        result = function(*given)
        if n >= len(case.shown):
            rest.append(result)
        elif result != case.shown[n]:
            return f"{case.name}{given} is {result}, not {case.shown[n]}"
    if inputs.summed(rest) != case.total:
        return f"{case.name} is not C's on one of {len(rest)} inputs after the first {len(case.shown)}"
    return ""


def differences(cases: Sequence[Case], loaded: Loaded) -> Iterable[str]:
    """Yield what is wrong with each function that is."""
    for case in cases:
        if case.name in loaded.functions:
            wrong = difference(case, loaded.functions[case.name])
            if wrong:
                yield f"{wrong}\n{case.text}\n{ast.unparse(loaded.trees[case.name])}\n"
