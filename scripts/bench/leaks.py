"""One soak of many short configurations: what it holds of the machine, counted between each two of them.

``python -m bench.leaks ROWS SEED FOLDER EACH [SCENARIO ...]`` is the soak; it writes a JSON line for each look.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from bench.options import BenchError, Options
from bench.report import Report
from bench.series import Target, number
from bench.soaking import TOP
from hosts.cli.soak import SoakOptions, soak_command
from hosts.soak.task import Result, Task
from hosts.soak.workers.local_executor import LocalExecutor

ROWS: Final = 2000
QUICK_ROWS: Final = 200
EACH: Final = 0.05
WARM: Final = 20
"""Looks before everything that is made once has been made."""
AT_MOST_KIB: Final = 4.0
"""KiB a configuration. A copy of a machine's words that is forgotten is two megabytes, a process object or a result
some tens of KiB. What SQLite's cache (two megabytes at most), the allocator and the tallies of further cells take comes
to an end, and is divided by ever more configurations: two megabytes by half of them is two KiB."""
QUICK_AT_MOST_KIB: Final = 100.0
"""The same where it is divided by two hundred only: a twentieth of a forgotten machine."""

Look = dict[str, int]


class Looking(LocalExecutor):
    """The ordinary executor, which looks at itself and its worker before each task, when nothing is under way."""

    def __init__(self, rows: int, tell: Callable[[dict[str, Look]], None]) -> None:
        super().__init__()
        self._left, self._tell = rows, tell

    def submit(self, function: Callable[..., Result], task: Task, file: Path | None) -> Future[Result]:  # type: ignore[override]
        """Count, then execute the task; after the last one end the soak as a batch system does."""
        if self.pid is not None:
            self._tell({"coordinator": look(os.getpid()), "worker": look(self.pid), "row": self._row(file)})
        self._left -= 1
        if self._left < 0:
            signal.raise_signal(signal.SIGTERM)
        return super().submit(function, task, file)

    @staticmethod
    def _row(file: Path | None) -> Look:
        """Count what lies about of earlier rows: this one's own folder is there already."""
        live = len(list(file.parents[1].iterdir())) if file is not None else 1
        return {"live": live, "temporary": len(list(Path(tempfile.gettempdir()).iterdir()))}


def look(pid: int) -> Look:
    """Count what a process holds."""
    held = [_target(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return {
        "fds": len(held),
        "sockets": sum(each.startswith("socket:") for each in held),
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
        "children": sum(
            len((task / "children").read_text(encoding="ascii").split()) for task in Path(f"/proc/{pid}/task").iterdir()
        ),
        "memory_files": sum("/machine" in line or "memfd:" in line for line in maps.splitlines()),
        "rss_kib": int(status["VmRSS"].split()[0]),
    }


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:
        return ""  # the one that lists the folder


def soak(rows: int, seed: int, folder: Path, each: float, scenarios: Sequence[str]) -> int:
    """Soak so many rows."""

    def tell(looked: dict[str, Look]) -> None:
        sys.stderr.write(json.dumps(looked) + "\n")

    options = SoakOptions(
        campaign=str(folder), each=each, seed=seed, scenario=scenarios, place=("unpinned",), quiet=True
    )
    return soak_command(options, lambda _address: Looking(rows, tell))


def looks(rows: int, seed: int, each: float = EACH, scenarios: Sequence[str] = ()) -> list[dict[str, Look]]:
    """Soak so many rows in a process of its own; return what was counted before each but the first."""
    with tempfile.TemporaryDirectory(prefix="leaks", dir="/tmp") as top:
        temporary = Path(top) / "tmp"
        temporary.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "bench.leaks", *map(str, (rows, seed, Path(top) / "campaign", each)), *scenarios],
            env={
                **os.environ,
                "TMPDIR": str(temporary),
                "PYTHONPATH": os.pathsep.join([str(TOP), str(TOP / "scripts")]),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        left = [str(path) for path in temporary.rglob("*")]
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    others = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    if done.returncode != 128 + signal.SIGINT or left:  # the status of a soak that somebody has ended
        raise BenchError(f"exit status {done.returncode}, left {left}: {others[-5:]} {done.stdout[-500:]}")
    return found


def counts(found: Sequence[dict[str, Look]]) -> dict[str, set[int]]:
    """Return all values that each count has had."""
    seen: dict[str, set[int]] = {}
    for looked in found:
        for who, held in looked.items():
            for name, value in held.items():
                if name != "rss_kib":
                    seen.setdefault(f"{who} {name}", set()).add(value)
    return seen


def slope(found: Sequence[dict[str, Look]], who: str) -> float:
    """Return the KiB of resident memory that a process gained by each row of the second half (a median of slopes).

    Theil and Sen's: a step, as an exploration or a cache makes it, does not pass for growth.
    """
    held = [looked[who]["rss_kib"] for looked in found]
    last = held[len(held) // 2 :]
    apart = max(1, len(last) // 3)
    return statistics.median((last[row + apart] - last[row]) / apart for row in range(len(last) - apart))


def benchmark(options: Options) -> Report:
    """Soak and count."""
    rows = options.repeats(ROWS, QUICK_ROWS)
    found = looks(rows, options.seed)
    report = Report("leaks", f"{rows} configurations of {EACH} s in one soak: what it holds between each two")
    report.head = ("", "after the first", "in the middle", "at the end", "KiB a row")
    for who in ("coordinator", "worker"):
        held = [looked[who]["rss_kib"] / 1024 for looked in found]
        grown = slope(found, who)
        cells = (number(held[0]), number(held[len(held) // 2]), number(held[-1]), number(grown))
        report.add_row((f"{who}, resident MB", *cells), {"process": who, "megabytes": held, "kib_a_row": grown})
        limit = AT_MOST_KIB if rows >= ROWS else QUICK_AT_MOST_KIB
        report.targets.append(Target(f"memory that the {who} gains", grown, limit, unit="KiB a row"))
    counted = counts(found[WARM:])
    for name, values in counted.items():
        spread = f"{min(values)} to {max(values)}" if len(values) > 1 else f"always {min(values)}"
        report.remarks.append(f"{name}: {spread}")
        report.records.append({"counted": name, "values": sorted(values)})
    unsteady = sum(len(values) > 1 for values in counted.values())
    report.targets.append(Target("counts that are not always the same", unsteady, 0, unit=""))
    return report


if __name__ == "__main__":
    sys.exit(soak(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), sys.argv[5:]))
