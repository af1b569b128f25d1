"""Actors of a witness with tasks: who acts is a vCPU's task, wherever it runs, or a pCPU by itself.

An explanation is about vCPUs. So the rows are told by actor: first the vCPUs, then each thread when no vCPU runs there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hosts.explorer.explanation.act import View
from hosts.explorer.explanation.rows import EventRow


def by_actor(rows: Sequence[EventRow]) -> list[EventRow]:
    """Return the rows with actors in place of threads; without tasks they are what they were."""
    if not rows or "runs" not in rows[0].view:
        return list(rows)
    return [
        replace(
            row,
            act=replace(row.act, thread=_actor(row.before, row.act.thread)),
            view=_of_actors(row.view),
            before=_of_actors(row.before),
        )
        for row in rows
    ]


def actor_name(threads: Sequence[str], view: View, actor: int) -> str:
    """Name an actor."""
    thread = actor - len(view["vcpus"])
    if thread < 0:
        return f"vCPU {actor}"
    return f"pCPU {thread} ({'idle' if thread < len(view['runs']) else threads[thread]})"


def _actor(view: View, thread: int) -> int:
    """Return who acts on a thread."""
    runs = view["runs"]
    here = runs[thread] if thread < len(runs) else -1
    return here if here >= 0 else len(view["vcpus"]) + thread


def _of_actors(view: View) -> View:
    """Return a view whose store buffers are the actors'."""
    buffers: list[list[Any]] = [[] for _ in (*view["vcpus"], *view["buffers"])]
    for thread, buffer in enumerate(view["buffers"]):
        buffers[_actor(view, thread)] = buffer
    return {**view, "buffers": buffers}
