"""Tiny programs, explored two ways: as the explorer does it, and by brute force."""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path
from typing import Any

from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model, Thread
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.history import ExactProtocol, ExactThread
from hosts.explorer.threads.machine_words import SILENT, VECTORS, World
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol
from hosts.loader.program import Program, load_program
from tests.explore.brute import Schedules
from tests.explore.exactly import until_stable
from tests.unit.loader.synthetic import write

FAR = 1 << 24
"""Where the words of these programs lie: behind the machine, of which only a pCPU's interrupt flag is used."""
RESULTS = 6

HEADER = f"""
from emu.machine import Irq, Pcpu
from emu.memory import Word
from emu.vectors import DEVICE_VECTOR, POSTED_INTR_VECTOR

def X(): return Word(memory() + {FAR})
def Y(): return Word(memory() + {FAR + 8})
def Z(): return Word(memory() + {FAR + 16})
def own(): return Word(memory() + {FAR + 64} + (this_cpu_ptr() & 0xFFFFFF))
def enabled(): return Pcpu(this_cpu_ptr()).irq.enabled
def out(n, value): WRITE_ONCE(Word(memory() + {FAR + 24} + 8 * n), value)
"""
OTHER = "def right():\n    WRITE_ONCE(X(), 1)\n    WRITE_ONCE(Y(), 2)\n    WRITE_ONCE(X(), 3)\n"

Outcome = tuple[tuple[int, int], ...]


class Tiny:
    """A program of two threads, ``left`` and ``right``."""

    def __init__(self, folder: Path, text: str) -> None:
        source = HEADER + textwrap.dedent(text) + "\n"
        if "def right" not in source:
            source += OTHER
        if "def common_interrupt" not in source:
            source += "def common_interrupt(): local_write(enabled(), 0)\n"
        (name,) = write(folder, one=source)
        self.program: Program = load_program(modules=[name])
        self.module = sys.modules[name]
        self.at = 0

    def model(self, world: World, *, exact: bool = False) -> Model:
        """Make the explorer's model of it."""
        calls = {f"thread_{i}": f"def thread_{i}():\n    {name}()\n" for i, name in enumerate(("left", "right"))}
        drivers = {name: _function(text) for name, text in calls.items()}
        threads: list[Thread]
        if exact:
            functions = ExactProtocol(self.program, drivers, world)
            threads = [ExactThread(i, functions, f"thread_{i}", world) for i in range(2)]
        else:
            protocol = Protocol(self.program, drivers, direct(world), world.suspends)
            threads = [Automaton(i, protocol, f"thread_{i}", world) for i in range(2)]
        shared = list(world.words.shared)
        return Model(
            threads=threads,
            names=("left", "right"),
            words=[str(word) for word in shared],
            initial=[world.words.initial.get(word, 0) for word in shared],
            vectors=VECTORS,
            terminated=[world.words.shared[SILENT]],
        )

    def world(self) -> World:
        """Make a world in which the results are shared and nothing else is known."""
        world = World.made({SILENT: -1}, 2, 1, 0, fold=True)
        world.eager = False  # that is about the handlers of emu
        self.at = world.machine.at
        for number in range(RESULTS):
            world.words.share(self.at + FAR + 24 + 8 * number, range(2))
        return world

    def explored(self, buffer: int, *, exact: bool = False, **options: Any) -> set[Outcome]:
        """Return all results that the explorer finds."""
        world = self.world()

        def attempt() -> set[Outcome]:
            model = self.model(world, exact=exact)
            product = Product(model, Options(buffer=buffer, **options))
            left = [product.initial()]
            seen = set(left)
            finals: set[Outcome] = set()
            for state in left:
                outcomes = [outcome.state for outcome in product.outcomes(state)]
                if not outcomes:
                    assert product.ended(state), state
                    finals.add(self._results(zip(world.words.shared, state.memory, strict=True)))
                for each in outcomes:
                    if each not in seen:
                        seen.add(each)
                        left.append(each)
            return finals

        return until_stable(attempt)

    def searched(self, **options: Any) -> tuple[Model, Result]:
        """Search it, in compiled loops."""
        world = self.world()

        def attempt() -> tuple[Model, Result]:
            model = self.model(world)
            return model, Search(model, Options(**options)).run()

        return until_stable(attempt)

    def brute(self, buffer: int, *, as_written: bool = True) -> set[Outcome]:
        """Return all results there are; ``as_written``: of the functions as the module has them, without points."""
        machine = self.world().machine
        functions = vars(self.module) if as_written else self.program.functions
        schedules = Schedules(
            [functions["left"], functions["right"]],
            machine.at,
            [machine.pcpus[i].at for i in range(2)],
            buffer,
            functions["common_interrupt"],
            [machine.pcpus[i].irq.enabled for i in range(2)],
        )
        return {self._results(final) for final in schedules.finals()}

    def _results(self, words: Any) -> Outcome:
        first = self.at + FAR + 24
        results = {(word - first) // 8: value for word, value in words if value and 0 <= word - first < 8 * RESULTS}
        return tuple(sorted(results.items()))


def _function(text: str) -> ast.FunctionDef:
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function
