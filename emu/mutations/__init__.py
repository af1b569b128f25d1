"""Seeded bugs: edits of one or two statements of the one protocol source, sorted by what they break.

The loader applies them on every host behind a selector; the source itself stays clean. Where the table of expected
verdicts says *clean*, a tool that convicts is wrong.
"""

from __future__ import annotations

from typing import Final

from emu.mutations import fabric, halt, harvest, pre_block, run_loop, sched, sender, signal, timer
from emu.mutations.edit import Edit, Mutation, Outcome, Row

__all__ = ["MUTATIONS", "Edit", "Mutation", "Outcome", "Row"]

_MODULES: Final = (run_loop, sender, harvest, halt, timer, signal, sched, pre_block, fabric)

MUTATIONS: Final[tuple[Mutation, ...]] = tuple(
    sorted(
        (
            each
            for module in (run_loop, sender, harvest, halt, timer, signal, sched, pre_block, fabric)
            for each in module.MUTATIONS
        ),
        key=lambda mutation: mutation.number,
    )
)
"""All of them, by number: the selector of a run."""
