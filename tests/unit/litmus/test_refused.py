"""What is not read, or not modelled: one line, with the number of the line that it is about."""

from __future__ import annotations

import pytest

from hosts.litmus.errors import LitmusError
from hosts.litmus.outcome import run
from hosts.litmus.read import read_test
from tests.unit.litmus.breadth import finals
from tests.unit.litmus.test_reading import ONE, read


def cell(text: str) -> str:
    """Put an instruction into line 4."""
    return f"{{ }}\nP0 ;\n {text} ;\n"


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("P0 ;\n nop ;\n", 4, "initial state"),
        ("{ x=0;\nP0 ;\n", 2, "never closed"),
        ("(* { }\nP0 ;\n", 2, "never closed"),
        ("{ x=0; x=1; }\nP0 ;\n", 2, "x is given twice"),
        ("{ int64 x; }\nP0 ;\n", 2, "int64 is not known"),
        ("{ int x[2]={1}; }\nP0 ;\n", 2, "x has 2 elements, and 1 are given"),
        ("{ int x[0]; }\nP0 ;\n", 2, "from 1 to 256 is wanted where '0' stands"),
        ("{ int x[2]; x=1; }\nP0 ;\n", 2, "x is given twice"),
        ("{ int x[2]; 0:rax=&x[2]; }\nP0 ;\n", 2, "x has 2 elements"),
        ("{ int x[2]; 0:rax=x[1]; }\nP0 ;\n", 2, "write &a.1."),
        ("{ int x; 0:rax=&x[1]; }\nP0 ;\n", 2, "x is no array"),
        ("{ uint8_t x=256; }\nP0 ;\n", 2, "256 does not fit 8 bits"),
        ("{ int x=-2147483649; }\nP0 ;\n", 2, "-2147483649 does not fit 32 bits"),
        ("{ int x[2]={1,\n4294967296}; }\nP0 ;\n", 3, "4294967296 does not fit 32 bits"),
        ("{ 0:rax=18446744073709551616; }\nP0 ;\n", 2, "does not fit 64 bits"),
        ("{ 0:rip=1; }\nP0 ;\n", 2, "0:rip is not modelled"),
        ("{ \u0662:rax=1; }\nP0 ;\n", 2, "a thread's number is wanted"),
        ("{ 99999999999:rax=1; }\nP0 ;\n", 2, "from 0 to 256 is wanted"),
        ("{ double x; }\nP0 ;\n", 2, "the type double is not known"),
        ("{ x=1\n y=1 }\nP0 ;\n", 3, "';'"),
        ("{ 0:eax=1; }\nP0 ;\n", 2, "0:eax is no register of X86_64 .the whole register is rax"),
        ("{ 1:rax=1; }\nP0 ;\n nop ;\n", 2, "thread 1, the last is 0"),
        ("{ }\nP1 ;\n nop ;\n", 3, "P0 is wanted"),
        ("{ }\nP0 | P1 ;\n nop | nop | nop ;\n", 4, "3 columns"),
        ("{ }\nP0 | P1 ;\n nop | nop \n", 4, "'|' or ';'"),
        (cell("jmp end"), 4, "no label end in this thread"),
        (cell("jne"), 4, "a label is wanted"),
        (cell("end: nop ;\n end: nop"), 5, "the label end stands here for the second time"),
        (cell("call f"), 4, "call is not read"),
        (cell("lock jmp end"), 4, "no lock"),
        (cell("movnti %eax,(x)"), 4, "x86-TSO does not speak of non-temporal"),
        (cell("vmcall"), 4, "vmcall is not read"),
        (cell("movl $1"), 4, "takes 2 operands"),
        (cell("mfence %eax"), 4, "takes 0 operands"),
        (cell("movl (x),(y)"), 4, "two memory operands"),
        (cell("movl %eax,$1"), 4, "cannot be written"),
        (cell("movl %rax,(x)"), 4, "widths differ .32 and 64 bits"),
        (cell("mov %eax,%bl"), 4, "widths differ"),
        (cell("movl (%rax,%rbx,3),%eax"), 4, "scaled by 1, 2, 4 or 8"),
        (cell("movl (%rax,%rbx,%rcx),%eax"), 4, "scaled by 1, 2, 4 or 8"),
        (cell("movl [rax*2+rbx*2],%eax"), 4, "a memory operand is"),
        (cell("movl %fs:(x),%eax"), 4, "the segment '%fs' is not modelled"),
        (cell("movl [4],%eax"), 4, "a memory operand is"),
        (cell("movl (x"), 4, "a memory operand is"),
        (cell("movb $256,%al"), 4, "256 does not fit 8 bits"),
        (cell("movl $-2147483649,(x)"), 4, "does not fit 32 bits"),
        (cell(f"movl ${'7' * 4400},(x)"), 4, "7777... does not fit 64 bits"),
        (cell("shll %eax,%ebx"), 4, "by a number or by cl"),
        (cell("shl $1,$2,%eax"), 4, "takes 2 operands"),
        (cell("clflush %eax"), 4, "clflush takes an address"),
        (cell("leaq %rax,%rbx"), 4, "lea takes an address and a register"),
        (cell("movzx (x),%eax"), 4, "how much it reads is not said"),
        (cell("cmovel $1,%eax"), 4, "takes a register, or memory"),
        (cell("movl (%eax),%eax"), 4, "too narrow for an address"),
        (cell("movl %tmp,(x)"), 4, "no register"),
        (cell("lock movl $1,(x)"), 4, "no lock"),
        (cell("lock incl %eax"), 4, "no lock"),
        (cell("cmpxchgl %eax,%ebx"), 4, "memory operand only"),
        (cell("xaddl $1,(x)"), 4, "takes a register"),
        (cell("sete %eax"), 4, "no register|widths differ"),
        (ONE + "exists\n" + 60 * "(", 6, "to a depth of 50"),
        (ONE + "exists " + 60 * "~" + "x=1", 5, "to a depth of 50"),
        (ONE + "exists " + 60 * "x=1 => " + "x=1", 5, "to a depth of 50"),
        (ONE + "exists (x=1", 5, r"'\)' is wanted"),
        (ONE + "exists (0:xmm0=1)", 5, "xmm0 is no register"),
        (ONE + "exists (3:rax=1)", 2, "thread 3"),
        (ONE + "exists (x=1) x=2", 5, "after the condition"),
        (ONE + "cases x=1", 5, "exists, ~exists, forall or observed"),
        (ONE + "observed x=1 and x=2", 5, "';' is wanted"),
        ("{ int a[2]; }\nP0 ;\n nop ;\nexists (a[2]=1)", 5, "a has 2 elements"),
        ("{ int a[2]; }\nP0 ;\n nop ;\nexists (a={1})", 5, "a has 2 elements, not 1"),
        ("{ int a[2]; }\nP0 ;\n nop ;\nexists (a=1)", 5, "'{' is wanted"),
        ("{ int8_t x; }\nP0 ;\n nop ;\nexists (x=300)", 5, "300 does not fit 8 bits"),
    ],
)
def test_what_is_not_read_is_told_with_its_line(body: str, line: int, reason: str) -> None:
    """Lines are counted from the heading, which is 1."""
    with pytest.raises(LitmusError, match=reason) as caught:
        read(body)
    assert caught.value.line == line
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AArch64 MP\n{ }\n", "AArch64 is not read"),
        ("\n{ }\n", "a heading is wanted"),
        ("", "a heading is wanted"),
    ],
)
def test_other_headings(text: str, reason: str) -> None:
    """Only x86."""
    with pytest.raises(LitmusError, match=reason) as caught:
        read_test(text)
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("init", "instruction", "reason"),
    [
        ("uint8_t x;", "movl (x),%eax", "takes 32 bits of x, which has 8"),
        ("int x;", "movb $1,(x)", "writes 8 bits of x, which has 32"),
        ("int x;", "lock incq (x)", "takes 64 bits of x"),
        ("0:rax=5;", "movl (%rax),%ebx", "0x5 is the address of no location"),
        ("0:rax=x; int x;", "movq (%rax),%rbx", "takes 64 bits of x"),
        ("int x; 0:rax=32;", "btl %eax,(x)", "bit 32 lies outside x"),
        ("int x; 0:rax=32;", "lock btsl %eax,(x)", "bit 32 lies outside x"),
        ("int a[2]; 0:rax=a;", "movl 8(%rax),%ebx", r"a\+8 is the start of no location"),
        ("int a[2]; 0:rax=a;", "movl 2(%rax),%ebx", r"a\+2 is the start of no location"),
        ("int a[2]; 0:rax=a;", "movq (%rax),%rbx", r"takes 64 bits of a\[0\]"),
        ("0:rax=x;", "movl -4(%rax),%ebx", "x-4 is the start of no location"),
        ("uint8_t x;", "mov $256,(x)", "256 does not fit 8 bits"),
        ("0:rax=5;", "clflush (%rax)", "0x5 is the address of no location"),
        ("", "btl $1,%eax ;\n sets %al ;\n movb %al,(x)", "sets %al looks at SF, which is undefined here"),
        ("", "shll $2,%eax ;\n jo end ;\n movl $1,(x) ;\n end:", "jo end looks at OF, which is undefined here"),
        ("", "L: incl %eax ;\n jnz L ;\n movl %eax,(x)", "jnz L goes back more than 10,000 times"),
    ],
)
def test_accesses_that_are_not_modelled(init: str, instruction: str, reason: str) -> None:
    """They are told when they are done."""
    with pytest.raises(LitmusError, match=reason) as caught:
        run(read(f"{{ {init} }}\nP0 ;\n {instruction} ;\n"), "tso", finals)
    assert caught.value.line == (5 if "\n" in instruction else 4)


def test_a_number_too_wide_for_its_location_is_told_with_its_line() -> None:
    """Where its width is that of what is done to it."""
    with pytest.raises(LitmusError, match="4294967298 does not fit 32 bits") as caught:
        run(read("{ y=1;\nx=4294967298; }\nP0 ;\n movl (x),%eax ;\n"), "tso", finals)
    assert caught.value.line == 3
    run(read("{ x=4294967298; }\nP0 ;\n movq (x),%rax ;\n"), "tso", finals)


def test_a_flag_that_is_asked_for_has_to_be_defined() -> None:
    """X86 knows flags in the condition."""
    with pytest.raises(LitmusError, match="0:SF is asked for and undefined at the end"):
        run(read_test("X86 t\n{ }\nP0 ;\n BT EAX,$1 ;\nexists (0:SF=0)\n"), "tso", finals)
