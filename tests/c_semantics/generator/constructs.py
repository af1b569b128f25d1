"""What the corpus has functions of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

from tests.c_semantics.generator import bodies, idioms, macros, operators
from tests.c_semantics.generator.shape import Function

Construct = Callable[[random.Random], Iterator[Function]]
"""Yields functions without end, or all there are of the kind."""

CONSTRUCTS: Final[dict[str, tuple[Construct, int]]] = {
    "idioms": (idioms.idioms, 10_000),
    "operators": (operators.operators, 10_000),
    "assignments": (operators.assignments, 10_000),
    "steps": (operators.steps, 10_000),
    "unary": (operators.unary, 10_000),
    "literals": (operators.literals, 10_000),
    "casts": (operators.casts, 120),
    "expressions": (operators.expressions, 150),
    "conditions": (operators.conditions, 80),
    "comparisons": (operators.comparisons, 100),
    "short_circuit": (operators.short_circuit, 120),
    "effects": (operators.effects, 100),
    "shifts": (operators.shifts, 100),
    "divisions": (operators.divisions, 80),
    "branches": (bodies.branches, 80),
    "switches": (bodies.switches, 120),
    "loops": (bodies.loops, 120),
    "gotos": (bodies.gotos, 120),
    "arrays": (bodies.arrays, 80),
    "views": (bodies.views, 80),
    "helpers": (bodies.helpers, 120),
    "macros": (macros.macros, 80),
    "directives": (macros.directives, 60),
    "mixed": (bodies.mixed, 150),
}
"""What yields the functions of each, and how many are taken."""
