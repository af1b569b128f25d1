"""Benchmark 11: the explorer with two workers against one, with what there is to learn learnt before."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

from bench.options import BenchError, Options
from bench.report import Report
from bench.series import Series, Target
from emu.expected import policy_by_name
from hosts.explorer.build import Builder
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.options import Options as Bounds
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import DEFAULT, scope_of
from hosts.loader.program import Program, load_program
from hosts.report.environment import processors

POLICY: Final = "elide-self-2022"
QUICK: Final = "post:34 post:34 | post:35 | device"
WORKERS: Final = (1, 2)
PATIENCE: Final = 600.0
MEMORY: Final = 4 << 30
SPEED_UP: Final = 1.7


def measure(program: Program, text: str, workers: int, learning: Learning) -> tuple[Result, float]:
    """Explore; return the seconds too."""
    before = time.monotonic()
    builder = Builder(program, scope_of(None, text), policy_by_name(POLICY).number)
    result, _, _ = explore(builder, Bounds(workers=workers, seconds=PATIENCE, max_bytes=MEMORY), None, learning)
    if not result.complete:
        raise BenchError(f"{text}: {workers} workers did not finish: {', '.join(result.bounded_by)}")
    return result, time.monotonic() - before


def benchmark(options: Options) -> Report:
    """Measure both in turns."""
    text = QUICK if options.quick else DEFAULT
    report = Report("workers", f"two workers against one, {POLICY}, {text}, {processors()} processors")
    report.head = ("workers", "median", "minimum", "maximum", "unit", "distance")
    program = load_program()
    seconds: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        learning = Learning(Files(Path(folder)))
        _, cold = measure(program, text, WORKERS[-1], learning)
        for _ in range(options.repeats(10)):
            for workers in WORKERS:
                result, took = measure(program, text, workers, learning)
                seconds[workers].append(took)
                found.add((result.states, result.transitions, result.depth))
    if len(found) != 1:
        raise BenchError(f"not all found the same: {found}")
    for workers in WORKERS:
        series = Series(str(workers), "s", tuple(seconds[workers]))
        report.add_row(series.cells(), series.record())
    ratios = sorted(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
    about = "one worker's seconds over those of two"
    report.targets.append(Target(about, ratios[len(ratios) // 2], SPEED_UP, True, (ratios[0], ratios[-1])))  # noqa: FBT003
    report.remarks.append(f"With nothing learnt before, two workers took {cold:.1f} s.")
    return report
