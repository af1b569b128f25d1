"""The store buffer of the replay host, beyond what the conformance suite says of every host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hosts.replay.memory import Memory
from tests.conformance.replay import host_of, host_with, seen_by_both

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def memory() -> Iterator[Memory]:
    """Make a region of a test's own."""
    made = Memory()
    yield made
    made.close()


def test_an_ipi_leaves_behind_the_stores() -> None:
    """Linux fences before the ICR write."""
    assert seen_by_both("send_IPI(0, 0xf2)") == (1, 1)


def test_a_load_sees_the_own_store_first(memory: Memory) -> None:
    """The newest one that waits, and memory again when all have drained."""
    host, word = host_with(memory, shared=True), memory.machine.vcpus[1].pi_desc.pir[0]
    memory.write(word, 1)
    host.store(word, 2)
    host.store(word, 3)
    assert (host.load(word), host.peek(word), memory.read(word)) == (3, 3, 1)
    host.drain()
    assert (host.load(word), memory.read(word)) == (3, 2)
    host.drain()
    assert (host.load(word), memory.read(word)) == (3, 3)


def test_another_pcpus_mark_stands_behind_its_stores(memory: Memory) -> None:
    """While its buffer holds anything, an instrument of another pCPU takes it for inside."""
    mark = memory.machine.pcpus[1].marks.inside
    host = host_of(memory, 2, {mark: "inside"})
    memory.write(mark, 4)
    assert host.peek(mark) == 4
    memory.write(memory.host.cpus[1].waiting, 1)
    assert host.peek(mark) == 5
    memory.write(memory.host.cpus[1].waiting, 0)
    assert host.peek(mark) == 4
