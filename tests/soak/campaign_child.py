"""Starts the programs of :mod:`tests.soak.campaign_writer`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

TOP = Path(__file__).parents[2]


class Child:
    """One of them, with its lines."""

    def __init__(self, what: str, folder: Path, number: int = 0) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.campaign_writer", what, str(folder), str(number)],
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        """Return it a line; give the line that it answers."""
        assert self.process.stdin is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return self.line()

    def line(self) -> dict[str, Any]:
        """Return its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the child has ended"
        told: dict[str, Any] = json.loads(line)
        return told

    def lines(self) -> list[dict[str, Any]]:
        """Return all that it still has to say."""
        assert self.process.stdout is not None
        return [json.loads(line) for line in self.process.stdout]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
