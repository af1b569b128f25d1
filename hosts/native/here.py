"""Where the words of this process are, and its dice."""

from __future__ import annotations

from typing import Final

from hosts.native.layout import HOST_OFFSET, HostCpu, HostWords, Local, Run
from hosts.native.ops import (
    load,
    load_private,
    local_address,
    memory_address,
    shift_right_unsigned,
    store,
    store_private,
)

_MULTIPLIER: Final = 6364136223846793005

_INCREMENT: Final = 1442695040888963407


def this_process() -> Local:
    """Give the private words."""
    return Local(local_address())


def run_words(local: Local) -> Run:
    """Give the words of the run."""
    return Run(load_private(local.run_at))


def own_words(local: Local) -> HostCpu:
    """Give the shared words that this pCPU writes."""
    return HostCpu(load_private(local.own_at))


def words_of(cpu: int) -> HostCpu:
    """Give the shared host words of a pCPU."""
    return HostWords(memory_address() + HOST_OFFSET).cpus[cpu]


def bump(word: int) -> None:
    """Count in a word that only this pCPU writes and others may read."""
    store(word, load(word) + 1)


def beat(local: Local) -> None:
    """Show that this pCPU is alive."""
    number = load_private(local.heartbeat) + 1
    store_private(local.heartbeat, number)
    store(own_words(local).heartbeat, number)


def draw(local: Local) -> int:
    """Give 32 random bits: the upper half of a 64-bit linear congruential generator (Knuth's MMIX constants).

    Drawn several times in each step of the guest, so one multiplication is what it may cost.
    """
    x = load_private(local.random) * _MULTIPLIER + _INCREMENT
    store_private(local.random, x)
    return shift_right_unsigned(x, 32)


def choose(n: int) -> int:
    """Pick a number below ``n`` (below 2^31), without a division."""
    return (draw(this_process()) * n) >> 32
