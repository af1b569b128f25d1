"""A soak as typed, on workers that are made up."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from hosts.cli.soak import SoakOptions, soak_command
from hosts.soak.task import Result, Task
from tests.soak.fakes import FakeExecutor, Outcome, fine


def soak(folder: Path, executor: FakeExecutor | None = None, **given: Any) -> int:
    """Soak with a made-up executor."""
    made = executor if executor is not None else ending_after(3)
    return soak_command(SoakOptions(campaign=str(folder / "c"), **given), lambda _address: made)


def ending_after(count: int, outcome: Outcome = fine, **other: Any) -> FakeExecutor:
    """Return an executor in whose last task somebody presses Ctrl-C."""

    def until(task: Task, attempt: int) -> Result | BaseException | None:
        if attempt < count:
            return outcome(task, attempt)
        signal.raise_signal(signal.SIGINT)
        return None

    return FakeExecutor(until, **other)


CANARY_FIRST: dict[str, Any] = {"scenario": ("remote-post",), "place": ("unpinned",), "seed": 1}
"""Where the first task is a canary."""


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
