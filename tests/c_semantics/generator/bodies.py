"""Functions of random statements."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final

from tests.c_semantics.generator.expressions import Draw
from tests.c_semantics.generator.shape import NAMES, Function, function, scope
from tests.c_semantics.generator.statements import LOOPS, PLAIN, Body, indented
from tests.c_semantics.generator.widths import DISTINCT, NAMED, U8, U32, U64, Width


def bodies(
    rng: random.Random, *kinds: str, budget: int = 8, arrays: bool = False, labels: bool = False, effects: bool = False
) -> Iterator[Function]:
    """Yield functions made of such statements."""
    while True:
        widths, variables = scope(rng)
        draw = Draw(rng, variables, effects=effects)
        body = Body(rng, draw, rng.choice(NAMED), kinds=(*kinds, *kinds, *PLAIN) if kinds else PLAIN, budget=budget)
        lines = declared(rng, draw, arrays=arrays)
        yield written(body, widths, lines, rng, labels=labels)


def declared(rng: random.Random, draw: Draw, *, arrays: bool) -> list[str]:
    """Return declarations at a function's head."""
    width = rng.choice(NAMED)
    lines = [f"{width.name} r = {draw.leaf().text};"]
    draw.variables["r"] = width
    for name in ("p", "q")[: rng.randint(1, 2)] if arrays else ():
        element, size = rng.choice(NAMED), rng.choice((2, 4))
        values = [draw.leaf().text for _ in range(rng.randint(1, size))]
        lines.append(f"{element.name} {name}[{size}] = {{ {', '.join(values)} }};")
        draw.arrays[name] = (element, size)
    return lines


def written(
    body: Body, widths: Sequence[Width], lines: list[str], rng: random.Random, *, labels: bool = False,
    before: Sequence[str] = (),
) -> Function:  # fmt: skip
    """Return a function of random statements that returns what it has made of everything."""
    body.labels = ["out", "fail"][: rng.randint(1, 2)] if labels else []
    known = dict(body.draw.variables)
    kinds = [kind for kind in body.kinds if kind not in PLAIN]
    lines = list(lines)
    if kinds:
        lines += getattr(body, rng.choice(kinds))(3)
    lines += body.statements(3, 3)
    parts = [name for name in body.draw.variables if name in known or not body.labels]
    if body.labels:
        body.draw.variables = {name: body.draw.variables[name] for name in known}
        labels_now, body.labels = body.labels, []
        for label in reversed(labels_now):
            lines += [f"{label}:", *body.assign(0)]
    arrays = [f"(u64){name}[{i}]" for name, (_, size) in body.draw.arrays.items() for i in range(size)]
    left = " ^ ".join([*(f"(u64){name}" for name in parts if name != "r"), *arrays])
    return function(U64, widths, [*lines, f"return (u64)r * 31 + ({left});"], before)


def branches(rng: random.Random) -> Iterator[Function]:
    """Yield ``if`` and blocks."""
    return bodies(rng, "if_", "block", effects=True)


def switches(rng: random.Random) -> Iterator[Function]:
    """Yield ``switch`` with fall-through, in and around loops."""
    return bodies(rng, "switch", "switch", "while_down")


def loops(rng: random.Random) -> Iterator[Function]:
    """Yield nested loops that are left and continued."""
    return bodies(rng, *LOOPS)


def gotos(rng: random.Random) -> Iterator[Function]:
    """Yield jumps forward, out of loops and switches, and back."""
    return bodies(rng, "again", "again", "while_down", "switch", labels=True)


def arrays(rng: random.Random) -> Iterator[Function]:
    """Yield local arrays whose elements are named by constants."""
    return bodies(rng, "block", budget=6, arrays=True)


def mixed(rng: random.Random) -> Iterator[Function]:
    """Yield everything together."""
    return bodies(rng, *LOOPS, "switch", "again", budget=12, arrays=True, labels=True, effects=True)


def views(rng: random.Random) -> Iterator[Function]:
    """Yield functions that take a word apart, and put one together, by the fields of a local struct."""
    while True:
        widths, variables = scope(rng, 3)
        draw = Draw(rng, variables)
        lines = ["struct control old, new;", f"old.word = {draw.leaf().text};", "new.word = old.word;"]
        for each in ("old", "new"):
            draw.variables |= {f"{each}.{field}": width for field, width in FIELDS.items()}
        body = Body(rng, draw, U64, kinds=("if_", "assign", "assign", "while_down"), budget=6)
        lines += body.statements(4, 2)
        yield function(U64, widths, [*lines, "return new.word * 3 + old.word;"])


FIELDS: Final = {
    "word": U64,
    "on": Width("a bit of u16", 1, signed=False),
    "sn": Width("a bit of u16", 1, signed=False),
    "nv": U8,
    "ndst": U32,
}
"""Of ``struct control``, which :mod:`tests.c_semantics.generator.oracle` declares."""


def helpers(rng: random.Random) -> Iterator[Function]:
    """Yield functions that call others, some of which give more than one result."""
    while True:
        widths, variables = scope(rng)
        before: list[str] = []
        known: list[tuple[str, Width, tuple[Width, ...], tuple[Width, ...]]] = []
        for i in range(rng.randint(1, 2)):
            taken, given = scope(rng, 3)[0], tuple(rng.choice(DISTINCT) for _ in range(rng.randint(0, 2)))
            name, result = f"NAME_{'gh'[i]}", rng.choice(NAMED)
            before += helper(rng, name, result, taken, given, list(known))
            known.append((name, result, taken, given))
        draw = Draw(rng, variables, helpers=known, kinds=("call", "call", "binary", "compare"), effects=True)
        lines = declared(rng, draw, arrays=False)
        for _, _, _, given in known:
            for width in given:
                name = f"x{len(draw.variables)}"
                lines.append(f"{width.name} {name} = {draw.leaf().text};")
                draw.variables[name] = width
        lines += [
            f"r {rng.choice(('=', '+=', '^='))} {draw.call(1, frozenset(), frozenset('r')).at(1)};" for _ in known
        ]
        body = Body(rng, draw, U64, kinds=PLAIN, budget=5)
        yield written(body, widths, lines, rng, before=before)


def helper(
    rng: random.Random, name: str, result: Width, taken: tuple[Width, ...], given: tuple[Width, ...],
    known: list[tuple[str, Width, tuple[Width, ...], tuple[Width, ...]]],
) -> list[str]:  # fmt: skip
    """Return a small function that gives its other results by pointers."""
    draw = Draw(rng, dict(zip(NAMES, taken, strict=False)), helpers=[each for each in known if not each[3]])
    body = Body(rng, draw, result, kinds=("if_", "assign"), budget=3)
    parameters = [f"{width.name} {each}" for width, each in zip(taken, NAMES, strict=False)]
    parameters += [f"{width.name} *o{i}" for i, width in enumerate(given)]
    lines = body.statements(2, 1)
    for i in range(len(given)):
        lines.append(f"*o{i} {rng.choice(('=', '=', '+=', '^=', '|='))} {draw.expr(1).at(1)};")
        if rng.random() < 0.4:
            lines.append(f"if (*o{i} {rng.choice(('>', '==', '&'))} {draw.leaf().text})")
            lines.append(rng.choice((f"\t(*o{i})++;", f"\treturn {draw.leaf().text};", f"\t*o{i} = 1;")))
    inline = rng.choice(("static", "static inline"))
    return [f"{inline} {result.name} {name}({', '.join(parameters)})", "{", *indented(lines),
            f"\treturn {draw.expr(1).at(1)};", "}", ""]  # fmt: skip
