"""The suite that holds every host to one meaning of each primitive, on the explorer."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from emu.memory import WORD_BYTES
from hosts.explorer.automaton import Automaton
from hosts.explorer.code import Protocol
from hosts.explorer.model import Model, Options
from hosts.explorer.primitives import direct
from hosts.explorer.product import Product
from hosts.explorer.world import SILENT, World
from hosts.loader import load_program
from hosts.sequential import BASE, SequentialHost, signed
from tests.conformance.test_store_buffering import DOES_NOT, DRAINS
from tests.conformance.test_words import FUNCTIONS, numbers
from tests.explore.bodies import FAR, Tiny
from tests.explore.exactly import until_stable
from tests.unit.loader.synthetic import write

SHAPE = """
def left():
    scratch = {scratch}
    WRITE_ONCE(X(), 1)
    {operation}
    out(0, READ_ONCE(Y()) + 1)

def right():
    scratch = {scratch}
    WRITE_ONCE(Y(), 1)
    {operation}
    out(1, READ_ONCE(X()) + 1)
"""
BOTH_MISSED = ((0, 1), (1, 1))
"""Both sides read 0."""
SCRATCH = {"a word of its own": "own()", "a shared word": "Z()"}
PRIVATE = "local_write(scratch, 1)"
LEFT_ALONE = [
    (operation, scratch)
    for operation in DOES_NOT.values()
    for scratch in SCRATCH
    if (operation, scratch) != (PRIVATE, "a shared word")
]
"""Sharing a private word is a fault of the protocol, so that pair does not exist."""


@pytest.mark.parametrize("scratch", SCRATCH)
@pytest.mark.parametrize("operation", DRAINS.values(), ids=DRAINS.keys())
def test_it_drains_the_store_buffer(folder: Path, operation: str, scratch: str) -> None:
    """No schedule in which both sides miss each other, whoever else uses the operation's word."""
    tiny = Tiny(folder, SHAPE.format(operation=operation, scratch=SCRATCH[scratch]))
    assert BOTH_MISSED not in tiny.explored(2)
    assert BOTH_MISSED not in tiny.explored(0)


@pytest.mark.parametrize(("operation", "scratch"), LEFT_ALONE)
def test_it_leaves_the_store_buffer_alone(folder: Path, operation: str, scratch: str) -> None:
    """Some schedule in which both sides miss each other under TSO, none under SC."""
    tiny = Tiny(folder, SHAPE.format(operation=operation, scratch=SCRATCH[scratch]))
    assert BOTH_MISSED in tiny.explored(2)
    assert BOTH_MISSED not in tiny.explored(0)


# --- words -------------------------------------------------------------------------------------------------------

TRIED = 100
"""Of each function's cases, evenly drawn from the suite's thousands: each runs through a model of its own."""
OPERANDS = (FAR, FAR + WORD_BYTES)
RESULT = FAR + 2 * WORD_BYTES
CALLS = [name for name in FUNCTIONS if name != "call_mutated"]
"""``mutated`` is put in by the loader, never written by hand."""


class Calls:
    """The suite's functions as one protocol, and a thread that calls one of them with operands from constant words."""

    def __init__(self, folder: Path, name: str, *, shared: bool) -> None:
        host = SequentialHost()
        self.at = host.machine.vcpus[1].pi_desc.pir[0]
        text = "from emu.memory import Word\n\n" + inspect.getsource(FUNCTIONS[name])
        (module,) = write(folder, one=text)
        a, b = OPERANDS
        call = f"{name}({self.at}, READ_ONCE({BASE + a}), READ_ONCE({BASE + b}))"
        driver = ast.parse(f"def thread_0():\n    WRITE_ONCE({BASE + RESULT}, {call})\n").body[0]
        assert isinstance(driver, ast.FunctionDef)
        self.world = World.made({SILENT: 0}, 1, 1, 0, fold=True)
        self.world.words.share(BASE + RESULT, (0,))
        if shared:
            for i in range(4):
                self.world.words.share(self.at + i * WORD_BYTES, (0,))
        self.protocol = Protocol(load_program(modules=[module]), {"thread_0": driver}, direct(self.world))

    def run(self, words: list[int], a: int, b: int) -> tuple[int, dict[int, int]]:
        """Run one case; give the result and what is known of the four words afterwards."""
        initial: dict[int, int] = {self.at + i * WORD_BYTES: word for i, word in enumerate(words)}
        initial |= {BASE + word: value for word, value in zip(OPERANDS, (a, b), strict=True)}
        self.world.words.initial = initial

        def attempt() -> tuple[int, dict[int, int]]:
            thread = Automaton(0, self.protocol, "thread_0", self.world)
            shared = list(self.world.words.shared)
            model = Model([thread], ["thread"], list(map(str, shared)), [initial.get(word, 0) for word in shared])
            product = Product(model, Options(buffer=2))
            state = product.initial()
            while outcomes := list(product.outcomes(state)):
                state = outcomes[0].state
            after = dict(zip(shared, state.memory, strict=True))
            own = {word: thread.own[slot] for word, slot in self.world.slots[0].items() if slot < len(thread.own)}
            kept: dict[Any, Any] = {**after, **own}
            around = range(self.at, self.at + 4 * WORD_BYTES, WORD_BYTES)
            return after[BASE + RESULT], {word: kept[word] for word in around if word in kept}

        return until_stable(attempt)


CALLED = [
    (name, shared) for name in CALLS for shared in (True, False) if not (shared and name.startswith("call_local"))
]


@pytest.mark.parametrize(("name", "shared"), CALLED)
def test_explored_is_plain(folder: Path, name: str, shared: bool) -> None:  # noqa: FBT001
    """Result and memory are those of the plain host, whether others use the word or not."""
    calls = Calls(folder, name, shared=shared)
    host = SequentialHost()
    cases = list(numbers(len(name)))
    with host:
        for word, a, b in cases[:: len(cases) // TRIED]:
            words = [signed(word * (2 * i + 1)) for i in range(4)]
            for i in range(4):
                host.store(calls.at + i * WORD_BYTES, words[i])
            expected = FUNCTIONS[name](calls.at, a, b)
            result, after = calls.run(words, a, b)
            assert result == signed(expected), (word, a, b)
            assert type(result) is int
            assert after == {at: host.load(at) for at in after}, (word, a, b)
            assert not shared or len(after) == 4
