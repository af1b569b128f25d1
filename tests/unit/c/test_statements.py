"""Statements and arithmetic of C: what they become is as small as what a person would write, and means the same."""

from __future__ import annotations

import pytest

from tests.unit.c.device import python, result, translated

SHAPES = {
    # nothing is wrapped that cannot leave its type
    "u8 c = v & 15; return c + 1;": "c = v & 15\nreturn c + 1",
    "int i; for (i = 0; i < 10; i++) v = i; return v;": ("i = 0\nwhile i < 10:\n    v = i\n    i = i + 1\nreturn v"),
    "return v > 3 && v < 7;": "return 1 if v > 3 and v < 7 else 0",
    "return !!v;": "return 1 if v != 0 else 0",
    "return v ? 2 : 3;": "return 2 if v != 0 else 3",
    "if (v == 1) goto out; v = 4; out: return v;": "if v != 1:\n    v = 4\nreturn v",
    "do { v = 1; } while (0); return v;": "return 1",
    # nothing is kept that nobody reads
    "int n = 0, m = 3; n = v; return n;": "return v",
    "int n = 7; if (v) n = 2; else n = 3; return n;": "if v != 0:\n    n = 2\nelse:\n    n = 3\nreturn n",
    "int n; while (v) { n = v; v &= v - 1; } return v;": "while v != 0:\n    v = v & wrap_s32(v - 1)\nreturn 0",
    "if (unlikely(v)) return 1; return 0;": "if v != 0:\n    return 1\nreturn 0",
    # what may leave it is
    "return v + 1;": "return wrap_s32(v + 1)",
    "return (u8)v;": "return v & 255",
    "return v * 2u > 5;": "return 1 if (v & 4294967295) * 2 & 4294967295 > 5 else 0",
    "unsigned long w = v; return w < 5ul;": "return 1 if v ^ -9223372036854775808 < -9223372036854775803 else 0",
}


@pytest.mark.parametrize("statements", SHAPES)
def test_it_becomes_what_a_person_would_write(statements: str) -> None:
    """Ranges of the operands decide what has to be wrapped."""
    assert python(f"int f(int v)\n{{\n{statements}\n}}\n") == SHAPES[statements]


MEANINGS = [
    ("int i, n = 0; for (i = 0; i < v; i++) { if (i == 2) continue; if (i == 5) break; n += i; } return n;", 9, 8),
    ("int n = 0; again: n += v--; if (v > 0) goto again; return n;", 4, 10),
    ("int n = 0; switch (v) { case 1: n = 1; case 2: n += 10; break; default: n = 5; case 3: n++; } return n;", 1, 11),
    ("int n = 0; switch (v) { case 1: n = 1; case 2: n += 10; break; default: n = 5; case 3: n++; } return n;", 9, 6),
    ("int a[3] = { 1, [2] = 7 }; a[v & 1] += 5; return a[0] * 100 + a[1] * 10 + a[2];", 1, 157),
    (
        (
            "int i, j, n = 0; for (i = 0; i < 5; i++) for (j = 0; j < 5; j++) { if (i * j == v) goto out; n++; }"
            "out: return n;"
        ),
        6,
        13,
    ),
    ("int n = 3; if (v && n++ && (v = 9)) n += v; return n;", 1, 13),
    ("int n = (v++, v * 2); return n + v;", 4, 15),
    ("unsigned n = -1; return n > v;", 5, 1),
    ("int n = -7 / 2 * 10 + -7 % 2; return n + v;", 0, -31),
    ("u8 n = 250; n += v; return n;", 10, 4),
    ("int n = ({ int t = v * 2; t + 1; }); return n;", 4, 9),
    ("u64 n = 1; n <<= 63; return n >> 63 == 1 && n > 5;", 0, 1),
    ("return (v - 1 ?: 40) + 2;", 1, 42),
    ("return (v - 1 ?: 40) + 2;", 4, 5),
    ("int r; if (v > 2) r = v; return v > 2 ? r : 0;", 1, 0),
]


@pytest.mark.parametrize(("statements", "given", "expected"), MEANINGS)
def test_it_means_what_it_means_in_c(statements: str, given: int, expected: int) -> None:
    """The results are those of a C compiler."""
    assert result(f"int f(int v)\n{{\n{statements}\n}}\n", given) == expected


def test_a_macro_is_what_its_text_is() -> None:
    """Arguments are put in as text, evaluated as often as they stand there."""
    source = "#define SQUARE(x) ((x) * (x))\n#define LIMIT 3\nint f(int v)\n{\n\treturn SQUARE(v + 1) - LIMIT;\n}\n"
    assert result(source, 4) == 22


def test_a_macro_may_be_a_whole_statement() -> None:
    """In the one form that nothing beside it becomes a part of."""
    source = (
        "#define ADD(to, x) do { int t = (x); if (t > 9) break; to += t; } while (0)\n"
        "int f(int v)\n{\n\tint n = 1;\n\tif (v)\n\t\tADD(n, v);\n\telse\n\t\tn = 7;\n\treturn n;\n}\n"
    )
    assert [result(source, v) for v in (0, 3, 12)] == [7, 4, 1]


def test_constants_of_an_enum_count_on() -> None:
    """From the last that is given."""
    assert result("enum e { A, B = 5, C };\nint f(int v)\n{\n\treturn v == C ? A : B;\n}\n", 6) == 0


def test_members_of_a_union_overlap() -> None:
    """As the compiler lays them out, bit-fields from the lowest bit on."""
    source = (
        "union u { u64 w; struct { u16 on : 1, sn : 1, rest : 14; u8 nv; u8 free; u32 ndst; }; };\n"
        "int f(int v)\n{\n\tunion u x;\n\tx.w = 0;\n\tx.nv = v;\n\tx.sn = 1;\n\tx.ndst = 1;\n"
        "\treturn x.w >> 32 << 24 | x.w;\n}\n"
    )
    assert result(source, 0x41) == 1 << 24 | 0x41 << 16 | 2


def test_lines_are_those_of_the_file() -> None:
    """Of each statement, and of each call in a long one."""
    tree = translated(
        "int f(struct dev *d)\n{\n\tif (ring(d, 1) &&\n\t    ring(d, 2))\n\t\treturn 1;\n\n\treturn 0;\n}\n"
    ).functions["f"]
    assert [each.lineno for each in tree.body] == [3, 7]


def test_names_that_python_or_the_program_has_are_left_to_them() -> None:
    """A local of C may be called anything."""
    assert result("int f(int in)\n{\n\tint None = in, len = 2;\n\treturn None * len;\n}\n", 4) == 8
