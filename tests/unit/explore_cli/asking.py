"""Asks ``pirace explore`` for something, with an engine that does what a test says."""

from __future__ import annotations

from typing import Any

import pytest

from emu.observe.accounting import CHECKS
from hosts.cli.explore import ExploreOptions, explore_command

C1_34 = CHECKS.index("C1") << 8 | 0x34
C2_61 = CHECKS.index("C2") << 8 | 0x61
C7_34 = CHECKS.index("C7") << 8 | 0x34
SEEDED = ExploreOptions(("remote-post",), ("always-2021",), ("no-entry-barrier",))


def run(given: ExploreOptions, engine: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit status and what was printed."""
    return explore_command(given, lambda _policy: engine), capsys.readouterr().out
