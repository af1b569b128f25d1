"""Random small programs, as actions for the axioms and as a litmus test for the explorer."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Final

from hosts.litmus.outcome import Outcome as Told
from hosts.litmus.syntax import Memory
from tests.unit.litmus.axiomatic import Action, Outcome, Program, size

LOCATIONS: Final = ("x", "y")
REGISTERS: Final = ("a", "b", "c")
RACY: Final = 0.5
"""Of so many the stores are likely to be overtaken by the loads, which else is rare."""
LARGEST: Final = 1_000
"""Executions that the axioms are asked to try."""
LIKELY: Final = ("store", "store", "store", "load", "load", "load", "put", "fence")
LOCKED: Final = ("xchg", "xadd", "cmpxchg", "add", "or", "xor")


def programs(count: int, seed: int, threads: int = 2, longest: int = 3) -> Iterator[Program]:
    """Return so many programs, always the same for a seed."""
    dice = random.Random(seed)
    for _ in range(count):
        drawn = _program(dice, threads, longest)
        while size(drawn) > LARGEST:
            drawn = _program(dice, threads, longest)
        yield drawn


def _program(dice: random.Random, threads: int, longest: int) -> Program:
    numbers = itertools.count(1)
    program = [[_action(dice, next(numbers)) for _ in range(dice.randint(1, longest))] for _ in range(threads)]
    if dice.random() < RACY:  # each stores to its own location first and loads another's last
        for number, thread in enumerate(program):
            own, others = LOCATIONS[number % 2], LOCATIONS[(number + 1) % 2]
            thread[0] = Action("store", own, "", next(numbers))
            thread[1:] = [*thread[1 : longest - 1], Action("load", others, dice.choice(REGISTERS))]
    return program


def _action(dice: random.Random, number: int) -> Action:
    name = dice.choice((*LIKELY, *LOCKED))
    if name == "fence":
        return Action(name)
    locked = name == "xchg" or (name in LOCKED and dice.random() < 0.7)
    return Action(name, dice.choice(LOCATIONS), dice.choice(REGISTERS), number, locked)


def everything(program: Program) -> list[str]:
    """Return all places of a program."""
    return [*LOCATIONS, *(f"{t}:r{each}x" for t in range(len(program)) for each in REGISTERS)]


def text(program: Program, shown: Sequence[str] = ()) -> str:
    """Write a program down for X86_64; by default it shows everything."""
    columns = [[_instruction(each) for each in thread] for thread in program]
    rows = itertools.zip_longest(*columns, fillvalue="")
    heading = " | ".join(f"P{number}" for number in range(len(program)))
    body = "\n".join(" | ".join(row) + " ;" for row in rows)
    places = "; ".join(shown or everything(program))
    return f"X86_64 generated\n{{ }}\n{heading} ;\n{body}\nlocations [{places};]\nforall true\n"


def _instruction(action: Action) -> str:
    where, register, number = f"({action.location})", f"%e{action.register}x", f"${action.number}"
    lock = "lock " if action.locked and action.name != "xchg" else ""
    operands = {
        "store": f"{number},{where}",
        "put": f"{register},{where}",
        "load": f"{where},{register}",
        "xchg": f"{where},{register}",
        "cmpxchg": f"{where},{register}",  # memory first is the only form that herd7 reads
        "xadd": f"{register},{where}",
    }.get(action.name, f"{number},{where}")
    if action.name == "fence":
        return "mfence"
    return f"{lock}{'mov' if action.name in ('store', 'put', 'load') else action.name}l {operands}"


def visible(outcomes: set[Outcome], shown: Sequence[str]) -> set[Outcome]:
    """Take away what a test does not show."""
    return {
        (
            *(tuple((k, v) for k, v in each if f"{t}:r{k}x" in shown) for t, each in enumerate(threads)),
            tuple((k, v) for k, v in memory if k in shown),
        )
        for *threads, memory in outcomes
    }


def seen(told: Told) -> set[Outcome]:
    """Return the states of an outcome as the axioms give theirs."""
    found = set()
    for state in told.states:
        threads: list[dict[str, int]] = [{} for _ in told.test.threads]
        memory: dict[str, int] = {}
        for place, value in state:
            if not isinstance(value, int):
                raise TypeError(value)
            if isinstance(place, Memory):
                memory[place.name] = value
            else:
                threads[place.thread][REGISTERS[place.number]] = value
        found.add(tuple(tuple(sorted((k, v) for k, v in each.items() if v)) for each in (*threads, memory)))
    return found
