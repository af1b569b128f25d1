"""Process-local words and random number generator."""

from __future__ import annotations

from typing import Final

from hosts.native.codegen.intrinsics import (
    load,
    load_constant,
    load_own_pcpu,
    load_private,
    local_address,
    memory_address,
    pause,
    rdtsc,
    sched_yield,
    shift_right_unsigned,
    store,
    store_private,
    upper_half,
)
from hosts.native.memory.layout import HOST_OFFSET, HostCpu, HostWords, Run
from hosts.native.memory.private_words import Local

LOST_TICKS: Final = 500_000
"""A yield that took so many ticks went to another runnable process; then the processor is kept as long, but at most
``KEEP_TICKS``."""

KEEP_TICKS: Final = 2_500_000

_MULTIPLIER: Final = 6364136223846793005

_INCREMENT: Final = 1442695040888963407


def this_process() -> Local:
    """Return the private words."""
    return Local(local_address())


def run_words(local: Local) -> Run:
    """Return the words of the run."""
    return Run(load_constant(local.run_at))


def own_words(local: Local) -> HostCpu:
    """Return the shared words that this pCPU writes."""
    return HostCpu(load_own_pcpu(local.own_at))


def doorbell_of(cpu: int) -> int:
    """Return the address of a pCPU's doorbell."""
    return HostWords(memory_address() + HOST_OFFSET).bells[cpu].rung


def words_of(cpu: int) -> HostCpu:
    """Return the shared host words of a pCPU."""
    return HostWords(memory_address() + HOST_OFFSET).cpus[cpu]


def increment(word: int) -> None:
    """Increment a word that only this pCPU writes and others may read."""
    store(word, load(word) + 1)


def count_heartbeat(local: Local) -> None:
    """Increment the heartbeat."""
    increment(own_words(local).heartbeat)


def yield_processor(local: Local) -> None:
    """Yield the processor, unless it was lost for long a moment ago.

    A yield comes back at once, or after libzmq's thread or another pCPU has run for some microseconds. One that takes
    a millisecond went to another runnable process: to yield again at once would leave a microsecond for each of that
    process's time slices, and the run would never end.
    """
    now = rdtsc()
    if now < load_private(local.keep_until):
        pause()
        return
    sched_yield()
    lost = rdtsc() - now
    if lost > LOST_TICKS:
        store_private(local.keep_until, now + lost + min(lost, KEEP_TICKS))


def next_random(local: Local) -> int:
    """Take the next number of a 64-bit linear congruential generator (Knuth's MMIX constants): its upper bits are good.

    Drawn several times in each step of the guest, so one multiplication is what it may cost.
    """
    x = load_private(local.random) * _MULTIPLIER + _INCREMENT
    store_private(local.random, x)
    return x


def random_bits(local: Local) -> int:
    """Return 32 random bits."""
    return shift_right_unsigned(next_random(local), 32)


def choose(n: int) -> int:
    """Pick a number below ``n``, without a division."""
    return upper_half(next_random(this_process()), n)


def one_in(n: int) -> int:
    """Return 1 about once in ``n`` times; for 0 never."""
    return 1 if n != 0 and choose(n) == 0 else 0
