"""Tasks that pCPUs switch between: the explorer finds exactly what brute force finds, wherever a task has been."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explore.tasks import SENDS_AND_IDLES, TinyTasks

IDLE = """
def cpu_startup_entry():
    for _ in range({turns}):
        task = take()
        if task != 0: resume(task)
"""
BODIES = {
    "values on the stack and in words of its own migrate": IDLE.format(turns=2)
    + """
def body(task):
    n = READ_ONCE(X())
    local_write(note(task), n + task)
    yield_to_idle()
    out(task, 1 + 2 * n + 16 * local_read(note(task)) + 256 * me())
    WRITE_ONCE(X(), n + 1)
""",
    "a store made before a switch is seen after it": IDLE.format(turns=2)
    + """
def body(task):
    WRITE_ONCE(X(), READ_ONCE(X()) + task)
    yield_to_idle()
    out(task, 1 + READ_ONCE(X()))
""",
    "one task hands over to the other": """
def cpu_startup_entry():
    if me() == 0: resume(1)
    else: out(0, READ_ONCE(X()) + 1)
def body(task):
    local_write(note(task), task + READ_ONCE(X()))
    WRITE_ONCE(X(), 1 + READ_ONCE(X()))
    if task == 1: context_switch(1, 2)
    out(task, local_read(note(task)))
    if task == 2: context_switch(2, 1)
""",
    "a word of another task's is nobody's own": IDLE.format(turns=1)
    + """
def body(task):
    WRITE_ONCE(note(task), 1)
    out(task, READ_ONCE(note(3 - task)) + 1)
""",
    "a task is left in the handler of an interrupt": SENDS_AND_IDLES
    + """
def common_interrupt():
    local_write(enabled(), 0)
    apic_ack()
    yield_to_idle()
    local_write(enabled(), 1)
def body(task):
    local_write(enabled(), 1)
    n = READ_ONCE(X())
    local_write(note(task), n + 1)
    WRITE_ONCE(X(), n + 1)
    local_write(note(task), local_read(note(task)) + me())
    out(task, 1 + local_read(note(task)) + 16 * me())
    local_write(enabled(), 0)
""",
}
QUEUED = {
    "a store made before a switch is seen after it": 1,
    "one task hands over to the other": 0,
    "a task is left in the handler of an interrupt": 1,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("body", BODIES)
def test_the_explorer_finds_what_brute_force_finds(folder: Path, body: str) -> None:
    """Neither fewer nor more results than tasks have that are run again from their beginning, on any pCPU."""
    tiny = TinyTasks(folder, BODIES[body], queued=QUEUED.get(body, 3))
    results, crashed = tiny.brute(2)
    assert len(results) > 1
    assert not crashed
    assert tiny.explored(2) == (results, set())
    for options in ({}, {"reduce": False}, {"fuse": False}):
        world, _, result = tiny.searched(buffer=2, keep_finals=True, progress_check=False, **options)
        assert result.complete
        assert {tiny.results(world, tiny.memory(world, final)) for _, final in result.finals} == results


def test_a_word_of_a_task_is_its_own_wherever_it_runs(folder: Path) -> None:
    """It is no word of the state, and of a task that runs elsewhere nothing is left behind."""
    tiny = TinyTasks(folder, BODIES["values on the stack and in words of its own migrate"])
    world, model, _ = tiny.searched(buffer=2)
    notes = {int(world.machine.vcpus[v].apic.tscdeadline) for v in range(2)}
    assert notes.isdisjoint(world.words.shared)
    assert all(notes <= world.slots[i].keys() for i in range(2))
    taken = [world.continuations[number].words for number in range(len(world.continuations))]
    assert any(word in notes for words in taken for word, _ in words)
    assert len(model.threads) == 2


def test_a_task_that_is_resumed_before_it_is_suspended_is_found(folder: Path) -> None:
    """Whoever does not wait until its stack is free takes a task that still runs: a pCPU can only crash."""
    text = BODIES["values on the stack and in words of its own migrate"]
    tiny = TinyTasks(folder, text + "def resume(task): context_switch(0, task)\n")
    assert tiny.brute(0)[1]
    assert len(tiny.explored(0)[1]) == 1
    assert tiny.searched(buffer=2)[2].violation is not None
