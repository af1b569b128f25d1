"""From C files to functions of the language that ``emu/`` is written in: the way in."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from hosts.loader.c.report import FunctionReport
from hosts.loader.c.rules import CFile, Environment, NoEnvironment, Wanted
from hosts.loader.syntax.language import PolicyError


class CError(PolicyError):
    """Something in a C file that cannot be translated exactly; the message begins with file and line."""


@dataclass
class Translation:
    """What C files became."""

    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    """Under their names in the program: those wanted, and the helpers that these call."""
    files: dict[str, str] = field(default_factory=dict)
    """The C file that each function's lines are those of."""
    refused: dict[str, CError] = field(default_factory=dict)
    """Functions that were wanted and cannot be translated, by the name in the program."""
    reports: list[FunctionReport] = field(default_factory=list)


def translate(files: Sequence[CFile], wanted: Sequence[Wanted], environment: Environment) -> Translation:
    """Translate functions, and what they call; one that cannot be is in ``refused`` and the others are not affected."""
    raise NotImplementedError


def translate_function(source: bytes, name: str, environment: Environment | None = None) -> Translation:
    """Translate one function of a text and what it calls; raise :class:`CError` if it cannot be."""
    result = translate([CFile("test.c", source)], [Wanted(name)], environment or NoEnvironment())
    for error in result.refused.values():
        raise error
    return result
