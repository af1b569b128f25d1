"""Structured control flow between C and Python: blocks that are left by name, and endless loops."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hosts.loader.c.state import State
    from hosts.loader.c.values import Variable


@dataclass(eq=False)
class Label:
    """A place that control goes to: what follows a block, or the begin of a loop."""

    name: str
    states: list[State] = field(default_factory=list)
    """What is known of the locals at each jump to it."""


@dataclass
class Plain:
    """A statement of Python that only goes on."""

    statement: ast.stmt


@dataclass
class Declare:
    """Where a local is declared; becomes ``x = 0`` if it may be read before it is assigned."""

    variable: Variable
    line: int


@dataclass
class Branch:
    """``if``."""

    test: ast.expr
    body: list[Step]
    orelse: list[Step]
    line: int


@dataclass
class Block:
    """Steps after which ``label`` is; a jump to it skips the rest of them."""

    label: Label
    body: list[Step]


@dataclass
class Loop:
    """Steps that begin anew when they end, or by a jump to ``again``."""

    again: Label
    body: list[Step]
    line: int


@dataclass
class Jump:
    """Go to a label."""

    label: Label
    line: int


@dataclass
class Leave:
    """``return``."""

    value: ast.expr | None
    line: int


Step = Plain | Declare | Branch | Block | Loop | Jump | Leave


def falls_through(steps: list[Step]) -> bool:
    """Return whether control may come to the end of some steps."""
    for step in steps:
        match step:
            case Jump() | Leave():
                return False
            case Branch(body=body, orelse=orelse):
                if not falls_through(body) and not falls_through(orelse):
                    return False
            case Loop():
                return False
            case Block(label=label, body=body):
                if not falls_through(body) and label not in targets(body):
                    return False
    return True


def targets(steps: list[Step]) -> set[Label]:
    """Return the labels that some steps jump to."""
    found: set[Label] = set()
    left: list[Step] = list(steps)
    while left:
        step = left.pop()
        if isinstance(step, Jump):
            found.add(step.label)
        elif isinstance(step, Branch):
            left += step.body + step.orelse
        elif isinstance(step, Block | Loop):
            left += step.body
    return found
