"""Benchmark 10: what exploring costs as the work grows: more senders, deeper store buffers."""

from __future__ import annotations

import time
from typing import Final

from bench.options import Options
from bench.report import Report
from bench.series import number
from emu.expected import policy_by_name
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options as Bounds
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program

POLICY: Final = "elide-self-2022"
SENDERS: Final = ("post:0x34", "post:0x35", "post:0xf6", "post:0x34")
"""Each posts a vector of its own, as often as the guest can tell apart: once. There are three; a fourth sender does
what the first does, so that one state stands for both orders of the two."""
QUICK_SENDERS: Final = 2
GUEST: Final = "guest=cpuid,hlt | timers=0"
BUFFERS: Final = (1, 2, 3)
PATIENCE: Final = 300.0
MEMORY: Final = 4 << 30


def scope(senders: int) -> str:
    """Write the scope with so many senders."""
    return " | ".join((*SENDERS[:senders], GUEST))


def measure(program: Program, senders: int, buffer: int, patience: float) -> tuple[Result, float]:
    """Explore one of them; return the seconds too, from the loaded protocol to the verdict."""
    before = time.monotonic()
    builder = Builder(program, scope_of(None, scope(senders)), policy_by_name(POLICY).number)
    result, _, _ = explore(builder, Bounds(buffer=buffer, seconds=patience, max_bytes=MEMORY))
    return result, time.monotonic() - before


def benchmark(options: Options) -> Report:
    """Explore all of them."""
    report = Report("scopes", f"the explorer's cost as the work grows, {POLICY}, a guest that exits and halts")
    report.head = ("senders", "buffer", "states", "transitions", "seconds", "megabytes", "bytes/state", "verdict")
    program = load_program()
    patience = options.seconds(PATIENCE, quick=20.0)
    measure(program, 1, 1, patience)  # so that the loops are compiled
    for senders in range(1, (QUICK_SENDERS if options.quick else len(SENDERS)) + 1):
        for buffer in BUFFERS:
            result, seconds = measure(program, senders, buffer, patience)
            tabulate(report, senders, buffer, result, seconds)
    report.remarks.append("Bounded (buffer): a store has waited for room, so that a deeper buffer may show more.")
    return report


def tabulate(report: Report, senders: int, buffer: int, result: Result, seconds: float) -> None:
    """Add one of them to the table."""
    verdict = "clean" if result.complete else f"bounded ({', '.join(result.bounded_by)})"
    if result.violation is not None:
        verdict = "violation"
    megabytes = result.bytes / 1e6
    figures = (number(seconds), number(megabytes), number(result.bytes_per_state))
    report.add_row(
        (str(senders), str(buffer), f"{result.states:,}", f"{result.transitions:,}", *figures, verdict),
        {
            "senders": senders,
            "buffer": buffer,
            "states": result.states,
            "transitions": result.transitions,
            "seconds": seconds,
            "bytes": result.bytes,
            "bounded_by": result.bounded_by,
            "verdict": verdict,
        },
    )
