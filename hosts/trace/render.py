"""Prints the steps of a story: the state in columns, and beside it the call tree as the seed draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hosts.trace.record import State, Step
from hosts.vectors import vector_text

COLUMNS: Final = (("IF", 2), ("preempt", 7), ("mode", 7), ("running", 7), ("PIR", 7), ("ON", 2), ("RVI", 4))


def lines(steps: Sequence[Step]) -> Iterator[str]:
    """Give the lines of the whole trace."""
    yield "  ".join(name.ljust(width) for name, width in COLUMNS).rstrip()
    for step in steps:
        yield line(step)


def line(step: Step) -> str:
    """Give one step's line."""
    state = "  ".join(text.ljust(width) for text, (_, width) in zip(cells(step.state), COLUMNS, strict=True))
    return f"{state}  {tree(step)}{''.join(f'   <= {note}' for note in step.notes)}"


def tree(step: Step) -> str:
    """Draw a step's place in the call tree."""
    return step.label if step.depth == 0 else f"{'   ' * (step.depth - 1)}-> {step.label}"


def cells(state: State) -> tuple[str, ...]:
    """Write the state."""
    pir = ",".join(map(vector_text, reversed(state.pir))) or "-"
    rvi = vector_text(state.rvi) if state.rvi else "-"
    return str(state.interrupts), str(state.preempt_count), state.mode, state.running, pir, str(state.on), rvi
