"""Benchmark 2: one notified delivery against a compiled ping-pong over the same raw sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bench.bare import BOTH_WAYS, DOORBELL, POLLED
from bench.image import ROLE_NOTIFIED, Bench, bench
from bench.options import Options
from bench.pirace import configuration, prepare
from bench.probe import Probe
from bench.report import Report
from bench.series import compare, interleave
from emu.workload.program import GUEST_NOTHING

AT_MOST: Final = 1.15
MICROSECOND: Final = 1e6


def contenders(ready: Bench, count: int) -> dict[str, Callable[[], float]]:
    """Return the loops, each as microseconds for one way."""
    plain = configuration("remote-post", "always-2021")
    stays_in = replace(plain, scenario=replace(plain.scenario, guest_menu=(GUEST_NOTHING,)))

    def measure(role: int, ways: int) -> Callable[[], float]:
        return lambda: ready.seconds(role, count, 2) * MICROSECOND / ways

    return {
        "pirace: post, IPI, guest handler": lambda: (
            ready.seconds(ROLE_NOTIFIED, count, 2, prepare(stays_in)) * MICROSECOND
        ),
        "raw: doorbell, message": measure(DOORBELL, 1),
        "raw: message, polled for": measure(POLLED, 1),
        "raw: message to and fro, a half": measure(BOTH_WAYS, 2),
    }


def benchmark(options: Options) -> Report:
    """Race them."""
    report = Report("notified", "one notified delivery, from the post to the guest's handler")
    count = 2_000 if options.quick else 20_000
    with bench() as ready:
        series = interleave(contenders(ready, count), "us", options.repeats(9), Probe())
    report.add(*series.values())
    pirace, *others = series.values()
    for other in others:
        report.targets.append(compare(f"pirace / {other.name}", pirace, other, AT_MOST))
    report.remarks.append("All in pCPU processes, on their sockets, with their waits; the answer is a shared word.")
    return report
