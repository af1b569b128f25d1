"""Fixtures of the loader's tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hosts.loader.program import Program, load_program
from hosts.loader.syntax.mutate import Mutation
from tests.unit.loader.synthetic import Load, write


@pytest.fixture
def load(folder: Path) -> Load:
    """Return the loader of a program made of one module's text, or of several."""

    def loader(text: str = "", *, mutations: Sequence[Mutation] | None = None, **modules: str) -> Program:
        return load_program(mutations=mutations, modules=write(folder, **({"one": text} if text else modules)))

    return loader
