"""Every operator on every type, and expressions at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from tests.c_semantics.generator.expressions import ASSIGNMENTS, BINARY, LITERALS, Draw, Expr
from tests.c_semantics.generator.shape import Function, function, scope
from tests.c_semantics.generator.widths import DISTINCT, NAMED, S64, U64

SHIFTS: Final = ("<<", ">>")


def operators(rng: random.Random) -> Iterator[Function]:
    """Yield each operator on each pair of types; shifts by whatever is given are C's up to the width."""
    pairs = [(one, other) for one in DISTINCT for other in DISTINCT]
    for operator in BINARY:
        for one, other in rng.sample(pairs, 36):
            right = f"(b & {rng.choice((31, 63))})" if operator in SHIFTS and rng.random() < 0.5 else "b"
            yield function(rng.choice((S64, U64)), (one, other), [f"return a {operator} {right};"])


def assignments(rng: random.Random) -> Iterator[Function]:
    """Yield each compound assignment on pairs of types."""
    pairs = [(one, other) for one in DISTINCT for other in DISTINCT]
    for operator in ASSIGNMENTS:
        for one, other in rng.sample(pairs, 20):
            right = f"b & {rng.choice((7, 31))}" if operator in ("<<=", ">>=") else "b"
            if rng.random() < 0.5:
                yield function(rng.choice((S64, U64)), (one, other), [f"a {operator} {right};", "return a;"])
            else:
                yield function(rng.choice((S64, U64)), (one, other), [f"return a {operator} {right};"])


def steps(rng: random.Random) -> Iterator[Function]:
    """Yield ++ and --, before and after, on each type: what they give and what they leave."""
    for width in NAMED:
        for form in ("a++", "a--", "++a", "--a"):
            yield function(S64, (width,), [f"s64 was = {form};", "return was * 3 + a;"])


def unary(rng: random.Random) -> Iterator[Function]:
    """Yield the operators of one operand on each type."""
    for width in NAMED:
        for operator in ("-", "~", "!", "!!", "+"):
            yield function(rng.choice((S64, U64)), (width,), [f"return {operator}a;"])


def casts(rng: random.Random) -> Iterator[Function]:
    """Yield chains of casts, and conversions by assignment, parameter and result."""
    while True:
        first, result = rng.choice(NAMED), rng.choice(NAMED)
        text = "a"
        for _ in range(rng.randint(1, 3)):
            inner = rng.choice((text, text, f"({text} + 1)", f"-{text}", f"~{text}", f"({text})"))
            text = f"({rng.choice(NAMED).name}){inner}"
        if rng.random() < 0.3:
            yield function(result, (first,), [f"{rng.choice(NAMED).name} x = {text};", "return x;"])
        else:
            yield function(result, (first,), [f"return {text};"])


def literals(rng: random.Random) -> Iterator[Function]:
    """Yield constants of each form, where their type shows."""
    forms = (
        "-{0} < a",
        "a > -{0}",
        "a + {0}",
        "a - {0}",
        "a / {0}",
        "~{0} & a",
        "a < {0}",
        "{0} - a",
        "a * {0}",
        "-{0}",
    )
    for literal in LITERALS:
        for form in rng.sample(forms, 3):
            yield function(S64, (rng.choice(DISTINCT),), [f"return {form.format(literal)};"])


# --- random expressions ------------------------------------------------------------------------------------------


def returned(rng: random.Random, *kinds: str, effects: bool = False, depth: int = 3) -> Iterator[Function]:
    """Yield functions that compute one expression of these kinds."""
    while True:
        widths, variables = scope(rng)
        draw = Draw(rng, variables, effects=effects)
        if kinds:
            draw.kinds = kinds
        result = rng.choice(NAMED)
        whole = draw.expr(depth)
        if not effects:
            yield function(result, widths, [f"return {whole.at(1)};"])
            continue
        left = " ^ ".join(f"(u64){name}" for name in variables)
        yield function(U64, widths, [f"s64 r = {whole.at(1)};", f"return (u64)r * 31 + ({left});"])


def expressions(rng: random.Random) -> Iterator[Function]:
    """Yield expressions of all kinds."""
    return returned(rng, depth=4)


def conditions(rng: random.Random) -> Iterator[Function]:
    """Yield ``?:`` with arms of different types."""
    return returned(rng, "cond", "cond", "compare", "cast")


def comparisons(rng: random.Random) -> Iterator[Function]:
    """Yield comparisons of signed with unsigned."""
    return returned(rng, "compare", "compare", "logic", "binary", "cast", depth=2)


def short_circuit(rng: random.Random) -> Iterator[Function]:
    """Yield ``&&``, ``||``, ``?:`` and comma around changes of variables."""
    return returned(rng, "logic", "logic", "effect", "cond", "comma", effects=True)


def effects(rng: random.Random) -> Iterator[Function]:
    """Yield assignments inside of expressions."""
    return returned(rng, "effect", "binary", "compare", "cond", effects=True)


def shifts(rng: random.Random) -> Iterator[Function]:
    """Yield shifts, by constants and by what is given, at the edges of widths."""
    while True:
        widths, variables = scope(rng, 3)
        draw = Draw(rng, variables)
        one, other = draw.leaf(), draw.leaf()
        whole = draw.joined(one, rng.choice(SHIFTS), other)
        if rng.random() < 0.6:
            whole = draw.joined(Expr(whole.at(15), whole.width), rng.choice((*SHIFTS, "&", "|", "-")), draw.leaf())
        yield function(rng.choice((S64, U64)), widths, [f"return {whole.text};"])


def divisions(rng: random.Random) -> Iterator[Function]:
    """Yield truncating divisions and remainders."""
    while True:
        widths, variables = scope(rng, 3)
        draw = Draw(rng, variables)
        one, other = draw.expr(1), draw.expr(1)
        operator = rng.choice(("/", "%"))
        yield function(S64, widths, [f"return {draw.joined(one, operator, other).text};"])
