"""Which primitives drain the store buffer, on every host.

The shape is store buffering. Each side writes its own word, does the primitive under test, and reads the other's; both
reading 0 means that both writes waited in a store buffer. Where the primitive drains, that must never be seen; where it
does not, it must be seen, or nothing was tested. The native host races the two sides on the machine itself, the
explorer goes through all schedules, and the replay host lets no store reach memory before it must.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import explorer, native, replay
from tests.conformance.primitives import DOES_NOT, DRAINS, SWITCHES

pytestmark = pytest.mark.timeout(120)

ON_THE_MACHINE = [
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a store buffer is seen by another processor only"),
]
BothMissed = Callable[[Path, str], bool]
HOSTS: dict[str, BothMissed] = {
    "native": lambda _, operation: native.both_missed(operation),
    "explorer, own words": lambda folder, operation: explorer.both_missed(folder, operation, "own()"),
    "explorer, one word": lambda folder, operation: explorer.both_missed(folder, operation, "Z()"),
    "replay": lambda _, operation: replay.both_missed(operation),
}
"""The explorer's sides use a word of their own with the operation, or both the same one."""
IMPOSSIBLE = ("explorer, one word", "local_write")
"""To share a private word is a fault of the protocol."""
WITH_TASKS = ("native",)


def cases(operations: dict[str, str]) -> list[object]:
    """Return each operation on each host."""
    made: list[object] = []
    for host, both_missed in HOSTS.items():
        marks = ON_THE_MACHINE if host == "native" else []
        for name, operation in operations.items():
            if (host, name) != IMPOSSIBLE and (name not in SWITCHES or host in WITH_TASKS):
                made.append(pytest.param(both_missed, operation, id=f"{host}-{name}", marks=marks))
    return made


@pytest.mark.parametrize(("both_missed", "operation"), cases(DRAINS | SWITCHES))
def test_it_drains_the_store_buffer(folder: Path, both_missed: BothMissed, operation: str) -> None:
    """Both sides never miss each other, whatever the outcome of the operation, and whoever else uses its word."""
    assert not both_missed(folder, operation)


@pytest.mark.parametrize(("both_missed", "operation"), cases(DOES_NOT))
def test_it_leaves_the_store_buffer_alone(folder: Path, both_missed: BothMissed, operation: str) -> None:
    """Both sides miss each other now and then: the operation is no fence in disguise."""
    assert both_missed(folder, operation)


def test_a_switch_between_tasks_drains_the_explorers(folder: Path) -> None:
    """There the tasks are a program's: idle tasks write, and the tasks that they resume read."""
    assert not explorer.both_missed_around(folder, "resume(me() + 1)")
    assert explorer.both_missed_around(folder, "body(me() + 1)")


def test_a_switch_between_tasks_drains_that_of_a_replay() -> None:
    """The same on processes."""
    assert not replay.both_missed_around_a_switch(switch=True)
    assert replay.both_missed_around_a_switch(switch=False)
