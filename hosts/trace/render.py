"""Prints the steps of a trace: the state in columns, and the call tree beside it.

Where that is too wide, the tree alone, less far indented, and behind a step what has changed with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hosts.kernel_names import vector_text
from hosts.terminal import wrapped
from hosts.trace.record import State, Step

COLUMNS: Final = (("IF", 2), ("preempt", 7), ("mode", 7), ("running", 7), ("PIR", 7), ("ON", 2), ("RVI", 4))


def lines(steps: Sequence[Step], width: int | None = None) -> Iterator[str]:
    """Return the lines of the whole trace, no wider than that."""
    wide = [titles(), *map(line, steps)]
    if width is None or max(map(len, wide)) <= width:
        yield from wide
    else:
        yield from narrow(steps, width)


def titles() -> str:
    """Return the line above the states."""
    return "  ".join(name.ljust(width) for name, width in COLUMNS).rstrip()


def line(step: Step) -> str:
    """Return one step's line."""
    state = "  ".join(text.ljust(width) for text, (_, width) in zip(cells(step.state), COLUMNS, strict=True))
    return f"{state}  {tree(step)}{''.join(f'   <= {note}' for note in step.notes)}"


def narrow(steps: Sequence[Step], width: int) -> Iterator[str]:
    """Return the tree, and what changes, line by line."""
    before: tuple[str, ...] = ("",) * len(COLUMNS)
    for step in steps:
        now = cells(step.state)
        columns = zip(COLUMNS, now, before, strict=True)
        changed = ", ".join(f"{name} {text}" for (name, _), text, was in columns if text != was)
        state = f"   [{changed}]" if changed else ""
        notes = "".join(f"   <= {note}" for note in step.notes)
        yield from wrapped(f"{tree(step, by=1)}{state}{notes}", width, " " * 6)
        before = now


def tree(step: Step, by: int = 3) -> str:
    """Draw a step's place in the call tree, each depth set in by so much."""
    return step.label if step.depth == 0 else f"{' ' * by * (step.depth - 1)}-> {step.label}"


def cells(state: State) -> tuple[str, ...]:
    """Write the state."""
    pir = ",".join(map(vector_text, reversed(state.pir))) or "-"
    rvi = vector_text(state.rvi) if state.rvi else "-"
    return str(state.interrupts), str(state.preempt_count), state.mode, state.running, pir, str(state.on), rvi
