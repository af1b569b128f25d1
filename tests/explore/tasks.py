"""Tiny programs whose pCPUs switch between tasks, explored as the explorer does it, and by brute force."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

from emu.machine import Vcpu
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model, Thread
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.continuations import FRESH
from hosts.explorer.threads.machine_words import SILENT, VECTORS, World
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol
from hosts.loader.program import Program, load_program
from hosts.native.memory.layout import HOST_OFFSET
from hosts.replay.memory import ReplayWords
from tests.explore.brute_tasks import TaskSchedules
from tests.explore.exactly import until_stable
from tests.unit.loader.synthetic import write

FAR = HOST_OFFSET + ReplayWords.nbytes
"""Where the words of these programs lie: behind the machine, of which only what is a vCPU's or a pCPU's is used, and
behind the words of the replay host, which has memory there."""
RESULTS = 6
CONTEXT = Vcpu.nbytes - 8

HEADER = f"""
from emu.machine import Irq, Lapic, Machine, Pcpu, Vcpu
from emu.memory import Word
from emu.vectors import DEVICE_VECTOR

def machine(): return Machine(memory())
def me(): return (this_cpu_ptr() - machine().pcpus[0].at) // Pcpu.nbytes
def enabled(): return Pcpu(this_cpu_ptr()).irq.enabled
def curr(): return Pcpu(this_cpu_ptr()).irq.running_vcpu
def left(): return Pcpu(this_cpu_ptr()).irq.preempt_count
def idle(): return Pcpu(this_cpu_ptr()).irq.need_resched
def context(task): return Word(machine().vcpus[task - 1].at + {CONTEXT})
def on_cpu(task): return machine().vcpus[task - 1].mode
def note(task): return machine().vcpus[task - 1].apic.tscdeadline
def queue(): return Word(memory() + {FAR})
def X(): return Word(memory() + {FAR + 8})
def Y(): return Word(memory() + {FAR + 16})
def out(n, value): WRITE_ONCE(Word(memory() + {FAR + 24} + 8 * n), value)

def context_switch(prev, nxt):
    local_write(left(), prev)
    local_write(curr(), nxt)
    if prev == 0: switch_to(idle(), context(nxt))
    elif nxt == 0: switch_to(context(prev), idle())
    else: switch_to(context(prev), context(nxt))
    finish_task_switch()

def finish_task_switch():
    prev = local_read(left())
    if prev != 0: smp_store_release(on_cpu(prev), 0)

def take():
    waits = READ_ONCE(queue())
    if waits & 1 != 0 and test_and_clear_bit(0, queue()) != 0: return 1
    if waits & 2 != 0 and test_and_clear_bit(1, queue()) != 0: return 2
    return 0

def put(task): set_bit(task - 1, queue())

def resume(task):
    if smp_load_acquire(on_cpu(task)) == 0:
        WRITE_ONCE(on_cpu(task), 1)
        context_switch(0, task)
    else:
        put(task)

def yield_to_idle():
    prev = local_read(curr())
    put(prev)
    context_switch(prev, 0)

def end_task():
    context_switch(local_read(curr()), 0)

def ret_from_fork():
    finish_task_switch()
    body(local_read(curr()))
    end_task()
"""

Outcome = tuple[tuple[int, int], ...]


def defined(text: str) -> set[str]:
    """Return the functions that a text defines: those of a program replace those of the header."""
    return set(re.findall(r"^def (\w+)", text, re.MULTILINE))


class TinyTasks:
    """A program of two pCPUs, which call ``cpu_startup_entry``, and two tasks, which run ``body``."""

    def __init__(self, folder: Path, text: str, *, tasks: int = 2, pcpus: int = 2, queued: int = 3) -> None:
        """``queued``: the tasks that wait to run at the start, a bit for each."""
        header = [each for each in HEADER.split("\n\n") if not defined(text) & defined(each)]
        source = "\n\n".join(header) + text + "\n"
        if "def common_interrupt" not in source:
            source += "def common_interrupt(): local_write(enabled(), 0)\n"
        (name,) = write(folder, one=source)
        self.program: Program = load_program(modules=[name])
        self.module = sys.modules[name]
        self.tasks, self.pcpus, self.queued = tasks, pcpus, queued

    def world(self) -> World:
        """Make a world in which the results are shared and nothing else is known."""
        world = World.made({SILENT: -1}, self.pcpus, self.tasks, 0, fold=True, tasks=self.pcpus)
        world.eager = False  # that is about the handlers of emu
        for v in range(self.tasks):
            world.words.initial[world.machine.vcpus[v].at + CONTEXT] = FRESH
        world.words.initial[world.machine.at + FAR] = self.queued
        for number in range(RESULTS):
            world.words.share(world.machine.at + FAR + 24 + 8 * number, range(2))
        return world

    def model(self, world: World) -> Model:
        """Make the explorer's model of it."""
        drivers = {f"thread_{i}": ast.parse(f"def thread_{i}():\n    cpu_startup_entry()\n") for i in range(self.pcpus)}
        functions = {name: tree.body[0] for name, tree in drivers.items()}
        protocol = Protocol(self.program, functions, direct(world), world.suspends)
        threads: list[Thread] = [Automaton(i, protocol, f"thread_{i}", world) for i in range(self.pcpus)]
        shared = list(world.words.shared)
        return Model(
            threads=threads,
            names=[f"pCPU {i}" for i in range(self.pcpus)],
            words=[str(word) for word in shared],
            initial=[world.words.initial.get(word, 0) for word in shared],
            vectors=VECTORS,
            terminated=[world.words.shared[SILENT]],
            single={world.words.shared[word]: owner for word, owner in world.words.single.items()},
        )

    def explored(self, buffer: int, **options: Any) -> tuple[set[Outcome], set[int]]:
        """Return all results and sightings that the definition finds."""
        world = self.world()

        def attempt() -> tuple[set[Outcome], set[int]]:
            product = Product(self.model(world), Options(buffer=buffer, **options))
            left = [product.initial()]
            seen = set(left)
            finals: set[Outcome] = set()
            sightings: set[int] = set()
            for state in left:
                outcomes = list(product.outcomes(state))
                sightings |= {each.sighting for each in outcomes}
                if not outcomes:
                    assert product.ended(state), state
                    finals.add(self.results(world, self.memory(world, state.memory)))
                for each in outcomes:
                    if each.state not in seen and each.sighting < 0:
                        seen.add(each.state)
                        left.append(each.state)
            return finals, sightings - {-1}

        return until_stable(attempt)

    def searched(self, **options: Any) -> tuple[World, Model, Result]:
        """Search it, in compiled loops."""
        world = self.world()

        def attempt() -> tuple[World, Model, Result]:
            model = self.model(world)
            return world, model, Search(model, Options(**options)).run()

        return until_stable(attempt)

    def memory(self, world: World, values: tuple[int, ...]) -> dict[int, int]:
        """Return what the shared words hold in a state, by address."""
        return dict(zip(world.words.shared, values, strict=True))

    def brute(self, buffer: int) -> tuple[set[Outcome], bool]:
        """Return all results there are, and whether a task is ever resumed that is not suspended."""
        world = self.world()
        machine, functions = world.machine, self.program.functions
        schedules = TaskSchedules(
            functions["cpu_startup_entry"],
            functions["ret_from_fork"],
            {machine.vcpus[v].at + CONTEXT: self.pcpus + v for v in range(self.tasks)},
            at=machine.at,
            pcpus=[machine.pcpus[i].at for i in range(self.pcpus)],
            buffer=buffer,
            interrupt=functions["common_interrupt"],
            enabled=[machine.pcpus[i].irq.enabled for i in range(self.pcpus)],
        )
        finals, crashed = schedules.outcomes(((machine.at + FAR, self.queued),))
        return {self.results(world, dict(each)) for each in finals}, crashed

    def results(self, world: World, memory: dict[int, int]) -> Outcome:
        """Return the results that are not 0."""
        first = world.machine.at + FAR + 24
        return tuple((n, memory[first + 8 * n]) for n in range(RESULTS) if memory.get(first + 8 * n))


SENDS_AND_IDLES = """
def cpu_startup_entry():
    if me() == 1:
        send_IPI(0, DEVICE_VECTOR)
        local_write(enabled(), 0)
    for _ in range(2):
        task = take()
        if task != 0: resume(task)
        local_write(enabled(), 0)
"""
"""The idle tasks of two pCPUs that resume what waits, and interrupts off; the second first sends the first an IPI."""
