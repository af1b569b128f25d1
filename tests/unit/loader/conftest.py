"""Fixtures of the loader's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hosts.loader import Program, load_program
from hosts.patch import Mutation
from tests.unit.loader.synthetic import Load, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder from which packages are imported, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("protocol"):
            del sys.modules[name]


@pytest.fixture
def load(folder: Path) -> Load:
    """Give the loader of a program made of one module's text, or of several."""

    def loader(text: str = "", *, mutations: Sequence[Mutation] | None = None, **modules: str) -> Program:
        return load_program(mutations=mutations, modules=write(folder, **({"one": text} if text else modules)))

    return loader
