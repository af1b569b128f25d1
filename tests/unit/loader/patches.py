"""Patches in Python for tests: a text with imports above it, and copies of emu's own functions."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterable
from pathlib import Path

from emu import PROTOCOL, reach
from emu.mutations import Mutation
from hosts.loader.program import Program, load_program
from hosts.loader.syntax.language import Origin
from hosts.loader.syntax.mutate import Patch
from hosts.loader.user_code import CodeSpec, UserCode, read_code


def replaceable() -> dict[str, str]:
    """Return the functions that may be replaced, with their modules."""
    return {
        name: module
        for module in PROTOCOL
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isfunction(value) and value.__module__ == module and not reach.not_replaceable(name, module)
    }


def verbatim(names: Iterable[str], module: str) -> str:
    """Return a file with a module's imports, its constants, and some of its functions as they stand."""
    source = inspect.getsource(importlib.import_module(module))
    wanted = set(names)
    kept = [
        ast.get_source_segment(source, each) or ""
        for each in ast.parse(source).body
        if not isinstance(each, ast.FunctionDef) or each.name in wanted
    ]
    others = {each.name for each in ast.parse(source).body if isinstance(each, ast.FunctionDef)} - wanted
    return "\n\n".join([*kept[:2], *(f"from {module} import {name}" for name in sorted(others)), *kept[2:]]) + "\n"


def edited(mutation: Mutation) -> list[str]:
    """Return files with the functions that a seeded bug edits, with its edits in them."""
    where = replaceable()
    texts = []
    for module in sorted({where[edit.function] for edit in mutation.edits}):
        names = {edit.function for edit in mutation.edits if where[edit.function] == module}
        new = {
            each.name: Patch(each, [mutation], Origin(module)).only(mutation.number)
            for each in ast.parse(inspect.getsource(importlib.import_module(module))).body
            if isinstance(each, ast.FunctionDef) and each.name in names
        }
        tree = ast.parse(verbatim(names, module))
        tree.body = [new.get(getattr(each, "name", ""), each) for each in tree.body]
        texts.append(ast.unparse(tree))
    return texts


def code_of(folder: Path, *texts: str, **spec: str) -> UserCode:
    """Write patches into files and read them."""
    paths = []
    for i, text in enumerate(texts):
        path = folder / (f"fix{i}.py" if i else "fix.py")
        path.write_text(textwrap.dedent(text))
        paths.append(str(path))
    code = read_code(CodeSpec(patches=tuple(paths), **spec))
    assert code is not None
    return code


def patched(folder: Path, *texts: str) -> Program:
    """Load emu with patches."""
    return load_program(code_of(folder, *texts))
