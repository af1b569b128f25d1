"""SIGKILL of every part of a real soak, at random moments: what is reported, how soon, and what is left."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.options import BenchError, Options
from bench.report import Report
from bench.series import Target, spread
from bench.soaking import PATIENCE, ROLES, Heard, Role, Soaking, eventually
from hosts.soak.store.writer import Campaign
from hosts.soak.view.export import run_record

KILLS: Final = 200
QUICK_KILLS: Final = 20
TOLD_SECONDS: Final = 2.0
SOAKED: Final = ("--each", "0.2s", "--scenario", "remote-post", "--scenario", "kick", "--place", "unpinned")
MOMENTS: Final = 0.5
"""Seconds within which a kill is drawn: more than a run and what lies between two."""


@dataclass
class Killed:
    """What was seen of a campaign that was killed again and again."""

    told: dict[Role, list[float]] = field(default_factory=dict)
    """Seconds from each kill until it was told; of the coordinator, until nothing of the soak was left."""
    exploring: list[float] = field(default_factory=list)
    """The same, of the fork servers among them that nothing ran through, since the soak was exploring."""
    wrong: list[str] = field(default_factory=list)
    """What must not be."""
    verdicts: Counter[str] = field(default_factory=Counter)
    cut_off: int = 0
    retried: int = 0


def kill_again_and_again(kills: int, seed: int) -> Killed:
    """Soak, and kill; each part as often as the others."""
    draw = random.Random(seed)  # noqa: S311
    victims = [ROLES[number % len(ROLES)] for number in range(kills)]
    draw.shuffle(victims)
    seen = Killed({role: [] for role in ROLES})
    with Soaking(*SOAKED, "--seed", str(seed)) as soak:
        soak.start()
        soak.next_good_run()
        while victims:
            time.sleep(draw.random() * MOMENTS)  # what makes the moment a random one
            exploring = "fork server" in victims and bool(soak.of_role("fork server")) and soak.explores()
            role = _next(victims, exploring=exploring)
            seen.told[role].append(_kill(soak, role, draw.randrange(8), seen))
            if exploring:
                seen.exploring.append(seen.told[role][-1])
            soak.next_good_run()
        soak.stop()
        seen.wrong += [f"left behind at the end: {each}" for each in soak.left()]
        _settle(soak, seen)
    return seen


def _next(victims: list[Role], *, exploring: bool) -> Role:
    """Take the next victim: of a soak that explores the fork server, since no run ends by its death."""
    return victims.pop(victims.index("fork server") if exploring else 0)


def _kill(soak: Soaking, role: Role, which: int, seen: Killed) -> float:
    """Kill one; return the seconds until that is reported, or all is gone."""
    pid = soak.kill(role, which)
    if role != "coordinator":
        return soak.hear_until(lambda heard: _tells(heard, role, pid), f"the death of {role} {pid}").at - soak.killed_at
    while soak.hear() is not None:
        pass
    if not eventually(lambda: not soak.processes()):
        seen.wrong.append(f"{PATIENCE:g} s after the coordinator's death there is still {soak.processes()}")
    gone = time.monotonic() - soak.killed_at
    seen.wrong += [f"left behind by a killed coordinator: {path}" for path in soak.temporary.rglob("*")]
    soak.start()
    return gone


def _tells(heard: Heard, role: Role, pid: int) -> bool:
    """Return whether a line reports this death, and no other.

    A run names its pCPUs by what they are: only the record of a run counts there. Records come in the order of the
    runs, and a good one has been heard since the last kill.
    """
    if role == "pCPU":
        return bool(heard.run) and re.search(r"\bpCPU \d+ was killed by SIGKILL", heard.line) is not None
    return re.search(rf"\b{role} {pid} was killed by SIGKILL", heard.line) is not None


def _settle(soak: Soaking, seen: Killed) -> None:
    """Compare the campaign's file with what was reported while it was written."""
    with Campaign.read(soak.folder) as campaign:
        rows = list(campaign.rows())
        tallied = sum(tally.runs for tally in campaign.tallies().values())
    records = {row.id: run_record(row) for row in rows}
    finished = [row for row in rows if row.state == "finished"]
    seen.verdicts.update(row.result.verdict for row in finished if row.result is not None)
    seen.cut_off = sum(row.state == "interrupted" for row in rows)
    seen.retried = sum(row.attempts > 1 for row in rows)
    told = Counter(run["id"] for run in soak.runs if run.get("record") == "run")
    seen.wrong += [f"run {number} was told {times} times" for number, times in told.items() if times > 1]
    seen.wrong += [
        f"run {run['id']} is not in the file as it was told"
        for run in soak.runs
        if run.get("record") == "run" and records.get(run["id"]) != _known_later(run, records)
    ]
    if [row.id for row in rows] != list(range(1, len(rows) + 1)):
        seen.wrong.append("the numbers of the runs have gaps")
    if tallied != len(finished):
        seen.wrong.append(f"{len(finished)} runs are finished, and {tallied} are counted")
    if len({row.task.seed for row in rows}) != len(rows):
        seen.wrong.append("a seed was used twice")
    seen.wrong += [f"run {row.id} is {row.state}" for row in rows if row.state == "running"]
    for row in finished:
        if row.result is None or not {"verdict", "counts", "windows"} <= row.result.record.keys():
            seen.wrong.append(f"run {row.id} is not whole")
        elif row.result.verdict == "VIOLATION" and row.task.mutation is None:
            seen.wrong.append(f"run {row.id}: a false alarm: {row.result.reason}")
        elif row.result.disagreements:
            seen.wrong.append(f"run {row.id}: {row.result.disagreements}")


def _known_later(run: dict[str, Any], records: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return a record as it was reported, but for the path of what was kept, which reads as the reader's."""
    kept = records.get(run["id"], {}).get("kept")
    if kept is not None and not Path(kept).is_dir():
        return {}
    return {**run, "kept": kept}


def benchmark(options: Options) -> Report:
    """Kill, and say what was seen."""
    kills = options.repeats(KILLS, QUICK_KILLS)
    try:
        seen = kill_again_and_again(kills, options.seed)
    except OSError as error:
        raise BenchError(str(error)) from error
    report = Report("kills", f"{kills} SIGKILLs of a soak's parts at random moments, s until they are told")
    report.head = ("", "kills", "median", "min", "max")
    for role, seconds in seen.told.items():
        if seconds:
            name = role if role != "coordinator" else "coordinator (until nothing is left)"
            report.add_row((name, str(len(seconds)), *spread(seconds)), {"killed": role, "seconds": seconds})
    if seen.exploring:
        cells = ("of the fork servers, while exploring", str(len(seen.exploring)), *spread(seen.exploring))
        report.add_row(cells, {"killed": cells[0], "seconds": seen.exploring})
    worst = max(seconds for each in seen.told.values() for seconds in each)
    report.targets.append(Target("the latest told", worst, TOLD_SECONDS, unit="s"))
    report.targets.append(Target("lost, counted twice, left behind, false alarms", len(seen.wrong), 0, unit=""))
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in seen.verdicts.most_common())
    report.remarks.append(f"Runs: {verdicts}; {seen.retried} were done again, {seen.cut_off} were cut off.")
    report.remarks += seen.wrong
    return report
