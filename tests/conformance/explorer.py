"""The explorer under the conformance suite: threads that it has learnt, one product of them for each case."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emu.memory import WORD_BYTES
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.machine_words import SILENT, World
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol
from hosts.loader.program import load_program
from hosts.sequential import SequentialHost
from hosts.word64 import BASE
from tests.conformance.primitives import FUNCTIONS
from tests.explore.bodies import FAR, Tiny
from tests.explore.exactly import until_stable
from tests.explore.tasks import TinyTasks
from tests.unit.loader.synthetic import write

# --- what a primitive means --------------------------------------------------------------------------------------

OPERANDS = (FAR, FAR + WORD_BYTES)
RESULT = FAR + 2 * WORD_BYTES


class Words:
    """One of the suite's functions as a protocol, and a thread that calls it with operands from constant words."""

    every = 197
    """A hundred cases of each function: each runs through a model of its own."""

    def __init__(self, folder: Path, name: str, *, shared: bool) -> None:
        self.shared = shared
        self.at = SequentialHost().machine.vcpus[1].pi_desc.pir[0]
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

    def call(self, words: Sequence[int], a: int, b: int) -> tuple[int, dict[int, int]]:
        """Return the result, and what is known of the four words."""
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
            at = {i: self.at + i * WORD_BYTES for i in range(len(words))}
            return after[BASE + RESULT], {i: kept[word] for i, word in at.items() if word in kept}

        result, known = until_stable(attempt)
        assert type(result) is int
        assert not self.shared or len(known) == len(words)
        return result, known

    def end(self) -> None:
        """Return nothing back."""


# --- which ones drain the store buffer ---------------------------------------------------------------------------

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


SWITCHED = """
def cpu_startup_entry():
    if me() == 0: WRITE_ONCE(X(), 1)
    else: WRITE_ONCE(Y(), 1)
    {switch}
def body(task):
    out(task - 1, 1 + READ_ONCE(Y() if task == 1 else X()))
"""
"""The same around a switch: what the idle task has written, and what the task reads that it resumes."""


def both_missed_around(folder: Path, switch: str) -> bool:
    """Return whether there is such a schedule of two pCPUs that each switch to a task."""
    tiny = TinyTasks(folder, SWITCHED.format(switch=switch), queued=0)
    assert BOTH_MISSED not in tiny.explored(0)[0]
    return BOTH_MISSED in tiny.explored(2)[0]


def both_missed(folder: Path, operation: str, scratch: str) -> bool:
    """Return whether there is a schedule in which both sides miss each other's write; under SC there is none."""
    tiny = Tiny(folder, SHAPE.format(operation=operation, scratch=scratch))
    assert BOTH_MISSED not in tiny.explored(0)
    return BOTH_MISSED in tiny.explored(2)
