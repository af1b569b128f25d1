"""What cannot be translated exactly is refused, with one line that names the line of the file."""

from __future__ import annotations

import pytest

from tests.unit.c.device import Devices, python, refused, translated

REFUSED = {
    # C that has no meaning, or one that C leaves open
    "int x; return x;": "x is read before it is assigned",
    "v = v++; return v;": "v is changed and used in one expression",
    "return v++ + v;": "v is changed and used in one expression",
    "return v / 0;": "a division by 0",
    "return v << 32;": "a shift of int by 32",
    "int a[2] = { 1, 2 }; return a[2];": "element 2 of an array of 2",
    "break; return 0;": "'break' outside of a loop",
    "if (v) return;": "f returns nothing here",
    "if (v) return 1;": "f ends without a value on some way",
    # what the language of the machine has not
    "float x = v; return 0;": "float",
    "return 1.5;": "1.5 is not a whole number",
    'return "text";': "is not among what is translated",
    "int (*g)(int) = 0; return g(1);": "is not among what is translated",
    "static int n; return n++;": "a local that outlives its function",
    'asm volatile("nop"); return 0;': "is not among what is translated",
    "int a[v]; return 0;": "an array has a constant size",
    "return (unsigned long)d;": "is a pointer, and a number belongs here",
    "struct dev *e = (struct dev *)v; return 0;": "a number becomes a pointer",
    # pointers
    "int a, b, *p; if (v) p = &a; else p = &b; *p = 1; return a;": "the pointer p leads to one place or another",
    "int *p; return *p;": "the pointer p is read before it is assigned",
    "int *p = NULL; return *p;": "a null pointer is followed",
    "int a, *p = &a; return p[1];": "there is one int here, not an array of them",
    # what the tables say, and what they do not know
    "return d->secret;": "d->secret: this machine has none: leave it out",
    "explode(d); return 0;": "explode(): this machine has none: leave it out",
    "return d->unheard_of;": "nothing is known of the field unheard_of of struct dev",
    "return unheard_of;": "nothing is known of unheard_of",
    "return unheard_of(d);": "unheard_of(): no file defines unheard_of, and the tables do not know it",
    "return d->ops->ring(d);": "ops",
    "return trace_dev(d);": "trace_dev(d) is left out (a trace point), and its value is used",
    "trace_dev(v++); return 0;": "trace_dev() is left out, but its argument changes v++",
    "d->broken = 1; return 0;": "a store to what is 0 on this machine: no device breaks here",
    "return this_cpu(weight);": "this_cpu(weight): nothing is known of weight",
    "return ring(d);": "ring() takes 2 arguments here, not 1",
    # parts of shared words
    "d->queue[1] = 1; return 0;": "a store of 32 bits into a word that other CPUs use",
    "d->desc.nv = 1; return 0;": "a store of 8 bits into a word that other CPUs use",
    "return xchg(&d->queue[1], 5);": "an exchange of a part of a word is translated for 0 only",
    "return *(u32 *)(d->part.regs + 0x600);": "the register at 0x600 is not one that this machine has",
}
"""Statements of a function of a device and an int, and what the refusal says."""


@pytest.mark.parametrize("statements", REFUSED)
def test_it_is_refused_with_its_line(statements: str) -> None:
    """One line, which begins with file and line."""
    said = refused(f"int f(struct dev *d, int v)\n{{\n{statements}\n}}\n")
    assert REFUSED[statements] in said
    assert said.startswith("dev.c:3: " if "f ends without" not in said else "dev.c:4: ")


TEXTS = {
    "int f(int v)\n{\n\tif (v) {\n\treturn 1;\n}\n": "'}' is missing",
    "int f(int v)\n{\n\treturn v +;\n}\n": "'identifier' is missing",
    "int f(int v)\n{\n\treturn v;\n}\nint f(int w)\n{\n\treturn w;\n}\n": "dev.c:5: f is defined a second time",
    "int f(int v)\n{\n\treturn f(v - 1);\n}\n": "f ends up calling itself",
    "int f(int v)\n{\n\treturn g(v);\n}\nint g(int v)\n{\n\tint r = f(v);\n\treturn r;\n}\n": "calling itself",
    "int f(int v, ...)\n{\n\treturn v;\n}\n": "f takes any number of arguments",
    "int f(int *p)\n{\n\treturn *p;\n}\n": "its parameter p of type int * does not exist at run time",
    "double f(int v)\n{\n\treturn v;\n}\n": "returns double",
    "int f(int v)\n{\n\treturn " + "(" * 200 + "v" + ")" * 200 + ";\n}\n": "nested",
    "int f(int v)\n{\n" + "if (v) {\n" * 150 + "v++;\n" + "}\n" * 150 + "return v;\n}\n": "nested",
    "#if 1\nint f(int v)\n{\n\treturn v;\n}\n": "#if without #endif",
    "int f(int v)\0\n": "is not C: it has a byte 0",
    "just some text": "no file defines f",
    "": "no file defines f",
    "#define LOOP(x) while (x) {\nint f(int v)\n{\n\tLOOP(v)\n\tv--;\n}\nreturn v;\n}\n": "f",
    "#define STEP(x) if (x) x--\nint f(int v)\n{\n\tSTEP(v);\n\treturn v;\n}\n": "the macro STEP (dev.c:1)",
    "int f(int v)\n{\n#ifdef CONFIG_UNHEARD\n\tv++;\n#endif\n\treturn v;\n}\n": "f hangs on CONFIG_UNHEARD",
    "int f(int v)\n{\n\tif (v) goto in;\n\tif (v > 3) {\nin:\n\t\tv++;\n\t}\n\treturn v;\n}\n": "a jump into a block",
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_text_that_is_no_such_function_is_refused(text: str) -> None:
    """Whatever it is, in one line."""
    assert TEXTS[text] in refused(text)


def test_conditions_of_the_preprocessor_are_answered_and_told() -> None:
    """What is not taken need not be C."""
    text = "int f(int v)\n{\n#ifdef CONFIG_FAST\n\tv += 2;\n#else\n\tno C at all\n#endif\n\treturn v;\n}\n"
    environment = Devices({"CONFIG_FAST": True})
    assert python(text, environment=environment) == "v = wrap_s32(v + 2)\nreturn v"
    told = translated(text, environment=environment).reports[0].directives
    assert [(note.line, note.what, note.became) for note in told] == [(3, "#ifdef CONFIG_FAST", "taken")]


def test_everything_that_was_decided_is_told() -> None:
    """Calls with what they became, what was left out with its reason, and conditions with one answer."""
    text = (
        "int f(struct dev *d, int v)\n{\n\ttrace_dev(d);\n\tif (nested(d))\n\t\texplode(d);\n"
        "\td->stat.hits++;\n\treturn ring(d, v);\n}\n"
    )
    report = translated(text).reports[0]
    assert [(note.line, note.what) for note in report.calls] == [(7, "ring")]
    assert {(note.line, note.reason) for note in report.dropped} == {(3, "a trace point"), (6, "statistics")}
    assert [(note.line, note.became) for note in report.constants] == [(4, "0"), (4, "false")]
