"""The reduced search against the compiled one, which leaves out nothing that a test asks for; and what it is for."""

from __future__ import annotations

import itertools
import random

import pytest

from hosts.litmus.bounds import Bounds, IncompleteError
from hosts.litmus.errors import LitmusError
from hosts.litmus.outcome import run
from hosts.litmus.read import read_test
from hosts.litmus.search import EACH_BYTES
from hosts.litmus.unreduced import final_states

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
    *("addl %{r},%{s}", "cmpl ${n},%{r}", "incl %{r}") * 2,
    "je L{to}",
    "jc L{to}",
    "sete %{b}",
    "cmovel %{s},%{r}",
)
SHAPES = ((2, 5), (3, 4), (4, 3))
EACH = 6
SEED = 20261130


def drawn(dice: random.Random, threads: int, longest: int) -> str:
    """Draw a test: few locations, any access, jumps forward, and some of its places asked for."""
    columns = []
    for _ in range(threads):
        column = [f"L{row}: {_instruction(dice, row, longest)}" for row in range(longest)]
        columns.append([*column, f"L{longest}:"])
    pointers = " ".join(f"{number}:rdi={dice.choice('xyz')};" for number in range(threads))
    places = ["x", "y", "z", *(f"{t}:r{r[1:]}" for t in range(threads) for r in REGISTERS)]
    asked = dice.sample(places, dice.choice((1, 3, len(places))))
    end = f"locations [{'; '.join(asked)};]\nfilter {asked[0]} != 3\nexists ({asked[-1]}=1)\n"
    return f"X86_64 drawn\n{{ char c; {pointers} }}\n{_table(columns)}{end}"


def _instruction(dice: random.Random, row: int, longest: int) -> str:
    register, other = dice.choice(REGISTERS), dice.choice(REGISTERS)
    given = {"n": dice.randint(1, 2), "x": dice.choice("xyz"), "r": register, "s": other, "b": f"{register[1]}l"}
    return dice.choice(INSTRUCTIONS).format(**given, to=dice.randint(row + 1, longest))


def _table(columns: list[list[str]]) -> str:
    heading = tuple(f"P{number}" for number in range(len(columns)))
    rows = itertools.zip_longest(*columns, fillvalue="")
    return "".join(" " + " | ".join(row) + " ;\n" for row in (heading, *rows))


@pytest.mark.parametrize(
    ("thread", "asked"),
    [
        ("movl (x),%eax; movl (y),%ebx; addl $1,%eax", "0:rax=1"),
        ("movl (x),%eax; movl (y),%ebx; addl %ebx,%eax; movl %eax,(z)", "0:rax=1"),
        ("movl (x),%eax; movl (y),%eax", "0:rax=0"),
        ("movl (x),%eax; movl (y),%ebx; movb %bl,%al", "0:rax=1"),
        ("movl (x),%eax; cmpl $1,%eax; movl (y),%ebx; je Out; incl %eax; Out:", "0:rax=1"),
    ],
)
def test_what_only_the_condition_asks_for(thread: str, asked: str) -> None:
    """A register that an instruction reads whose result is asked for is none of that."""
    columns = [thread.split("; "), ["movl $1,(x)"], ["movl $1,(y)"]]
    test = read_test(f"X86_64 t\n{{ x=7; }}\n{_table(columns)}exists ({asked})\n")
    assert list(run(test).states) == list(run(test, "tso", final_states).states)


def test_a_flag_that_is_undefined_at_the_end_is_refused() -> None:
    """Though what comes behind it does not need it."""
    test = read_test("X86 t\n{ }\nP0 ;\n BT EAX,$1 ;\n MOV EBX,[x] ;\nexists (0:SF=1)\n")
    with pytest.raises(LitmusError, match="0:SF is asked for and undefined at the end"):
        run(test)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("model", ["tso", "sc"])
def test_the_reduction_leaves_out_no_outcome(shape: tuple[int, int], model: str) -> None:
    """Stores, loads and locked operations, through pointers and of parts of registers, observed or not."""
    dice = random.Random(f"{SEED} {shape} {model}")
    for _ in range(EACH):
        text = drawn(dice, *shape)
        test = read_test(text)
        reduced, everything = run(test, model), run(test, model, final_states)  # type: ignore[arg-type]
        assert list(reduced.states) == list(everything.states), text
        assert reduced.witnesses == everything.witnesses, text


def independent(threads: int, each: int, *, asked: int) -> str:
    """Return a test in which each thread stores to locations of its own, then loads those of the next thread."""
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
    assert outcome.states_kept < 100


def test_each_outcome_of_independent_stores_is_there() -> None:
    """A load that is asked for makes two of each."""
    outcome = run(read_test(independent(3, 3, asked=3)))
    assert len(set(outcome.states)) == len(outcome.states) == 1 << 9
    assert outcome.witnesses == 1


def test_memory_is_bounded_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of outcomes grow by leaps: the next one is counted in."""
    coming = []

    def check_now(_bounds: Bounds, much: int, coming_bytes: int = 0) -> None:
        coming.append((much, coming_bytes))

    monkeypatch.setattr(Bounds, "check_now", check_now)
    run(read_test(independent(3, 3, asked=3)))
    assert max(coming) == (1 << 8, EACH_BYTES << 8)
    monkeypatch.undo()
    with pytest.raises(IncompleteError, match="memory"):
        Bounds(memory_bytes=1 << 40).check_now(1, 1 << 40)


def test_values_that_look_the_same_are_one() -> None:
    """In the type that a place is declared in, however many values of the machine there are."""
    columns = [["movl $257,(x)", "movl $513,(x)"], ["movl (x),%eax"]]
    test = read_test(f"X86_64 t\n{{ x=2; uint8_t 1:rax; }}\n{_table(columns)}exists (1:rax=1)\n")
    for by in (None, final_states):
        outcome = run(test, "tso", by)
        assert [value for ((_, value),) in outcome.states] == [2, 1]
        assert (outcome.witnesses, outcome.against) == (1, 1)
