"""Functions with macros and conditional text."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.c_semantics.generator.expressions import LITERALS, Draw
from tests.c_semantics.generator.shape import NAMES, Function, function, scope
from tests.c_semantics.generator.widths import NAMED, U64, Width


def macros(rng: random.Random) -> Iterator[Function]:
    """Yield functions that use macros: text for text, so that precedence and evaluation are the call's."""
    while True:
        widths, variables = scope(rng)
        before: list[str] = []
        uses: list[str] = []
        for i in range(rng.randint(1, 3)):
            name = f"NAME_{'XYZ'[i]}"
            lines, use = _macro(rng, name, variables, uses)
            before += lines
            uses.append(use)
        lines = [f"{rng.choice(NAMED).name} r = {uses[-1]};"]
        if rng.random() < 0.1:
            lines += _statement_macro(rng, before)
        if rng.random() < 0.1:
            before, lines = _defined_again(rng, before, lines)
        left = " ^ ".join(f"(u64){name}" for name in variables)
        yield function(U64, widths, [*lines, f"return (u64)r * 31 + ({left}) + {rng.choice(uses)};"], [*before, ""])


def _macro(
    rng: random.Random, name: str, variables: dict[str, Width], earlier: list[str]
) -> tuple[list[str], str]:  # fmt: skip
    """Return a macro's definition and a use of it."""
    inner = rng.choice([*earlier, rng.choice(LITERALS)])
    one, other = (Draw(rng, variables).expr(1).at(2) for _ in range(2))
    if rng.random() < 0.3:
        body = rng.choice((inner, f"({inner} + 1)", f"{inner} + 1", f"({inner} + 1)", f"(-({inner}))"))
        return [f"#define {name} {body}"], name
    body = rng.choice(
        (
            "x + y",
            "x * y",
            "((x) + (y))",
            "((x) > (y) ? (x) : (y))",
            "(x) & ~(y)",
            "x - y",
            "!x + y",
            "(x), (y)",
            "((u8)(x) | (y))",
            "(x) == (y)",
            "x ? y : 3",
            "(u32)x + y",
        )
    )
    if rng.random() < 0.7 and ("," not in body or "?" in body):
        body = f"({body})"
    if rng.random() < 0.1:
        body = f"{body} \\\n\t+ {inner}"
    use = f"{name}({one}, {other})"
    return [f"#define {name}(x, y) {body}"], f"({use})" if "," in body else use


def _statement_macro(rng: random.Random, before: list[str]) -> list[str]:
    """Define a macro that is a statement; return its use."""
    body = rng.choice(
        (
            "do { if (v) w ^= (v); } while (0)",
            "do { \\\n\ttypeof(w) t = (w); \\\n\tw = t + (v); \\\n} while (0)",
            "do { int t = (v) & 3; while (t--) w += 7; } while (0)",
            "w += v",
        )
    )
    before.append(f"#define NAME_S(w, v) {body}")
    condition = rng.choice(("a > 1", "b & 1", "!a"))
    return [f"if ({condition})", "\tNAME_S(r, b);", "else", "\tNAME_S(r, a + 1);"]


def _defined_again(rng: random.Random, before: list[str], lines: list[str]) -> tuple[list[str], list[str]]:
    """Let a macro mean something else further down: it is what it is where it is used."""
    first, then = rng.sample(LITERALS, 2)
    use = "r ^= NAME_T;"
    return [*before, f"#define NAME_T {first}"], [*lines, use, "#undef NAME_T", f"#define NAME_T {then}", use]


def directives(rng: random.Random) -> Iterator[Function]:
    """Yield functions parts of which are left out by ``#if``."""
    while True:
        widths, variables = scope(rng)
        values = rng.sample(("0", "1", "2", "(1 << 4)", "0x10UL"), 2)
        before = [f"#define NAME_P {values[0]}", f"#define NAME_Q {values[1]}"]
        draw = Draw(rng, variables)
        lines = [f"u64 r = {draw.expr(1).at(2)};"]
        for _ in range(rng.randint(1, 3)):
            lines += _conditional(rng, draw, 2)
        left = " ^ ".join(f"(u64){name}" for name in variables)
        if rng.random() < 0.3:
            before += ["#if NAME_P", "#define NAME_R 5", "#else", "#define NAME_R (3 + 4)", "#endif"]
            lines.append("r -= NAME_R;")
        yield function(U64, widths, [*lines, f"return r * 31 + ({left});"], [*before, ""])


def _conditional(rng: random.Random, draw: Draw, nesting: int) -> list[str]:
    """Return text between ``#if`` and ``#endif``."""
    asked = [
        *("#if 0", "#if 1", "#ifdef NAME_P", "#ifndef NAME_P", "#ifdef NAME_NOT", "#if defined(NAME_P) && NAME_P > 1"),
        *("#if NAME_P == NAME_Q", "#if NAME_P < NAME_Q", "#if !defined(NAME_NOT)", "#if NAME_P & 1 || NAME_Q"),
        *("#if NAME_P << 2 == 4", "#if NAME_P % 3 | NAME_Q / 2", "#if ~NAME_P ^ 1", "#if NAME_P - 2 < 0 && NAME_Q"),
        *(
            "#if NAME_P > 0 ? NAME_Q : NAME_NOT",
            "#if -1 > 0u",
            "#if (NAME_P + 2) * 3 > 6 ? NAME_Q : 0",
            "#if defined NAME_Q",
        ),
    ]
    lines = [rng.choice(asked), *_chosen(rng, draw, nesting)]
    if rng.random() < 0.3:
        lines += [rng.choice(("#elif NAME_P", "#elif NAME_Q > 1", "#elif 0")), *_chosen(rng, draw, nesting)]
    if rng.random() < 0.6:
        lines += ["#else", *_chosen(rng, draw, nesting)]
    return [*lines, "#endif"]


def _chosen(rng: random.Random, draw: Draw, nesting: int) -> list[str]:
    if nesting and rng.random() < 0.2:
        return _conditional(rng, draw, nesting - 1)
    if rng.random() < 0.15:
        name = rng.choice(NAMES[: len(draw.variables)])
        return [f"if ({name} & 1)", f"\tr ^= {draw.expr(1).at(2)};"]
    return [f"r {rng.choice(('+=', '^=', '-='))} {draw.expr(1).at(2)};"]
