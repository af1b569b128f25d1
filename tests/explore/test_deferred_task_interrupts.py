"""Interrupts in whose handlers another task may run wait for the next point only where a task keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.explorer.model.operations import Op
from hosts.explorer.model.system import Model
from hosts.explorer.threads.automaton import Automaton
from tests.explore.tasks import SENDS_AND_IDLES, TinyTasks

PROGRAM = (
    SENDS_AND_IDLES
    + """
def common_interrupt():
    local_write(enabled(), 0)
    apic_ack()
    {handler}
    yield_to_idle()
    local_write(enabled(), 1)
def body(task):
    local_write(enabled(), 1)
    {before}
    {between}
    out(task, {told})
    local_write(enabled(), 0)
"""
)
KEEPS_TO_ITSELF = {
    "before": "WRITE_ONCE(note(task), 1 + READ_ONCE(X()))",
    "between": "a = READ_ONCE(note(task))\n    b = READ_ONCE(note(task))\n    WRITE_ONCE(note(task), 3)",
    "told": "a + b + 16 * me()",
    "handler": "WRITE_ONCE(X(), 4)",
}
MEETINGS = {
    "it asks where it runs": {
        **KEEPS_TO_ITSELF,
        "between": "a = READ_ONCE(note(task))\n    b = a + me()\n    WRITE_ONCE(note(task), b)",
        "told": "READ_ONCE(note(task)) + 16 * me()",
    },
    "its handler reads the word": {
        **KEEPS_TO_ITSELF,
        "between": "WRITE_ONCE(note(task), 2)\n    WRITE_ONCE(note(task), 3)",
        "handler": "WRITE_ONCE(X(), 4 + READ_ONCE(note(local_read(curr()))))",
        "told": "1 + READ_ONCE(X()) + 16 * me()",
    },
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def searched(tiny: TinyTasks) -> tuple[Model, set[tuple[tuple[int, int], ...]], int]:
    """Search with all reductions; return the model, all results and the number of states."""
    world, model, result = tiny.searched(buffer=2, keep_finals=True, progress_check=False)
    assert result.complete
    return model, {tiny.results(world, tiny.memory(world, final)) for _, final in result.finals}, result.states


def waits(model: Model) -> list[bool]:
    """Tell of the points in the task's body that have another right behind them whether their interrupts may wait."""
    told = []
    for thread in model.threads:
        assert isinstance(thread, Automaton)
        for local in range(len(thread)):
            operation = thread.operation(local)
            if operation.kind == Op.POINT and thread.place(operation.where).function == "body":
                thread.step(local, 0)
                told += [thread.may_wait(local)] if local in thread.between else []
    assert told
    return told


def test_an_interrupt_waits_where_a_task_keeps_to_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out makes no difference: the results are those of brute force, in fewer states."""
    tiny = TinyTasks(folder, PROGRAM.format(**KEEPS_TO_ITSELF), queued=1)
    results, crashed = tiny.brute(2)
    assert len(results) > 1
    assert not crashed
    model, found, states = searched(tiny)
    assert found == results
    assert any(waits(model))
    monkeypatch.setattr(Automaton, "may_wait", lambda _thread, _local: False)
    _, never, more = searched(tiny)
    assert never == results
    assert states < more


@pytest.mark.parametrize("meeting", MEETINGS)
def test_an_interrupt_does_not_wait_where_it_could_be_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, meeting: str
) -> None:
    """Results would be missing if it did."""
    tiny = TinyTasks(folder, PROGRAM.format(**MEETINGS[meeting]), queued=1)
    results, _ = tiny.brute(2)
    model, found, _ = searched(tiny)
    assert found == results
    assert not all(waits(model))
    monkeypatch.setattr(Automaton, "may_wait", lambda thread, local: local in thread.between or _known(thread, local))
    _, wrong, _ = searched(tiny)
    assert wrong < results


def _known(thread: Automaton, local: int) -> bool:
    """Return whether a point has another right behind it, having asked."""
    thread.step(local, 0)
    return local in thread.between
