"""What each instruction does, alone: values, widths, flags."""

from __future__ import annotations

import pytest

from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.litmus.outcome import run
from hosts.litmus.read import read_test
from hosts.litmus.render import name, value_text
from tests.unit.litmus.breadth import finals


def left(init: str, instructions: str, shown: str) -> str:
    """Run one thread; return what is shown of its only final state."""
    rows = "\n".join(f"{each} ;" for each in instructions.split("; "))
    test = read_test(f"X86_64 t\n{{ {init} }}\nP0 ;\n{rows}\nlocations [{shown};]\n")
    (state,) = run(test, "tso", finals).states
    return " ".join(f"{name(place, 'X86_64')}={value_text(value)}" for place, value in state)


@pytest.mark.parametrize(
    ("init", "instructions", "shown", "expected"),
    [
        ("uint64_t 0:rbx=-1", "movl $7,%ebx", "0:rbx", "0:rbx=7"),
        ("uint64_t 0:rbx=-1", "movw $7,%bx", "0:rbx", "0:rbx=18446744073709486087"),
        ("uint64_t 0:rbx=-1", "movb $7,%bl", "0:rbx", "0:rbx=18446744073709551367"),
        ("uint64_t 0:rbx=-1", "movb $7,%bh", "0:rbx", "0:rbx=18446744073709488127"),
        ("uint64_t 0:rbx=-1", "movq $7,%rbx", "0:rbx", "0:rbx=7"),
        ("uint64_t 0:rbx", "movl $-1,%ebx", "0:rbx", "0:rbx=4294967295"),
        ("uint64_t 0:rbx", "movq $-1,%rbx", "0:rbx", "0:rbx=18446744073709551615"),
        ("0:rax=0x1234", "movb %ah,%bl", "0:rbx", "0:rbx=18"),
        ("0:rbx=-1", "movl $-1,%ebx", "0:rbx", "0:rbx=-1"),
        ("uint32_t 0:rbx", "movl $-1,%ebx", "0:rbx", "0:rbx=4294967295"),
        ("x=-2; uint64_t 0:rbx", "movl (x),%ebx", "0:rbx", "0:rbx=4294967294"),
        ("x=0x1234; 0:rbx=-1", "movb (x),%bl", "0:rbx", "0:rbx=-204"),
        ("uint8_t x", "movb $-1,(x)", "x", "[x]=255"),
        ("int8_t x", "movb $255,(x)", "x", "[x]=-1"),
        ("", "movb $200,(x)", "x", "[x]=200"),
        ("", "movq $4294967297,(x); movq (x),%rbx", "x; 0:rbx", "0:rbx=1 [x]=1"),
        ("x=5", "addl $3,(x)", "x", "[x]=8"),
        ("x=5", "lock subl $7,(x)", "x", "[x]=-2"),
        ("int x=2147483647", "lock incl (x)", "x", "[x]=-2147483648"),
        ("uint16_t x", "lock decw (x)", "x", "[x]=65535"),
        ("x=12", "lock andl $10,(x)", "x", "[x]=8"),
        ("x=12", "lock orl $3,(x)", "x", "[x]=15"),
        ("x=12", "lock xorl $10,(x)", "x", "[x]=6"),
        ("x=12", "lock notl (x)", "x", "[x]=-13"),
        ("x=12", "lock negl (x)", "x", "[x]=-12"),
        ("x=12; 0:rbx=3", "xchgl %ebx,(x)", "x; 0:rbx", "0:rbx=12 [x]=3"),
        ("0:rax=12; 0:rbx=3", "xchgl %ebx,%eax", "0:rax; 0:rbx", "0:rax=3 0:rbx=12"),
        ("x=12; 0:rbx=3", "lock xaddl %ebx,(x)", "x; 0:rbx", "0:rbx=12 [x]=15"),
        ("x=12; 0:rbx=3", "xaddl %ebx,(x)", "x; 0:rbx", "0:rbx=12 [x]=15"),
        ("x=12; 0:rax=12; 0:rbx=3", "lock cmpxchgl %ebx,(x)", "x; 0:rax", "0:rax=12 [x]=3"),
        ("x=12; 0:rax=11; 0:rbx=3", "lock cmpxchgl %ebx,(x)", "x; 0:rax", "0:rax=12 [x]=12"),
        ("x=12; 0:rax=12; 0:rbx=3", "cmpxchgl %ebx,(x)", "x; 0:rax", "0:rax=12 [x]=3"),
        ("x=12; 0:rax=11; 0:rbx=3", "cmpxchgl %ebx,(x)", "x; 0:rax", "0:rax=12 [x]=12"),
        ("uint8_t x=1; 0:rax=0x301; 0:rbx=2", "lock cmpxchgb %bl,(x)", "x; 0:rax", "0:rax=769 [x]=2"),
        ("uint8_t x=9; 0:rax=0x301", "lock cmpxchgb %bl,(x)", "x; 0:rax", "0:rax=777 [x]=9"),
        ("uint64_t 0:rax=-1; x=9", "lock cmpxchgl %ebx,(x)", "0:rax", "0:rax=9"),
        ("x=4", "lock btsl $1,(x); setc %al", "x; 0:rax", "0:rax=0 [x]=6"),
        ("x=4", "lock btsl $34,(x); setc %al", "x; 0:rax", "0:rax=1 [x]=4"),
        ("x=6; 0:rbx=2", "lock btrl %ebx,(x); setc %al", "x; 0:rax", "0:rax=1 [x]=2"),
        ("x=6", "lock btcl $0,(x); setnc %al", "x; 0:rax", "0:rax=1 [x]=7"),
        ("x=6", "btl $1,(x); setc %al", "x; 0:rax", "0:rax=1 [x]=6"),
        ("uint64_t x", "lock btsq $63,(x)", "x", "[x]=9223372036854775808"),
        ("x=5", "cmpl $5,(x); sete %al", "x; 0:rax", "0:rax=1 [x]=5"),
        ("x=5", "cmpl $6,(x); setb %al; sets %bl", "0:rax; 0:rbx", "0:rax=1 0:rbx=1"),
        ("x=5", "testl $2,(x); setne %al; setnb %bl", "0:rax; 0:rbx", "0:rax=0 0:rbx=1"),
        ("0:rax=1", "decl %eax; setz %bl", "0:rbx", "0:rbx=1"),
        ("0:rax=-1", "addl $1,%eax; incl %eax; setc %bl", "0:rax; 0:rbx", "0:rax=1 0:rbx=1"),
        ("0:rax=5", "xorl %eax,%eax", "0:rax", "0:rax=0"),
        ("x=3; 0:rax=5", "addl (x),%eax; subl %eax,(x)", "0:rax; x", "0:rax=8 [x]=-5"),
        ("0:rax=x; x=3", "incl (%rax); movq %rax,(p); movq (p),%rbx; movl (%rbx),%ecx", "p; 0:rcx", "0:rcx=4 [p]=x"),
        ("", "lock cmpxchgl (x),%ebx; sete (y)", "y", "[y]=1"),
        ("x=12; 0:rbx=3", "movl (x),%eax; lock cmpxchgl %ebx,(x)", "x", "[x]=3"),
        ("0:rax=x; x=3", "incl (%rax)", "x", "[x]=4"),
        ("0:rax=x; x=3", "movl (%rax),%eax", "0:rax", "0:rax=3"),
        ("0:rax=3", "movl %eax,%eax; movl %eax,(x)", "x", "[x]=3"),
        ("0:rax=x; x=3; 0:rbx=5", "movl %ebx,%ecx; lock xorl %ecx,(%rax)", "x", "[x]=6"),
        ("x=7", "movl (x),%eax; movb $1,%al; movb %ah,%bl; movl %eax,(y)", "y", "[y]=1"),
        ("x=0x700", "movl (x),%eax; movb $1,%al; movl %eax,(y)", "y", "[y]=1793"),
        ("0:rax=3", "shl $2,%eax; movl %eax,(x)", "x", "[x]=12"),
        ("uint64_t 0:rax=-1", "shll $4,%eax", "0:rax", "0:rax=4294967280"),
        ("uint64_t 0:rax=-1", "shlb $4,%al", "0:rax", "0:rax=18446744073709551600"),
        ("0:rax=-8", "shrl $1,%eax; setns %bl", "0:rax; 0:rbx", "0:rax=2147483644 0:rbx=1"),
        ("0:rax=-8", "sarl $1,%eax; sets %bl", "0:rax; 0:rbx", "0:rax=-4 0:rbx=1"),
        ("0:rax=-7; 0:rcx=2", "sarl %cl,%eax; setc %bl", "0:rax; 0:rbx", "0:rax=-2 0:rbx=0"),
        ("0:rax=1; 0:rcx=33", "shll %cl,%eax", "0:rax", "0:rax=2"),
        ("0:rax=1; 0:rcx=33; uint64_t 0:rbx", "shlq %cl,%rax; movq %rax,%rbx", "0:rbx", "0:rbx=8589934592"),
        ("0:rax=1; 0:rcx=32", "cmpl $1,%eax; shll %cl,%eax; sete %bl", "0:rbx", "0:rbx=1"),
        ("0:rax=0x40000000", "shll %eax; seto %bl", "0:rbx", "0:rbx=1"),
        ("0:rax=-1", "shrl %eax; seto %bl", "0:rbx", "0:rbx=1"),
        ("0:rax=-1", "sarl %eax; seto %bl; setc %dl", "0:rbx; 0:rdx", "0:rbx=0 0:rdx=1"),
        ("x=3", "sall $3,(x)", "x", "[x]=24"),
        ("0:rax=1; 0:rbx=2", "cmpl $2,%eax; cmovel %ebx,%eax", "0:rax", "0:rax=1"),
        ("0:rax=2; 0:rbx=7", "cmpl $2,%eax; cmovel %ebx,%eax", "0:rax", "0:rax=7"),
        ("uint64_t 0:rax=-1; 0:rbx=7", "cmovel %ebx,%eax", "0:rax", "0:rax=4294967295"),
        ("x=7; 0:rax=1", "cmpl $2,%eax; cmovb (x),%eax", "0:rax", "0:rax=7"),
        ("0:rax=-1; 0:rbx=5", "addl $1,%eax; adcl $0,%ebx", "0:rbx", "0:rbx=6"),
        ("0:rax=0; 0:rbx=5", "subl $1,%eax; sbbl $4,%ebx; sete %cl", "0:rbx; 0:rcx", "0:rbx=0 0:rcx=1"),
        ("x=5; 0:rax=-1", "addl $1,%eax; lock adcl $2,(x)", "x", "[x]=8"),
        ("0:rax=-1; uint64_t 0:rbx", "movzbl %al,%ebx", "0:rbx", "0:rbx=255"),
        ("0:rax=-1; uint64_t 0:rbx", "movsbl %al,%ebx", "0:rbx", "0:rbx=4294967295"),
        ("uint8_t x=-2; uint64_t 0:rbx", "movsbq (x),%rbx", "0:rbx", "0:rbx=18446744073709551614"),
        ("x=-2; uint64_t 0:rbx", "movslq (x),%rbx", "0:rbx", "0:rbx=18446744073709551614"),
        ("uint16_t x=-2; uint64_t 0:rbx=-1", "movzwl (x),%ebx", "0:rbx", "0:rbx=65534"),
        ("0:rax=5", "leaq 3(%rax,%rax,4),%rbx", "0:rbx", "0:rbx=28"),
        ("x=9", "leaq (x),%rax; movl (%rax),%ebx", "0:rax; 0:rbx", "0:rax=x 0:rbx=9"),
        ("x=9", "movl x(%rip),%ebx", "0:rbx", "0:rbx=9"),
        ("x=9; 0:rax=5", "clflush (x); clflushopt (x); nopw %cs:0(%rax,%rax,1); pause", "x", "[x]=9"),
        ("uint64_t 0:rax=-1; 0:rbx=3", "movabsq $-1,%rax; xorl %eax,%eax", "0:rax", "0:rax=0"),
    ],
)
def test_values(init: str, instructions: str, shown: str, expected: str) -> None:
    """As the manual says; what is printed is cast to the declared type, int without one."""
    assert left(init, instructions, shown) == expected


@pytest.mark.parametrize("one", [0, 1, 127, 128, 254, 255])
@pytest.mark.parametrize("other", [0, 1, 127, 128, 255])
def test_conditions(one: int, other: int) -> None:
    """Those of a comparison are what they are called, for numbers with a sign and without."""
    a, b = (each - 256 if each > 127 else each for each in (one, other))
    low = (one - other) & 255
    true = {"e": a == b, "l": a < b, "le": a <= b, "s": low > 127, "b": one < other, "be": one <= other}
    true |= {"o": not -128 <= a - b <= 127, "p": low.bit_count() % 2 == 0}
    opposite = {"e": "ne", "l": "ge", "le": "g", "s": "ns", "b": "ae", "be": "a", "o": "no", "p": "np"}
    true |= {opposite[each]: not holds for each, holds in list(true.items())}
    names = ("rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rbx", "rbp")
    parts = ("cl", "dl", "sil", "dil", *(f"r{each}b" for each in range(8, 16)), "bl", "bpl")
    asked = list(true)[:14]
    sets = "; ".join(f"set{each} %{part}" for each, part in zip(asked, parts, strict=True))
    shown = "; ".join(f"0:{name}" for name in names)
    found = left(f"0:rax={one}; 0:rbx={other}", f"cmpb %bl,%al; {sets}", shown)
    assert dict(each.split("=") for each in found.split()) == {
        f"0:{name}": str(int(true[each])) for name, each in zip(names, asked, strict=True)
    }


def kinds(instruction: str) -> list[str]:
    """Return the operations that an instruction is to the explorer, each answered with 0."""
    seen: list[str] = []

    def look(model: Model, options: Options) -> list[tuple[list[int], list[int]]]:
        (thread,) = model.threads
        local = 0
        while (operation := thread.operation(local)).kind != Op.END:
            assert operation.scheduled
            seen.append(operation.kind.written)
            local = thread.step(local, 0).local
        return [([local], list(model.initial))]

    run(read_test(f"X86_64 t\n{{ }}\nP0 ;\n{instruction} ;\n"), "tso", look)
    return seen


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("movl $1,(x)", ["STORE"]),
        ("movl (x),%eax", ["LOAD"]),
        ("addl (x),%eax", ["LOAD"]),
        ("incl (x)", ["LOAD", "STORE"]),
        ("xaddl %eax,(x)", ["LOAD", "STORE"]),
        ("cmpxchgl %ecx,(x)", ["LOAD", "STORE"]),
        ("cmpl $1,(x)", ["LOAD"]),
        ("xchgl %eax,(x)", ["XCHG"]),
        ("lock xchgl %eax,(x)", ["XCHG"]),
        ("lock incl (x)", ["ADD"]),
        ("lock subl $1,(x)", ["ADD"]),
        ("lock xaddl %eax,(x)", ["ADD"]),
        ("lock orl $1,(x)", ["OR"]),
        ("lock btsl $1,(x)", ["OR"]),
        ("lock andl $1,(x)", ["AND"]),
        ("lock btrl $1,(x)", ["AND"]),
        ("lock cmpxchgl %eax,(x)", ["CMPXCHG"]),
        ("lock xorl $1,(x)", ["LOAD", "CMPXCHG"]),
        ("mfence", ["FENCE"]),
        ("sfence", []),
        ("lfence", []),
        ("nop", []),
        ("movl $1,%eax", []),
        ("xchgl %eax,%ebx", []),
        ("shll $1,(x)", ["LOAD", "STORE"]),
        ("sete (x)", ["STORE"]),
        ("cmovel (x),%eax", ["LOAD"]),
        ("lock adcl $1,(x)", ["LOAD", "CMPXCHG"]),
        ("leaq (x),%rax", []),
        ("clflush (x)", []),
    ],
)
def test_what_others_can_notice(instruction: str, expected: list[str]) -> None:
    """Every access may be preceded by another thread's; without lock a change in memory is a load and a store."""
    assert kinds(instruction) == expected


def test_states_that_nobody_tells_apart_are_one() -> None:
    """Registers that are neither asked for nor used again do not divide final states."""
    lengths = []

    def look(model: Model, options: Options) -> list[tuple[list[int], list[int]]]:
        found = list(finals(model, options))
        lengths.append(len(found))
        return [(list(local), list(memory)) for local, memory in found]

    for asked in ("x=1", "1:rax=1"):
        text = f"X86_64 t\n{{ }}\nP0 | P1 ;\nmovl $1,(x) | movl (x),%eax ;\nexists ({asked})\n"
        run(read_test(text), "tso", look)
    assert lengths == [1, 2]


def test_the_buffer_is_as_deep_as_the_stores_of_a_thread() -> None:
    """So that no store ever waits, and nothing is bounded; without buffers under SC."""
    depths = []

    def look(model: Model, options: Options) -> list[tuple[list[int], list[int]]]:
        depths.append(options.buffer)
        return []

    text = "X86_64 t\n{ }\nP0 | P1 ;\nmovl $1,(x) | incl (x) ;\nincl (x) | xchgl (x),%eax ;\nmovl $2,(y) | ;\n"
    for model in ("tso", "sc"):
        run(read_test(text), model, look)
    assert depths == [3, 0]
