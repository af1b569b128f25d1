"""Texts that are no C, no whole C, or C that cannot become a function of the protocol's language.

In each, the function asked for is ``f``.
"""

# ruff: noqa: E501 - a text is read best in one line

from __future__ import annotations

from typing import Final


def _deep(opening: str, middle: str, closing: str, times: int = 5000) -> bytes:
    return f"int f(int a)\n{{\n\treturn {opening * times}{middle}{closing * times};\n}}\n".encode()


def _doubling(first: str, each: str, last: str, levels: int = 40) -> bytes:
    lines = [first, *(each.format(n, n - 1) for n in range(1, levels)), last.format(levels - 1)]
    return "\n".join(lines).encode()


NO_C: Final[dict[str, bytes]] = {
    "nothing": b"",
    "blanks": b"\n \n\t\n",
    "only a comment": b"/* int f(int a) { return a; } */\n",
    "Python": b"def f(vcpu, vec):\n    return vec + 1\n",
    "a makefile": b"f: a.o\n\tcc -o f a.o\n",
    "prose": b"The function f takes an a and returns it.\n",
    "an ELF file": b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0" + bytes(range(256)) * 8,
    "zeros": b"\0" * 5000,
    "UTF-16": "int f(int a) { return a; }".encode("utf-16"),
    "another function": b"int g(int a)\n{\n\treturn a;\n}\n",
    "a declaration": b"int f(int a);\n",
    "a macro": b"#define f(a) ((a) + 1)\n",
    "a variable": b"int f;\n",
    "a struct": b"struct f { int a; };\n",
}
"""What has no function f."""

BROKEN: Final[dict[str, bytes]] = {
    "half a file": b"int f(int a)\n{\n\tif (a > 1) {\n\t\ta++;\n",
    "half a head": b"int f(int a",
    "a brace too few": b"int f(int a)\n{\n\tif (a) {\n\t\treturn 1;\n\treturn 2;\n}\n",
    "a brace too many": b"int f(int a)\n{\n\tif (a)\n\t\treturn 1; }\n\treturn 2;\n}\n",
    "an open comment": b"int f(int a)\n{\n\treturn a; /* never closed\n}\n",
    "an open string": b'int f(int a)\n{\n\tprintk("a);\n\treturn a;\n}\n',
    "an open bracket": b"int f(int a)\n{\n\treturn (a + 1;\n}\n",
    "a NUL byte": b"int f(int a)\n{\n\treturn a\0 + 1;\n}\n",
    "Latin-1 in a name": b"int f(int \xe9t\xe9)\n{\n\treturn \xe9t\xe9;\n}\n",
    "a stray byte": b"int f(int a)\n{\n\treturn a @ 1;\n}\n",
    "an open #if": b"#if 1\nint f(int a)\n{\n\treturn a;\n}\n",
    "#endif alone": b"int f(int a)\n{\n#endif\n\treturn a;\n}\n",
    "#else twice": b"int f(int a)\n{\n#if 1\n\ta++;\n#else\n\ta--;\n#else\n\ta = 0;\n#endif\n\treturn a;\n}\n",
    "#if of nothing": b"int f(int a)\n{\n#if\n\ta++;\n#endif\n\treturn a;\n}\n",
    "#if divides by zero": b"int f(int a)\n{\n#if 1 / 0\n\ta++;\n#endif\n\treturn a;\n}\n",
    "#error": b"int f(int a)\n{\n#error not here\n\treturn a;\n}\n",
    "a macro that opens a brace": b"#define BEGIN {\nint f(int a)\nBEGIN\n\treturn a;\n}\n",
    "a macro with too few arguments": b"#define ADD(x, y) ((x) + (y))\nint f(int a)\n{\n\treturn ADD(a);\n}\n",
    "a macro with too many arguments": b"#define ADD(x) (x)\nint f(int a)\n{\n\treturn ADD(a, 1);\n}\n",
    "a macro's open call": b"#define ADD(x) (x)\nint f(int a)\n{\n\treturn ADD(a;\n}\n",
    "a name that is not there": b"int f(int a)\n{\n\treturn b;\n}\n",
    "a function that is not there": b"int f(int a)\n{\n\treturn g(a);\n}\n",
    "too many arguments": b"static int g(int a) { return a; }\nint f(int a)\n{\n\treturn g(a, 1);\n}\n",
    "too few arguments": b"static int g(int a, int b) { return a + b; }\nint f(int a)\n{\n\treturn g(a);\n}\n",
    "no value where one is used": b"static void g(int a) { }\nint f(int a)\n{\n\treturn g(a);\n}\n",
    "a label that is not there": b"int f(int a)\n{\n\tgoto out;\n}\n",
    "a label twice": b"int f(int a)\n{\nout:\n\ta++;\nout:\n\treturn a;\n}\n",
    "break outside of a loop": b"int f(int a)\n{\n\tbreak;\n\treturn a;\n}\n",
    "continue outside of a loop": b"int f(int a)\n{\n\tswitch (a) { case 1: continue; }\n\treturn a;\n}\n",
    "case outside of a switch": b"int f(int a)\n{\n\tcase 1: a++;\n\treturn a;\n}\n",
    "a case twice": b"int f(int a)\n{\n\tswitch (a) { case 1: return 1; case 2 - 1: return 2; }\n\treturn a;\n}\n",
    "default twice": b"int f(int a)\n{\n\tswitch (a) { default: return 1; default: return 2; }\n}\n",
    "a case that varies": b"int f(int a)\n{\n\tswitch (a) { case a: return 1; }\n\treturn a;\n}\n",
    "a variable twice": b"int f(int a)\n{\n\tint b = 1;\n\tint b = 2;\n\treturn b;\n}\n",
    "an assignment to a number": b"int f(int a)\n{\n\t5 = a;\n\treturn a;\n}\n",
    "an assignment to a sum": b"int f(int a)\n{\n\ta + 1 = a;\n\treturn a;\n}\n",
    "an octal 8": b"int f(int a)\n{\n\treturn a + 08;\n}\n",
    "a number beyond 64 bits": b"int f(int a)\n{\n\treturn a + 0x10000000000000000;\n}\n",
    "a suffix that is none": b"int f(int a)\n{\n\treturn a + 1UX;\n}\n",
    "an empty character": b"int f(int a)\n{\n\treturn a + '';\n}\n",
    "defined twice": b"int f(int a)\n{\n\treturn a;\n}\n\nint f(int a)\n{\n\treturn a + 1;\n}\n",
    "a helper defined twice": b"int g(int a) { return a; }\nint g(int a) { return 1; }\nint f(int a) { return g(a); }\n",
    "parameters of one name": b"int f(int a, int a)\n{\n\treturn a;\n}\n",
    "an unknown type": b"int f(foo_t a)\n{\n\treturn a;\n}\n",
    "a pointer used as a number": b"int f(int a)\n{\n\tint *p = &a;\n\treturn p * 2;\n}\n",
    "* of a number": b"int f(int a)\n{\n\treturn *a;\n}\n",
    ". of a number": b"int f(int a)\n{\n\treturn a.b;\n}\n",
    "-> of a number": b"int f(int a)\n{\n\treturn a->b;\n}\n",
    "[] of a number": b"int f(int a)\n{\n\treturn a[0];\n}\n",
    "a call of a number": b"int f(int a)\n{\n\treturn a(1);\n}\n",
}
"""What is not C."""

BEYOND: Final[dict[str, bytes]] = {
    "recursion": b"int f(int a)\n{\n\treturn a > 0 ? f(a - 1) : 0;\n}\n",
    "recursion by another": b"int f(int a);\nint g(int a) { return f(a); }\nint f(int a)\n{\n\treturn a ? g(a - 1) : 0;\n}\n",
    "recursion through a pointer": b"void g(int *p) { if (*p) g(p); }\nint f(int a)\n{\n\tg(&a);\n\treturn a;\n}\n",
    "a macro of itself": b"#define g(x) g(x)\nint f(int a)\n{\n\treturn g(a);\n}\n",
    "a float": b"float f(float a)\n{\n\treturn a;\n}\n",
    "a double inside": b"int f(int a)\n{\n\tdouble d = a;\n\treturn d;\n}\n",
    "a cast to float": b"int f(int a)\n{\n\treturn (float)a;\n}\n",
    "1.5": b"int f(int a)\n{\n\treturn a * 1.5;\n}\n",
    "1e3": b"int f(int a)\n{\n\treturn a + 1e3;\n}\n",
    "a hexadecimal float": b"int f(int a)\n{\n\treturn a + 0x1p3;\n}\n",
    "128 bits": b"int f(int a)\n{\n\t__int128 b = a;\n\treturn b >> 64;\n}\n",
    "a static local": b"int f(int a)\n{\n\tstatic int calls;\n\treturn a + calls++;\n}\n",
    "a global variable": b"int calls;\nint f(int a)\n{\n\treturn a + calls++;\n}\n",
    "a global that is read": b"int limit = 5;\nint f(int a)\n{\n\treturn a < limit;\n}\n",
    "a string": b'int f(int a)\n{\n\tconst char *s = "abc";\n\treturn s[a];\n}\n',
    "an array of unknown size": b"int f(int a)\n{\n\tint v[a];\n\tv[0] = a;\n\treturn v[0];\n}\n",
    "a huge array": b"int f(int a)\n{\n\tint v[1000000000];\n\tv[a] = a;\n\treturn v[5];\n}\n",
    "beyond an array": b"int f(int a)\n{\n\tint v[2] = { a, a };\n\treturn v[2];\n}\n",
    "a shift by the width": b"int f(int a)\n{\n\treturn a << 32;\n}\n",
    "a shift below 0": b"int f(int a)\n{\n\treturn a >> -1;\n}\n",
    "division by 0": b"int f(int a)\n{\n\treturn a / 0;\n}\n",
    "a pointer to one of two": b"int f(int a, int b)\n{\n\tint *p;\n\tif (a) p = &a; else p = &b;\n\treturn *p;\n}\n",
    "a pointer that is returned": b"int *f(int *a)\n{\n\treturn a;\n}\n",
    "a pointer made of a number": b"int f(unsigned long a)\n{\n\treturn *(int *)a;\n}\n",
    "a number made of a pointer": b"u64 f(int a)\n{\n\treturn (unsigned long)&a;\n}\n",
    "what lies behind a local by a pointer": b"int f(u64 a)\n{\n\tu32 *p = (u32 *)&a;\n\tp[2] = 0;\n\treturn a;\n}\n",
    "a function pointer": b"int g(int a) { return a; }\nint f(int a)\n{\n\tint (*h)(int) = g;\n\treturn h(a);\n}\n",
    "a computed goto": b"int f(int a)\n{\n\tvoid *p = &&out;\n\tgoto *p;\nout:\n\treturn a;\n}\n",
    "assembler": b'int f(int a)\n{\n\tasm volatile("nop" : "+r"(a));\n\treturn a;\n}\n',
    "variable arguments": b"int f(int a, ...)\n{\n\treturn a;\n}\n",
    "a function inside": b"int f(int a)\n{\n\tint g(int b) { return b + a; }\n\treturn g(1);\n}\n",
    "an old head": b"int f(a)\n\tint a;\n{\n\treturn a;\n}\n",
    "_Generic": b"int f(int a)\n{\n\treturn _Generic(a, int: 1, default: 2);\n}\n",
    "an unknown struct": b"int f(struct foo *a)\n{\n\treturn a->b;\n}\n",
    "no return": b"int f(int a)\n{\n\tif (a)\n\t\treturn 1;\n}\n",
    "typeof of what is not there": b"int f(int a)\n{\n\ttypeof(b) c = a;\n\treturn c;\n}\n",
    "a huge range of cases": b"int f(int a)\n{\n\tswitch (a) { case 0 ... 2000000000: return 1; }\n\treturn 0;\n}\n",
    "deep brackets": _deep("(", "a", ")"),
    "deep minus": _deep("-(", "a", ")"),
    "deep not": _deep("!", "a", ""),
    "deep tilde": _deep("~", "a", "", 100_000),
    "a long sum": _deep("a + ", "a", "", 50_000),
    "a long chain of ?:": _deep("a ? 1 : ", "a", ""),
    "a long chain of &&": _deep("a && ", "a", "", 20_000),
    "deep casts": _deep("(int)", "a", ""),
    "deep calls": b"static int g(int a) { return a + 1; }\n" + _deep("g(", "a", ")"),
    "deep blocks": b"int f(int a)\n" + b"{" * 20_000 + b"a++;" + b"}" * 20_000,
    "deep ifs": b"int f(int a)\n{\n" + b"if (a) {" * 5000 + b"a++;" + b"}" * 5000 + b"return a;\n}\n",
    "deep loops": b"int f(int a)\n{\n" + b"while (a) " * 5000 + b"a--;" + b"return a;\n}\n",
    "a long else if": b"int f(int a)\n{\n" + b"if (a == 1) a = 2; else " * 5000 + b"a++; return a;\n}\n",
    "deep braces alone": b"{" * 200_000,
    "deep brackets alone": b"int f(int a) { return " + b"(" * 200_000,
    "a macro that doubles": _doubling("#define A0 a", "#define A{0} A{1} + A{1}", "int f(int a)\n{{\n\treturn A{0};\n}}\n"),
    "a macro that doubles its argument": _doubling(
        "#define B0(x) ((x) + (x))", "#define B{0}(x) B{1}(B{1}(x))", "int f(int a)\n{{\n\treturn B{0}(a);\n}}\n", 8
    ),
    "helpers that double": _doubling(
        "static void g0(int *p) { *p += 1; }", "static void g{0}(int *p) {{ g{1}(p); g{1}(p); }}",
        "int f(int a)\n{{\n\tg{0}(&a);\n\treturn a;\n}}\n",
    ),
    "loops that unroll far": b"int f(int a)\n{\n\tint v[4] = { 0 };\n\tfor (int i = 0; i < 1000000; i++)\n"
    b"\t\tfor (int j = 0; j < 1000000; j++)\n\t\t\tv[i & 3] += j;\n\treturn v[0];\n}\n",
    "an enum without an end": b"int f(int a)\n{\n\tenum { A = B, B = A };\n\treturn A;\n}\n",
    "a type of itself": b"typedef foo foo;\nint f(foo a)\n{\n\treturn a;\n}\n",
    "types of each other": b"typedef bar foo;\ntypedef foo bar;\nint f(foo a)\n{\n\treturn a;\n}\n",
}  # fmt: skip
"""What is C (mostly) and has no exact meaning here, or too long a one."""

RIGHT: Final[dict[str, tuple[bytes, int]]] = {
    "a byte order mark": (b"\xef\xbb\xbfint f(int a)\n{\n\treturn a + 1;\n}\n", 8),
    "Latin-1 in a comment": (b"/* Andr\xe9 */\nint f(int a)\n{\n\treturn a + 1; // \xe9\n}\n", 8),
    "carriage returns": (b"int f(int a)\r\n{\r\n\treturn a + 1;\r\n}\r\n", 8),
    "form feeds": (b"\fint f(int a)\n{\n\f\treturn a + 1;\n}\n", 8),
    "no newline at the end": (b"int f(int a) { return a + 1; }", 8),
    "trigraphs": (b"/* ??/\n*/\nint f(int a)\n{\n\treturn a + 1; // what??/\n}\n", 8),
    "a comment that goes on": (b"int f(int a)\n{\n\t// goes on \\\n\ta = 100;\n\treturn a + 1;\n}\n", 8),
    "garbage left out": (b"#if 0\n it's \"not { C\n#endif\nint f(int a)\n{\n#if 0\n } ' \" /* \n */\n#endif\n\treturn a + 1;\n}\n", 8),
    "broken beside": (b"int g(int a)\n{\n\treturn a @@ 1;\n}\n\nint f(int a)\n{\n\treturn a + 1;\n}\n", 8),
    "a comment with a brace": (b"int f(int a)\n{\n\t/* } */ // }\n\treturn a + 1 + ('}' - '}');\n}\n", 8),
    "a hundred thousand lines": (
        b"".join(b"static int g%d(int a) { return a + %d; }\n" % (n, n) for n in range(50_000))
        + b"int f(int a)\n{\n\treturn g1(a);\n}\n" + b"\n/* more */\n" * 50_000, 8,
    ),
    "a name that begins with _pirace_": (b"int f(int _pirace_1)\n{\n\tint _pirace_ = _pirace_1;\n\treturn _pirace_ + 1;\n}\n", 8),
}  # fmt: skip
"""What looks odd, and means a + 1: for a = 7 it is 8 (or it is refused; it is nothing else)."""
