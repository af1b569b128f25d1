"""Rows of the table of events: the text of an operation, and the state behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.act import Act, View
from hosts.explorer.explanation.format import operation_text


@dataclass(frozen=True)
class EventRow:
    """One row of the table, before it is drawn."""

    step: int
    number: str
    act: Act
    view: View
    """What is seen after it."""
    before: View


def rows_of(witness: Witness) -> list[EventRow]:
    """Return the rows of a witness."""
    found = []
    before: View = witness.states[0]["view"]
    for number, state in enumerate(witness.states[1:], 1):
        for told in state["acts"]:
            data = dict(told)
            part, view = data.pop("part"), data.pop("view")
            found.append(EventRow(number, label(number, part), Act(**data), view, before))
            before = view
        before = state["view"]
    return found


def label(step: int, part: int) -> str:
    """Number a row."""
    return f"{step}.{part}" if part else str(step)


def place(act: Act) -> str:
    """Name a row's function and line."""
    return f"{act.function} {act.file}:{act.line}" if act.function else ""


def doing(row: EventRow, vcpus: int) -> str:
    """Say what a row's thread does; where it runs tasks, as which."""
    does = operation_text(row.act, vcpus, len(row.before.get("runs", ())))
    return _as_task(row) + does + _forwarded(row) + _buffered(row)


def _as_task(row: EventRow) -> str:
    """Say which task runs on a thread that runs tasks."""
    runs, act = row.before.get("runs", ()), row.act
    if act.thread >= len(runs) or act.kind in ("drain", "arrive"):
        return ""
    return f"[vCPU {runs[act.thread]}] " if runs[act.thread] >= 0 else "[idle] "


def serving(view: View) -> int:
    """Count the threads that run vCPUs: the first ones."""
    return len(view.get("runs", view["vcpus"]))


def about(rows: Sequence[EventRow]) -> int:
    """Return the vCPU that the violation is about, or the thread that saw it."""
    act = next((row.act for row in reversed(rows) if row.act.kind == "sighting"), None)
    if act is None:
        return 0
    return act.b if "runs" in rows[-1].view else act.thread


def _forwarded(row: EventRow) -> str:
    """Say of a load that the thread's own buffer answered it."""
    if row.act.kind != "LOAD" or row.act.own:
        return ""
    waiting = [word for word, _value in row.before["buffers"][row.act.thread]]
    return " (own buffer)" if row.act.word in waiting else ""


def _buffered(row: EventRow) -> str:
    """Say of a store that it waits."""
    if row.act.kind != "STORE" or row.act.own:
        return ""
    return " (buffered)" if row.view["buffers"][row.act.thread] else ""
