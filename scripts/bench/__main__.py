"""The benchmarks' command line: ``scripts/bench/run``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.options import BenchError, MissingError, Options, positive, whole
from bench.report import Report
from hosts.report.environment import environment

BENCHMARKS: Final = {
    "naive": "the stress loop one would write today against pirace: rounds and sightings a second",
    "notified": "one notified delivery against a compiled ping-pong over the same raw sockets",
    "selfpost": "one elided self-post against the bare loop, and against a sent one",
    "cforms": "functions in C against the same in Python, raced and explored",
    "sightings": "time to the first sighting of every mutation that hardware can show",
    "compile": "cold and warm: first verdict, first round, the whole default run",
    "many": "32 pCPUs on the processors there are",
    "memory": "private memory for each further pCPU",
    "falsealarms": "correct protocols under outside load: no violation",
    "kills": "SIGKILL of a soak's parts at 200 random moments: how soon it is told, what is lost (nothing)",
    "leaks": "2,000 short configurations in one soak: descriptors, threads, sockets, memory",
    "spin": "the explorer against SPIN on SPIN's own model of the same protocol and scope",
    "scopes": "the explorer's cost as the work grows: senders, depth of the store buffer",
    "workers": "the explorer with two workers against one",
}
MODULE: Final = {"compile": "compiling"}


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    lines = [f"  {name:<12}{about}" for name, about in BENCHMARKS.items()]
    made = argparse.ArgumentParser(
        prog="scripts/bench/run",
        description="Benchmarks, each a small table; ratios come from one interleaved run, a probe beside each sample.",
        epilog="benchmarks:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "names", nargs="+", metavar="NAME", choices=["all", *BENCHMARKS], help="all, or some of the below"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="also write all samples, as JSON lines")
    made.add_argument("--quick", action="store_true", help="a look, not a measurement: short runs, few repeats")
    made.add_argument("--repeats", type=whole, metavar="N", help="how many turns each contender has")
    made.add_argument("--seed", type=whole, default=1, help="first seed (default: 1)")
    made.add_argument("--minutes", type=positive, default=10.0, help="length of falsealarms (default: 10)")
    return made


def chosen(names: Iterable[str]) -> list[str]:
    """Return the benchmarks to run, in the order of the list."""
    wanted = set(names)
    return [name for name in BENCHMARKS if "all" in wanted or name in wanted]


def run(name: str, options: Options) -> Report:
    """Run one benchmark."""
    load = os.getloadavg()[0]
    report: Report = importlib.import_module(f"bench.{MODULE.get(name, name)}").benchmark(options)
    report.remarks.append(f"Load average of the machine before this benchmark: {load:.2f}.")
    return report


def tell(path: Path | None, mode: str, records: Iterable[dict[str, object]]) -> None:
    """Write records into the file, if one is wanted."""
    if path is not None:
        with path.open(mode, encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 0 if all of it ran, whatever the figures are; 3 if a peer is not installed."""
    asked = parser().parse_args(arguments)
    options = Options(asked.quick, asked.seed, asked.minutes, asked.repeats)
    failed, missing = False, False
    tell(asked.json, "w", [environment(options.seed, 0.0, "pinned", ["scripts/bench/run", *sys.argv[1:]])])
    for name in chosen(asked.names):
        try:
            report = run(name, options)
        except BenchError as error:
            print(f"{name}: {error}\n", file=sys.stderr, flush=True)
            missing = missing or isinstance(error, MissingError)
            failed = failed or not isinstance(error, MissingError)
            continue
        print("\n".join(report.lines()), "\n", flush=True)
        tell(asked.json, "a", report.all_records())
    return 1 if failed else 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
