"""``pirace stress`` as a user runs it, timed from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PIRACE: Final = Path(sys.executable).with_name("pirace")
_NAP: Final = 0.005


@dataclass
class Timed:
    """What a run of the command did, and when."""

    seconds: float
    first_verdict: float | None
    exit_code: int
    output: str
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def verdicts(self) -> str:
        """Count the verdicts."""
        found = Counter(result["verdict"] for result in self.results)
        return ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())


def stress(arguments: Sequence[str], limit: float, cache: Path | None = None) -> Timed:
    """Run ``pirace stress``, with an empty folder of compiled programs if one is given; wait at most ``limit``."""
    environment = os.environ | ({} if cache is None else {"XDG_CACHE_HOME": str(cache)})
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        records = Path(folder, "records")
        begun = time.monotonic()
        process = subprocess.Popen(
            [str(PIRACE), "stress", *arguments, "--json", str(records)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        first: float | None = None
        while process.poll() is None:
            if first is None and has_result(records):
                first = time.monotonic() - begun
            if time.monotonic() - begun > limit:
                process.kill()
            time.sleep(_NAP)
        seconds = time.monotonic() - begun
        if first is None and has_result(records):
            first = seconds
        output.seek(0)
        return Timed(seconds, first, process.returncode, output.read(), results(records))


def has_result(records: Path) -> bool:
    """Return whether a first row has been written."""
    return records.exists() and '"record": "result"' in records.read_text(encoding="utf-8")


def results(records: Path) -> list[dict[str, Any]]:
    """Read the rows."""
    if not records.exists():
        return []
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["record"] == "result"]
