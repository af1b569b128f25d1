"""How functions are translated: the shorter way gives what Numba's own gives, shared out between processes or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from numba.core import compiler

from hosts.compiler import unit
from hosts.compiler.process import _shared_numbers
from hosts.compiler.unit import Unit


def halved(number: int, least: int) -> int:
    """Halve a number until it is small enough, and count how often."""
    times = 0
    while number > max(least, 1):
        number = number // 2
        times += 1 if number & 1 == 0 else 2
    return times


def weighed(number: int, least: int) -> int:
    """Call the other, and look at what it gives."""
    kind = 0
    for bit in range(4):
        if number >> bit & 1 != 0 and bit in (1, 3):
            kind = halved(number, least) - bit
    return -1 if kind == 0 else kind


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"weighed": weighed, "halved": halved}


def test_the_shorter_pipeline_makes_what_numbas_own_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine code is the same to the byte."""
    ours = Unit(FUNCTIONS)
    ours.compile()
    monkeypatch.setattr(unit, "Pipeline", compiler.Compiler)
    monkeypatch.setattr(unit, "typing_like", lambda numbas: numbas)
    numbas = Unit(FUNCTIONS)
    numbas.compile()
    assert ours.object_code() == numbas.object_code()


def test_what_is_shared_out_comes_to_the_same() -> None:
    """Whoever translates a function, and in whatever order the pieces come in."""
    whole, first, second = Unit(FUNCTIONS), Unit(FUNCTIONS), Unit(FUNCTIONS)
    whole.compile()
    first.compile(numbers=[0])
    second.compile(numbers=[1, 2])
    assert len(first.functions.keys() & first.pieces.keys()) == 1
    assert first.functions.keys() & first.pieces.keys() != second.functions.keys() & second.pieces.keys()
    first.pieces |= second.pieces
    assert first.object_code() == whole.object_code()


def test_processes_take_every_number_once() -> None:
    """Each of two processes takes its numbers out of the same pipe, until none is left."""
    numbers = _shared_numbers(1000)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        taken = list(numbers)
        os.write(writing, b"".join(number.to_bytes(2) for number in taken))
        os._exit(0)
    mine = list(numbers)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading, "rb") as file:  # noqa: PTH123 - a pipe
        content = file.read()
    theirs = [int.from_bytes(content[at : at + 2]) for at in range(0, len(content), 2)]
    assert sorted(mine + theirs) == list(range(1000))
