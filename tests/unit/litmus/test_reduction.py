"""The reduced search against the compiled one, which leaves out nothing that a test asks for; and what it is for."""

from __future__ import annotations

import itertools
import random

import pytest

from hosts.litmus.everything import searched
from hosts.litmus.outcome import run
from hosts.litmus.read import read_test

REGISTERS = ("eax", "ebx", "ecx")
INSTRUCTIONS = (
    *("movl ${n},({x})",) * 6,
    *("movl ({x}),%{r}",) * 6,
    "movl %{r},({x})",
    "movl (%rdi),%{r}",
    "movl ${n},(%rdi)",
    "movb (c),%{b}",
    "addl ({x}),%{r}",
    "addl %{r},({x})",
    "lock xorl %{r},({x})",
    "lock incl ({x})",
    "xchgl %{r},({x})",
    "lock cmpxchgl %{r},({x})",
    "mfence",
)
SHAPES = ((2, 5), (3, 4), (4, 3))
EACH = 6
SEED = 20261130


def drawn(dice: random.Random, threads: int, longest: int) -> str:
    """Draw a test: few locations, any access, and some of its places asked for."""
    columns = [[_instruction(dice) for _ in range(longest)] for _ in range(threads)]
    pointers = " ".join(f"{number}:rdi={dice.choice('xyz')};" for number in range(threads))
    places = ["x", "y", "z", *(f"{t}:r{r[1:]}" for t in range(threads) for r in REGISTERS)]
    asked = dice.sample(places, dice.choice((1, 3, len(places))))
    end = f"locations [{'; '.join(asked)};]\nfilter {asked[0]} != 3\nexists ({asked[-1]}=1)\n"
    return f"X86_64 drawn\n{{ char c; {pointers} }}\n{_table(columns)}{end}"


def _instruction(dice: random.Random) -> str:
    register = dice.choice(REGISTERS)
    given = {"n": dice.randint(1, 2), "x": dice.choice("xyz"), "r": register, "b": f"{register[1]}l"}
    return dice.choice(INSTRUCTIONS).format(**given)


def _table(columns: list[list[str]]) -> str:
    heading = tuple(f"P{number}" for number in range(len(columns)))
    rows = itertools.zip_longest(*columns, fillvalue="")
    return "".join(" " + " | ".join(row) + " ;\n" for row in (heading, *rows))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("model", ["tso", "sc"])
def test_the_reduction_leaves_out_no_outcome(shape: tuple[int, int], model: str) -> None:
    """Stores, loads and locked operations, through pointers and of parts of registers, observed or not."""
    dice = random.Random(f"{SEED} {shape} {model}")
    for _ in range(EACH):
        text = drawn(dice, *shape)
        test = read_test(text)
        reduced, everything = run(test, model), run(test, model, searched)  # type: ignore[arg-type]
        assert list(reduced.states) == list(everything.states), text
        assert reduced.witnesses == everything.witnesses, text


def independent(threads: int, each: int, *, asked: int) -> str:
    """Give a test in which each thread stores to locations of its own, then loads those of the next thread."""
    columns = []
    for thread in range(threads):
        stores = [f"MOV [x{thread}{number}],$1" for number in range(each)]
        loads = [f"MOV E{'ABCD'[number]}X,[x{(thread + 1) % threads}{number}]" for number in range(each)]
        columns.append([*stores, *loads])
    places = [f"{thread}:E{'ABCD'[number]}X" for thread in range(threads) for number in range(asked)]
    old = " /\\ ".join(f"{each}=0" for each in places)
    return f"X86 independent\n{{ }}\n{_table(columns)}exists ({old})\n"


@pytest.mark.parametrize(("threads", "each"), [(5, 4), (6, 3)])
def test_stores_that_are_independent_cost_little(threads: int, each: int) -> None:
    """Of all the orders of forty accesses the search keeps a few states."""
    outcome = run(read_test(independent(threads, each, asked=1)))
    assert len(outcome.states) == 1 << threads
    assert outcome.searched < 100


def test_each_outcome_of_independent_stores_is_there() -> None:
    """A load that is asked for makes two of each."""
    outcome = run(read_test(independent(3, 3, asked=3)))
    assert len(set(outcome.states)) == len(outcome.states) == 1 << 9
    assert outcome.witnesses == 1
