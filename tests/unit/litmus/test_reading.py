"""Reading: what herd7 reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.litmus.final_condition import spelled
from hosts.litmus.read import read_file, read_test
from hosts.litmus.registers import Part
from hosts.litmus.render import name
from hosts.litmus.syntax import Address, Direct, Immediate, Indirect, Instruction, Memory, Register, Test, Type

RAX, RBX, RCX = range(3)
ONE = "{ }\nP0 ;\n nop ;\n"


def read(body: str, arch: str = "X86_64") -> Test:
    """Read a test of which only what comes after the heading is told."""
    return read_test(f"{arch} name\n{body}")


def only(instruction: str, arch: str = "X86_64") -> Instruction:
    """Read one instruction."""
    ((found,),) = read(f"{{ }}\nP0 ;\n {instruction} ;\n end: ;\n", arch).threads
    return found


# --- the whole ---------------------------------------------------------------------------------------------------


def test_a_file_as_the_generators_write_it() -> None:
    """Documentation, metadata, comments, empty cells."""
    test = read_test(
        'X86_64 SB+mfence\n"Fre PodWR\nFre"\nCycle=Fre {PodWR\n'
        "Orig=exists\n(* a comment { (* nested *)\n }*)\n{ x=0; (* here *) }\n"
        " P0          | P1 ;\n movl $1,(x) |    ;\n mfence | movl (x),%eax ;\n"
        "exists (1:rax=1) << what nobody reads\n"
    )
    assert test.name == "SB+mfence"
    assert [[each.text for each in thread] for thread in test.threads] == [["movl $1,(x)", "mfence"], ["movl (x),%eax"]]
    assert [each.line for each in test.threads[0]] == [10, 11]


def test_no_condition_is_always_true() -> None:
    """As herd7 has it."""
    test = read(ONE)
    assert (test.final_condition.quantifier, spelled(test.final_condition.proposition, str)) == ("forall", "true")


def test_initial_state() -> None:
    """Values, types, pointers, with and without brackets."""
    test = read(
        "{ x=1; [y]=0x10; int8_t z=-1; uint64_t w; 0:rax=7; 0:RBX=x; P1:rcx=&y; int *p=y; _Atomic int a=2;\n"
        "uint64_t 1:rax; u }\nP0 | P1 ;\n nop | nop ;\n"
    )
    pointer = Type(64, signed=False, pointer=True)
    assert test.initial == {
        Memory("x"): 1,
        Memory("y"): 16,
        Memory("z"): -1,
        Register(0, RAX): 7,
        Register(0, RBX): Address("x"),
        Register(1, RCX): Address("y"),
        Memory("p"): Address("y"),
        Memory("a"): 2,
    }
    assert test.types == {
        Memory("z"): Type(8, signed=True),
        Memory("w"): Type(64, signed=False),
        Register(0, RBX): pointer,
        Register(1, RCX): pointer,
        Memory("p"): pointer,
        Memory("a"): Type(32, signed=True),
        Register(1, RAX): Type(64, signed=False),
    }


def test_types() -> None:
    """Those of C, and those of stdint.h; long is as wide as what is done to it."""
    test = read(
        "{ unsigned a; signed char b=-1; unsigned long long c; volatile int d; long e; const unsigned short f=65535;\n"
        "short int g; long int h=2; _Atomic uint8_t i; atomic_t j; }\nP0 ;\n movq $1,(e) ;\n"
    )
    assert {place.name: tuple(kind) for place, kind in test.types.items() if isinstance(place, Memory)} == {
        "a": (32, False, False),
        "b": (8, True, False),
        "c": (64, False, False),
        "d": (32, True, False),
        "f": (16, False, False),
        "g": (16, True, False),
        "i": (8, False, False),
        "j": (32, True, False),
    }


EAX, AL, AH = Part(RAX, 32), Part(RAX, 8), Part(RAX, 8, 8)


@pytest.mark.parametrize(
    ("text", "name", "target", "source", "bits"),
    [
        ("movl $1,(x)", "mov", Direct("x"), Immediate(1), 32),
        ("MOVL $-1,[x]", "mov", Direct("x"), Immediate(-1), 32),
        ("mov $0x10,(x)", "mov", Direct("x"), Immediate(16), 0),
        ("movq (x),%rax", "mov", Part(RAX, 64), Direct("x"), 64),
        ("mov (x),eax", "mov", EAX, Direct("x"), 32),
        ("movw (x),%AX", "mov", Part(RAX, 16), Direct("x"), 16),
        ("movb %ah,(x)", "mov", Direct("x"), AH, 8),
        ("movl %r15d,%r8d", "mov", Part(8, 32), Part(15, 32), 32),
        ("movb %sil,%r10b", "mov", Part(10, 8), Part(4, 8), 8),
        ("movl (%rax),%eax", "mov", EAX, Indirect(Part(RAX, 64)), 32),
        ("movl $1,0(%rax)", "mov", Indirect(Part(RAX, 64)), Immediate(1), 32),
        ("movl $1,[rax]", "mov", Indirect(Part(RAX, 64)), Immediate(1), 32),
        ("xchgl %eax,(x)", "xchg", Direct("x"), EAX, 32),
        ("xchgl (x),%eax", "xchg", Direct("x"), EAX, 32),
        ("lock cmpxchgl (x),%eax", "cmpxchg", Direct("x"), EAX, 32),
        ("lock; cmpxchg %eax,(x)", "cmpxchg", Direct("x"), EAX, 32),
        ("lock xaddb %al,(x)", "xadd", Direct("x"), AL, 8),
        ("lock btsq $3,(x)", "bts", Direct("x"), Immediate(3), 64),
        ("lock decw (x)", "dec", Direct("x"), None, 16),
        ("subl %eax,%eax", "sub", EAX, EAX, 32),
        ("setne %al", "setne", AL, None, 8),
        ("mfence", "mfence", None, None, 0),
        ("movl $1,-4(%rax)", "mov", Indirect(Part(RAX, 64), -4), Immediate(1), 32),
        ("movl $1,[rax-4]", "mov", Indirect(Part(RAX, 64), -4), Immediate(1), 32),
        ("movl $1,[rax+rbx*4+8]", "mov", Indirect(Part(RAX, 64), 8, Part(RBX, 64), 4), Immediate(1), 32),
        ("movl $1,8(%rax,%rbx,4)", "mov", Indirect(Part(RAX, 64), 8, Part(RBX, 64), 4), Immediate(1), 32),
        ("movl $1,(%rax,%rbx)", "mov", Indirect(Part(RAX, 64), 0, Part(RBX, 64)), Immediate(1), 32),
        ("movl $1,a(,%rbx,4)", "mov", Indirect(None, 0, Part(RBX, 64), 4, "a"), Immediate(1), 32),
        ("movl $1,a+8(%rip)", "mov", Direct("a", 8), Immediate(1), 32),
        ("movl $1,[a+8]", "mov", Direct("a", 8), Immediate(1), 32),
        ("movl $1,%ds:(x)", "mov", Direct("x"), Immediate(1), 32),
        ("shl $2,%eax", "shl", EAX, Immediate(2), 32),
        ("sarl (x)", "sar", Direct("x"), Immediate(1), 32),
        ("shrq %cl,%rax", "shr", Part(RAX, 64), Part(RCX, 8), 64),
        ("sbb %eax,%eax", "sbb", EAX, EAX, 32),
        ("movzbl (x),%eax", "movz", EAX, Direct("x"), 32),
        ("movsx %al,%eax", "movs", EAX, AL, 32),
        ("leaq 4(%rax),%rbx", "lea", Part(RBX, 64), Indirect(Part(RAX, 64), 4), 64),
        ("cmovc (x),%eax", "cmovc", EAX, Direct("x"), 32),
        ("cmovcl %eax,(x)", "cmovc", EAX, Direct("x"), 32),
        ("clflush (%rax)", "clflush", Indirect(Part(RAX, 64)), None, 0),
        ("nopw %cs:0(%rax,%eax,0)", "nop", None, None, 0),
        ("jlt end", "jl", None, None, 0),
        ("retq", "ret", None, None, 0),
    ],
)
def test_instructions_of_x86_64(text: str, name: str, target: object, source: object, bits: int) -> None:
    """AT&T: what is written comes last."""
    found = only(text)
    assert (found.name, found.target, found.source, found.bits) == (name, target, source, bits)
    assert found.locked == text.startswith("lock")


@pytest.mark.parametrize(
    ("text", "name", "target", "source", "bits"),
    [
        ("MOV [x],$1", "mov", Direct("x"), Immediate(1), 0),
        ("MOV [x],1", "mov", Direct("x"), Immediate(1), 0),
        ("MOV EAX,[x]", "mov", EAX, Direct("x"), 32),
        ("mov [x],EAX", "mov", Direct("x"), EAX, 32),
        ("MOV EAX,[ECX]", "mov", EAX, Indirect(Part(RCX, 32)), 32),
        ("MOV EAX,(ECX)", "mov", EAX, Indirect(Part(RCX, 32)), 32),
        ("XCHG [x],EAX", "xchg", Direct("x"), EAX, 32),
        ("LOCK ADD [x],$3", "add", Direct("x"), Immediate(3), 0),
        ("LOCK INC [x]", "inc", Direct("x"), None, 0),
        ("MOVB [x],$3", "mov", Direct("x"), Immediate(3), 8),
        ("MOV EAX,[ECX+4]", "mov", EAX, Indirect(Part(RCX, 32), 4), 32),
        ("SHL EAX,$2", "shl", EAX, Immediate(2), 32),
        ("SHR EAX", "shr", EAX, Immediate(1), 32),
    ],
)
def test_instructions_of_x86(text: str, name: str, target: object, source: object, bits: int) -> None:
    """Intel: what is written comes first."""
    found = only(text, "X86")
    assert (found.name, found.target, found.source, found.bits) == (name, target, source, bits)


@pytest.mark.parametrize(
    ("condition", "printed"),
    [
        ("exists (x=1 /\\ [y]=2 /\\ 0:rax=0x10)", "exists ([x]=1 /\\ [y]=2 /\\ 0:rax=16)"),
        ("~exists x=1", "~exists ([x]=1)"),
        ("~ exists (0:RAX=x)", "~exists (0:rax=x)"),
        ("forall (x=1 \\/ x=2 /\\ y=1)", "forall ([x]=1 \\/ [x]=2 /\\ [y]=1)"),
        ("forall ((x=1 \\/ x=2) /\\ y=1)", "forall (([x]=1 \\/ [x]=2) /\\ [y]=1)"),
        ("exists (not x=1 /\\ ~(y=1 \\/ true))", "exists (not ([x]=1) /\\ not ([y]=1 \\/ true))"),
        ("exists (x != 1 \\/ false)", "exists (not ([x]=1) \\/ false)"),
        ("exists (x=1 => y=1 \\/ y=2)", "exists (([x]=1 => [y]=1) \\/ [y]=2)"),
        ("exists (0:rax=0:rbx /\\ x=[y] /\\ x=*z)", "exists (0:rax=0:rbx /\\ [x]=[y] /\\ [x]=[z])"),
        ("final (x=1);", "exists ([x]=1)"),
        ("locations [x; 0:rax; y int;] forall (x=-1)", "forall ([x]=-1)"),
        ("filter (x=1) exists (y=1)", "exists ([y]=1)"),
        ("locations [x long; y unsigned long;]", "forall (true)"),
        ("final (x=1);\nwith\n tso: exists; sc: ~exists;", "exists ([x]=1)"),
        ("locations [x;] with tso: forall", "forall (true)"),
        ("observed x=1; 0:rax=2; and x=3;", "exists ([x]=1 /\\ 0:rax=2 \\/ [x]=3)"),
        ("Observed x=1;", "exists ([x]=1)"),
    ],
)
def test_conditions_are_printed_as_herd7_prints_them(condition: str, printed: str) -> None:
    """Brackets round locations, numbers in decimal, as few parentheses as it uses."""
    test = read(ONE + condition)
    spelt = spelled(test.final_condition.proposition, lambda place: name(place, test.arch))
    assert f"{test.final_condition.quantifier} ({spelt})" == printed


def test_a_condition_may_be_long() -> None:
    """Only depth is limited, and by far."""
    many = " \\/ ".join(f"(x={number} /\\ not (y=1))" for number in range(3000))
    test = read(f"{ONE}exists ({many})")
    assert spelled(test.final_condition.proposition, str).count("/\\") == 3000


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfX86 t\n", b"X86 t\n(* Ren\xe9 *)\n", b"X86 t\n(* Ren\xc3\xa9 *)\n"])
def test_comments_may_be_in_any_encoding(tmp_path: Path, text: bytes) -> None:
    """UTF-8, Latin-1, and the mark that some editors begin a file with."""
    file = tmp_path / "file.litmus"
    file.write_bytes(text + ONE.encode())
    assert read_file(str(file)).name == "t"


@pytest.mark.parametrize(
    ("heading", "name"),
    [("X86", "file"), ("X86_64 --", "file"), ("X86 MP+a.b", "MP+a.b"), ('X86 -- "text"', "file")],
)
def test_a_test_without_a_name_is_called_as_its_file(tmp_path: Path, heading: str, name: str) -> None:
    """Without the ending."""
    file = tmp_path / "file.litmus"
    file.write_text(f"{heading}\n{ONE}")
    assert read_file(str(file)).name == name


@pytest.mark.parametrize(
    "rest", ["{ x=1; }", " (printed) { x=1; }", ' "text"; { x=1; }', '\n"text"\n{ x=1; }', "\n{ x=1; }"]
)
def test_the_initial_state_may_begin_in_the_heading(rest: str) -> None:
    """Behind the name, a name for printing, the documentation."""
    assert read_test(f"X86 t{rest}\nP0 ;\n nop ;\n").initial == {Memory("x"): 1}
