"""Jumps forward and back: a search of states needs no limit on how often."""

from __future__ import annotations

import itertools
import random

import pytest

from hosts.litmus.bounds import IncompleteError
from hosts.litmus.buffer_depth import buffer_depth
from hosts.litmus.live_registers import live_registers
from hosts.litmus.outcome import Finals, Outcome, run
from hosts.litmus.read import read_test
from hosts.litmus.registers import CF, PF, SF, ZF
from hosts.litmus.render import lines
from hosts.litmus.unreduced import final_states
from tests.unit.litmus.breadth import finals

hosts = pytest.mark.parametrize("by", [finals, final_states, None], ids=["definition", "search", "reduced"])


def text(*threads: str, init: str = "", asked: str = "") -> str:
    """Write a test down whose threads are told with ``;`` between instructions."""
    rows = itertools.zip_longest(*(each.split("; ") for each in threads), fillvalue="")
    heading = " | ".join(f"P{number}" for number in range(len(threads)))
    return f"X86_64 t\n{{ {init} }}\n{heading} ;\n" + "".join(" | ".join(row) + " ;\n" for row in rows) + asked


def states(outcome: Outcome) -> list[str]:
    """Return the lines that tell states."""
    return list(lines(outcome))[2 : 2 + len(outcome.states)]


@hosts
def test_forward(by: Finals | None) -> None:
    """What is jumped over is not done."""
    reads = "movl (flag),%eax; cmpl $1,%eax; jne Out; movl (data),%ebx; Out:"
    test = text("movl $1,(data); movl $1,(flag)", reads, init="1:rbx=9;", asked="exists (1:rax=1 /\\ 1:rbx=0)")
    outcome = run(read_test(test), "tso", by)
    assert not outcome.ok
    assert states(outcome) == ["1:rax=0; 1:rbx=9;", "1:rax=1; 1:rbx=1;"]


@hosts
def test_a_loop_that_waits(by: Finals | None) -> None:
    """Only the ways on which it ends count, however often it went round."""
    waits = "Again: movl (flag),%eax; incl %ecx; cmpl $1,%eax; jne Again; movl (data),%ebx"
    outcome = run(read_test(text("movl $1,(data); movl $1,(flag)", waits, asked="exists (1:rbx=0)")), "tso", by)
    assert states(outcome) == ["1:rbx=1;"]


@hosts
def test_a_lock(by: Finals | None) -> None:
    """Taken by whoever exchanges a 0 for its 1, given back by a store: no increment is lost."""
    takes = "L: movl $1,%eax; xchgl %eax,(lock); testl %eax,%eax; jnz L; incl (x); movl $0,(lock)"
    outcome = run(read_test(text(takes, takes, asked="locations [lock;] forall (x=2)")), "tso", by)
    assert states(outcome) == ["[lock]=0; [x]=2;"]


def test_dekker_without_fences_lets_both_in() -> None:
    """And with them only one at a time, in the same loop."""
    for fence, both in (("nop", True), ("mfence", False)):
        threads = [
            f"movl $1,({mine}); {fence}; movl ({other}),%eax; testl %eax,%eax; jnz Out; movl $1,%ebx; Out:"
            for mine, other in (("x", "y"), ("y", "x"))
        ]
        assert run(read_test(text(*threads, asked="exists (0:rbx=1 /\\ 1:rbx=1)")), "tso", finals).ok == both


@hosts
def test_who_goes_round_for_ever_has_no_end(by: Finals | None) -> None:
    """So there is no final state, though another thread has come to its end; a run that ends is one."""
    assert states(run(read_test(text("L: jmp L", "movl $1,(x)", asked="exists (x=1)")), "tso", by)) == []
    asks = text("movl (x),%eax; L: testl %eax,%eax; jz L", "movl $1,(x)", asked="forall (0:rax=1)")
    assert states(run(read_test(asks), "tso", by)) == ["0:rax=1;"]


ACTS = ("movl (x),%eax", "movl (y),%ebx", "xchgl %eax,(x)", "lock xorl $3,(y)", "cmpl $1,(x)", "cmpl %eax,%ebx")
ONCE = ("movl $1,(x)", "movl $2,(y)", "incl (x)", "movl %eax,(y)")


def drawn(dice: random.Random) -> str:
    """Draw a thread that stores once and goes forward or back, once or twice, on what it has read."""
    thread = [dice.choice(ONCE), *dice.choices(ACTS, k=dice.randint(1, 3))]
    for label in range(dice.randint(1, 2)):
        thread.insert(dice.randint(1, len(thread)), dice.choice(["je", "jne", "jb", "jg"]) + f" L{label}")
        thread.insert(dice.randint(1, len(thread)), f"L{label}:")
    return "; ".join(thread)


def test_the_reduced_search_goes_round_as_the_definition_does() -> None:
    """Threads that jump anywhere: the same final states, and most of them have some."""
    dice = random.Random(2026)
    ended = 0
    for _ in range(20):
        test = read_test(text(drawn(dice), drawn(dice), asked="locations [0:rax; 1:rax; 1:rbx; x; y;]"))
        expected = states(run(test, "tso", finals))
        assert states(run(test, "tso")) == expected
        ended += expected != []
    assert ended > 10


@pytest.mark.parametrize("end", ["ret", "jmp End; movl $2,(x); End:", "cmpl $0,%eax; je End; movl $2,(x); End:"])
def test_ways_to_the_end(end: str) -> None:
    """A return, and labels behind the last instruction."""
    after = "" if ":" in end else "; movl $2,(x)"
    assert run(read_test(text(f"movl $1,(x); {end}{after}", asked="forall (x=1)")), "tso", finals).ok


@pytest.mark.parametrize("by", [final_states, None], ids=["search", "reduced"])
def test_loops_that_fill_the_buffer_are_bounded(by: Finals | None) -> None:
    """Without end stores could wait in it; a fence in the loop makes an end of that."""
    loops = ("L: movl $1,({}); mfence; movl ({}),%eax; testl %eax,%eax; jz L".format(*each) for each in ("xy", "yx"))
    test = text(*loops, asked="forall (0:rax=1 /\\ 1:rax=1)")
    assert states(run(read_test(test), "tso", by)) == ["0:rax=1; 1:rax=1;"]
    with pytest.raises(IncompleteError, match="buffer"):
        run(read_test(test.replace("mfence", "nop")), "tso", by)


def test_a_loop_of_stores_that_nobody_reads_meanwhile() -> None:
    """However many of them wait, it makes no difference: what is not bounded by that is answered."""
    loop = "L: movl $1,(x); movl (y),%eax; testl %eax,%eax; jz L"
    reads = "movl (x),%eax; movl (x),%ebx; movl $1,(y)"
    outcome = run(read_test(text(loop, reads, asked="locations [1:rax; 1:rbx; x;]")), "tso")
    assert states(outcome) == [f"1:rax={one}; 1:rbx={other}; [x]=1;" for one, other in ((0, 0), (0, 1), (1, 1))]


@pytest.mark.parametrize(
    ("thread", "most"),
    [
        ("movl $1,(x); movl $1,(y); movl (x),%eax", 2),
        ("movl $1,(x); mfence; movl $1,(y); movl $2,(y)", 2),
        ("movl $1,(x); movl $2,(x); xchgl %eax,(y); movl $1,(y)", 2),
        ("movl $1,(x); lock incl (y); movl $1,(x)", 1),
        ("jz L; movl $1,(x); movl $2,(x); jmp M; L: movl $1,(x); M: movl $3,(x)", 3),
        ("L: movl $1,(x); mfence; jz L", 1),
        ("L: movl $1,(x); jz L; movl $2,(x)", 9),
        ("cmpl $1,(x); btl $1,(x); clflush (x)", 0),
    ],
)
def test_how_many_stores_can_wait(thread: str, most: int) -> None:
    """Between what waits for the buffer; where there is no end to it, some rounds of the loop."""
    assert buffer_depth(read_test(text(thread)).threads[0]) == most


@pytest.mark.parametrize(
    ("thread", "live"),
    [
        ("movl %eax,%ebx; movl %ebx,(x)", {0}),
        ("incl %eax; movl $1,(x)", set()),
        ("L: incl %ecx; movl (x),%eax; testl %eax,%eax; jz L", set()),
        ("L: movl (%rbx),%eax; testl %eax,%eax; jz L", {1}),
        ("jz L; movl $1,(x); L: movl $2,(x)", {ZF}),
        ("decl %eax; jbe L; movl $1,(x); L:", {0, CF}),
        ("btl $1,%eax; jz L; movl $1,(x); L:", {ZF}),
        ("shll %cl,%eax; js L; movl $1,(x); L:", {0, 2, SF}),
        ("shll $1,%eax; js L; movl $1,(x); L:", {0}),
        ("cmovpl %ebx,%eax; movl %eax,(x)", {0, 1, PF}),
        ("cmpl $1,%eax; adcl $1,%ebx; movl %ebx,(x)", {0, 1}),
        ("movb $1,%al; movl %eax,(x)", {0}),
    ],
)
def test_what_somebody_may_look_at(thread: str, live: set[int]) -> None:
    """Registers and flags, at the start; what is only counted up is looked at by nobody."""
    assert live_registers(read_test(text(thread)).threads[0], frozenset())[0] == live
