"""The loaded and cut protocol, kept for the next start: a program depends on its sources alone.

Reading 125 functions, checking them under every mutation and cutting them takes as long as all the rest of a small
exploration. Kept are the compiled functions, the control-flow graphs and the loader's facts; syntax trees, which are
rarely needed, are loaded from the sources on demand.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import emu
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.serialize import (
    CANNOT,
    NOT_OURS,
    Reader,
    explorer_sources,
    hash_of,
    sources_have_changed,
    write,
)
from hosts.explorer.threads.deferrable import deferrable_of
from hosts.explorer.threads.protocol import Cut, cut_of, known_cut
from hosts.loader.program import Program, load_program
from hosts.loader.user_code import UserCode

_APART: Final = frozenset({"namespace", "functions", "trees", "patches"})
"""Fields of a program that are not kept as they are, or are known before it is read."""
_OF_THE_SOURCE: Final = frozenset({"__future__", "typing"})
"""Modules whose things say something to readers of the source, and are not there when code runs."""


@dataclass(frozen=True)
class Function:
    """The parts from which a function is made again."""

    code: Any
    module: str
    defaults: tuple[Any, ...] | None
    annotations: dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """The stored parts of a program."""

    values: dict[str, Any]
    functions: dict[str, Function]
    rest: dict[str, Any]
    cut: Cut


class Trees(Mapping[str, ast.FunctionDef]):
    """The syntax trees of a program's functions, loaded on demand."""

    def __init__(self, code: UserCode | None) -> None:
        self._code = code
        self._loaded: Mapping[str, ast.FunctionDef] | None = None

    def _all(self) -> Mapping[str, ast.FunctionDef]:
        if self._loaded is None:
            self._loaded = load_program(self._code).trees
        return self._loaded

    def __getitem__(self, name: str) -> ast.FunctionDef:
        """Return a function's tree."""
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the functions' names."""
        return iter(self._all())

    def __len__(self) -> int:
        """Count the functions."""
        return len(self._all())


def ready_program(code: UserCode | None = None, files: Files | None = None) -> Program:
    """Return what :func:`hosts.loader.program.load_program` gives, and know how it is cut; PolicyError, LoaderError."""
    files = files if files is not None else Files.of_user("protocol")
    key = key_of(code)
    content = files.read(key) if key else None
    found = _read(content, code) if content is not None else None
    if found is not None:
        return found
    program = load_program(code)
    if key and key == key_of(code.read_again() if code is not None else None) and not sources_have_changed():
        deferrable_of(program)
        with contextlib.suppress(*CANNOT):
            files.write(key, written(program))
    return program


def key_of(code: UserCode | None) -> str:
    """Return the hash of all that a program depends on; nothing if a file could not be read.

    Where the sources lie is part of it: a function knows its file, from which a witness's lines are shown.
    """
    where = [next(iter(emu.__path__))]
    content: list[bytes] = []
    if code is not None:
        try:
            content = list(code.parts())
            where += [each for path in code.paths for each in (path, str(Path(path).resolve()))]
        except OSError:
            return ""
    named = [explorer_sources(), sys.version, *where]
    return hash_of([*(each.encode("utf-8", "surrogateescape") for each in named), *content])


def written(program: Program) -> bytes:
    """Serialise a program."""
    values = {
        name: value
        for name, value in program.namespace.items()
        if name not in program.functions and type(value).__module__ not in _OF_THE_SOURCE
    }
    values.pop("__builtins__", None)
    functions = {
        name: Function(each.__code__, each.__module__, each.__defaults__, dict(each.__annotations__))
        for name, each in program.functions.items()
    }
    rest = {each.name: getattr(program, each.name) for each in fields(program) if each.name not in _APART}
    return write(Kept(values, functions, rest, cut_of(program)), {})


def _read(content: bytes, code: UserCode | None) -> Program | None:
    try:
        kept = Reader(content).load()
    except NOT_OURS:
        return None
    if not isinstance(kept, Kept):
        return None
    namespace = dict(kept.values)
    functions: dict[str, FunctionType] = {}
    for name, each in kept.functions.items():
        function = namespace[name] = functions[name] = FunctionType(each.code, namespace, name, each.defaults)
        function.__module__, function.__annotations__ = each.module, each.annotations
    patches = code.spec if code is not None and code.spec.patched else None
    program = Program(namespace=namespace, functions=functions, trees=Trees(code), patches=patches, **kept.rest)
    known_cut(program, kept.cut)
    return program
