"""Arrays: side by side in memory, told as herd7 tells them."""

from __future__ import annotations

import pytest

from hosts.litmus.locations import BASE
from hosts.litmus.outcome import run
from hosts.litmus.read import read_test
from hosts.litmus.render import lines
from tests.unit.litmus.breadth import finals


def told(init: str, instructions: str, asked: str) -> list[str]:
    """Run one thread; return its only state, its verdict and its condition."""
    rows = "".join(f" {each} ;\n" for each in instructions.split("; "))
    test = read_test(f"X86_64 t\n{{ {init} }}\nP0 ;\n{rows}{asked}")
    return list(lines(run(test, "tso", finals)))[2:5]


@pytest.mark.parametrize(
    ("init", "instructions", "asked", "state"),
    [
        ("int a[2]={5,6}; 0:rdi=a", "movl 4(%rdi),%eax", "locations [0:rax;]", "0:rax=6;"),
        (
            "int a[2]={5,6}; 0:rdi=a",
            "addq $4,%rdi; movl (%rdi),%eax",
            "locations [0:rax;0:rdi;]",
            "0:rax=6; 0:rdi=a+4;",
        ),
        ("int64_t a[2]={5,-6}; 0:rdi=a; 0:rbx=1", "movq (%rdi,%rbx,8),%rax", "locations [0:rax;]", "0:rax=-6;"),
        ("int a[3]={5,6,7}; 0:rbx=2", "movl a(,%rbx,4),%eax", "locations [0:rax;]", "0:rax=7;"),
        ("int a[3]={5,6,7}", "movl [a+8],%eax", "locations [0:rax;]", "0:rax=7;"),
        ("int a[3]={5,6,7}", "movl (a),%eax", "locations [0:rax;]", "0:rax=5;"),
        ("int a[2]; 0:rdi=&a[1]", "lock incl (%rdi)", "locations [a;]", "a={0,1};"),
        ("int a[2]; int *p=&a[1]", "movq (p),%rdi; movl $3,(%rdi)", "locations [a; p;]", "a={0,3}; [p]=a+4;"),
        ("uint8_t a[2]={255,-1}; int8_t b[2]={255,0}", "nop", "locations [b; a;]", "a={255,255}; b={-1,0};"),
        ("int a[2]={5,6}; int b=3; z=1", "nop", "locations [z; a[1]; b; a; a[0];]", None),
        ("int a[11]", "movl $3,[a+40]", "locations [a[2]; a[10];]", "a[2]=0; a[10]=3;"),
        ("x=1; 0:rdi=x", "subq $4,%rdi", "locations [0:rdi;]", "0:rdi=x-4;"),
    ],
)
def test_states(init: str, instructions: str, asked: str, state: str | None) -> None:
    """Whole arrays stand among the locations, single elements behind all."""
    assert told(init, instructions, asked)[0] == (state or "a={5,6}; [b]=3; [z]=1; a[0]=5; a[1]=6;")


@pytest.mark.parametrize(
    ("condition", "printed"),
    [
        ("exists (a={5,6})", "exists (a={5,6})"),
        ("exists (a[1]=6)", "exists (a[1]=6)"),
        ("exists (a != {5,5} /\\ a[1]<>7)", "exists (not (a={5,5}) /\\ not (a[1]=7))"),
        ("exists (p=&a[1] /\\ 0:rdi=a)", "exists ([p]=a+4 /\\ 0:rdi=a)"),
        ("forall (a[1]=[b])", "forall (a[1]=[b])"),
        ("observed a[1]=6; a={5,6};", "exists (a[1]=6 /\\ a={5,6})"),
    ],
)
def test_conditions(condition: str, printed: str) -> None:
    """They hold, and are printed as herd7 prints them."""
    _, good, asked = told("int a[2]={5,6}; int b=6; int *p=&a[1]; 0:rdi=a", "nop", condition)
    assert (good, asked) == ("Ok", f"Condition {printed}")


@pytest.mark.parametrize("number", range(BASE - 32, BASE + 160, 8))
def test_no_number_of_a_test_is_taken_for_an_address(number: int) -> None:
    """Nor for one near a location."""
    assert told(f"x={number}", "nop", "locations [x; y;]")[0] == f"[x]={number}; [y]=0;"


def test_elements_are_locations_of_their_own() -> None:
    """Stores to one do not order accesses to another, and none is lost."""
    body = "{ int a[2]; 0:rdi=a; 1:rdi=a; }\nP0 | P1 ;\n movl $1,(%rdi) | movl $1,4(%rdi) ;\n"
    body += " movl 4(%rdi),%eax | movl (%rdi),%eax ;\nlocations [a;] exists (0:rax=0 /\\ 1:rax=0)\n"
    for model, seen in (("tso", True), ("sc", False)):
        outcome = run(read_test(f"X86_64 t\n{body}"), model, finals)  # type: ignore[arg-type]
        assert outcome.ok == seen
        assert all(line.endswith(" a={1,1};") for line in list(lines(outcome))[2 : 2 + len(outcome.states)])
