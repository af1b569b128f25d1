"""Benchmark 3: a post to the own vCPU, elided and sent, in a bare loop, in the protocol's own, and in the run loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bench.bare import BARE_ELIDED, BARE_SENT
from bench.image import ROLE_SELF_POSTS, Bench, bench
from bench.options import Options
from bench.pirace import configuration, prepare, run
from bench.probe import Probe
from bench.report import Report
from bench.series import compare, interleave
from emu.machine import Machine
from emu.observe.accounting import COUNTERS
from hosts.native.memory.addresses import MEMORY_AT
from hosts.native.memory.region import SharedMemory
from hosts.native.process.supervisor import Supervisor

POST_AND_SYNC_AT_MOST: Final = 2.5
RUN_LOOP_AT_MOST: Final = 6.0
APART_AT_LEAST: Final = 10.0
NANOSECOND: Final = 1e9
_ITS_CPU_TIME: Final = 2
"""``CPUCLOCK_SCHED``: what ``clock_getcpuclockid`` puts behind a process's number, turned round."""
ELIDES: Final = "elide-self-2022"
SENDS: Final = "always-2021"


def spent(memory: SharedMemory) -> float:
    """Return the seconds of processor time that pCPU 0 has used: what else runs on its processor does not count."""
    pid = memory.read(memory.host.cpus[0].pid)
    return time.clock_gettime(~pid << 3 | _ITS_CPU_TIME)


class Spent:
    """The processor time that each step of a word takes which counts, from the first look at it to the last."""

    def __init__(self, word: int, clock: Callable[[SharedMemory], float] = spent) -> None:
        """Observe a word of the machine's memory."""
        self._word, self._clock = word, clock
        self._looks: list[tuple[float, int]] = []

    def look(self, memory: SharedMemory) -> None:
        """Read the word again."""
        self._looks[1:] = [(self._clock(memory), memory.read(self._word))]

    def each(self) -> float:
        """Return the seconds for one step."""
        (begun, first), (ended, last) = self._looks
        return (ended - begun) / (last - first)


def contenders(ready: Bench, count: int, seconds: float) -> dict[str, Callable[[], float]]:
    """Return the loops, each as nanoseconds for one self-post."""
    sent = count // 10

    def loop(role: int, number: int, policy: str | None = None) -> Callable[[], float]:
        setup = None if policy is None else prepare(configuration("tscdeadline-immed", policy))
        return lambda: ready.seconds(role, number, 1, setup) * NANOSECOND

    return {
        "bare loop, elided": loop(BARE_ELIDED, count),
        "emu's post and sync, elided": loop(ROLE_SELF_POSTS, count, ELIDES),
        "whole run loop, elided": lambda: in_run_loop(ready.running, ELIDES, seconds),
        "bare loop, sent": loop(BARE_SENT, sent),
        "emu's post and sync, sent": loop(ROLE_SELF_POSTS, sent, SENDS),
        "whole run loop, sent": lambda: in_run_loop(ready.running, SENDS, seconds),
    }


def in_run_loop(running: Supervisor, policy: str, seconds: float) -> float:
    """Return ns for one WRMSR TSC_DEADLINE of the guest: exit, post, sync, re-entry, delivery, handler, EOI."""
    taken = Spent(Machine(MEMORY_AT).pcpus[0].counters[COUNTERS.index("self_posts")])
    run(running, configuration("tscdeadline-immed", policy), seconds, 1, look=taken.look)
    return taken.each() * NANOSECOND


def benchmark(options: Options) -> Report:
    """Race them."""
    report = Report("selfpost", "one post to the own vCPU, one pCPU")
    count = 5_000 if options.quick else 50_000
    with bench() as ready:
        runs = contenders(ready, count, options.seconds(1.0, quick=0.3))
        series = interleave(runs, "ns", options.repeats(9), Probe())
    report.add(*series.values())
    bare, emulated, whole, _, emulated_sent, whole_sent = series.values()
    report.targets += [
        compare("elided: emu's post and sync / bare loop", emulated, bare, POST_AND_SYNC_AT_MOST),
        compare("elided: whole run loop / bare loop", whole, bare, RUN_LOOP_AT_MOST),
        compare("emu's post and sync: sent / elided", emulated_sent, emulated, APART_AT_LEAST, at_least=True),
        compare("whole run loop: sent / elided", whole_sent, whole, APART_AT_LEAST, at_least=True),
    ]
    report.remarks += [
        "The bare loop does the four locked operations and two loads of post and sync, and nothing else.",
        "Bare loop, post and sync: the best of 32 batches; the whole run loop: all of its processor time.",
        "The whole run loop is scenario tscdeadline-immed: VM-exit, fastpath, re-entry, delivery, handler, EOI, turns.",
    ]
    return report
