"""Live-variable analysis of a function cut into blocks: locals that are not read again are no part of a local state."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from hosts.loader.syntax.language import walk

ANSWER: Final = 0
"""Where in a frame's locals arguments leave and a returned value waits; the function's own locals begin at 1."""
RETURN: Final = -1
"""What a block gives that returns from the function."""


class Call(NamedTuple):
    """A call that may suspend: what is called, the local that takes its value (or ANSWER), where to go on."""

    name: str
    target: int
    after: int
    line: int
    text: str


Ends = set[tuple[int, int]]
"""Where a block goes on, each with the local that a call there assigns before (or ANSWER)."""


def live_slots(
    blocks: Sequence[Sequence[ast.stmt]], slots: Mapping[str, int], calls: Sequence[Call]
) -> list[tuple[int, ...]]:
    """Find for each block the locals that are read from there on, backwards until nothing changes."""
    uses, kills, following = zip(*(_block(block, slots, calls) for block in blocks), strict=True)
    live: list[set[int]] = [set() for _ in blocks]
    changed = True
    while changed:
        changed = False
        for i in reversed(range(len(live))):
            after: set[int] = set().union(*(live[each] - {given} for each, given in following[i]))
            new = uses[i] | (after - kills[i])
            changed = changed or new != live[i]
            live[i] = new
    return [tuple(sorted(each)) for each in live]


def _block(
    block: Sequence[ast.stmt], slots: Mapping[str, int], calls: Sequence[Call]
) -> tuple[set[int], set[int], Ends]:
    """Return what a block reads before it assigns it, what it surely assigns, and where it goes on."""
    uses: set[int] = set()
    kills: set[int] = set()
    following: Ends = set()
    for statement in block:
        for node in walk(statement):
            if isinstance(node, ast.Name) and node.id in slots and isinstance(node.ctx, ast.Load):
                uses |= {slots[node.id]} - kills
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                uses |= {slots[node.target.id]} - kills
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Constant | ast.UnaryOp):
                following |= _ends(ast.literal_eval(node.value), calls)
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            kills |= {
                slots[part.id]
                for part in walk(statement)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return uses, kills, following


def _ends(code: int, calls: Sequence[Call]) -> Ends:
    """Return where an end of a block leads."""
    if code >= 0:
        return {(code, ANSWER)}
    return set() if code == RETURN else {(calls[-2 - code].after, calls[-2 - code].target)}
