"""``pirace history`` races what stands for a bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.cli.main import main
from tests.race.conftest import LONGEST_SECONDS, two_processors
from tests.validator import records_in

pytestmark = pytest.mark.timeout(60 + 2 * LONGEST_SECONDS)


@pytest.mark.skipif(not two_processors(), reason="these races need two processors")
def test_a_bug_is_caught_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On processes, which end soon after: the seconds are those of the race."""
    file = tmp_path / "history.jsonl"
    arguments = ["--stress", "B02", "--seconds", str(LONGEST_SECONDS), "--seed", "7", "--json", str(file)]
    assert main(["history", "--run", *arguments]) == 0
    assert "B02 device-irq x skip-running-2020: raced: caught by C2" in capsys.readouterr().out
    first, line = records_in(file)
    assert first["seed"] == 7
    assert line["raced"]["verdict"] == "VIOLATION"
    assert 0 < line["raced"]["seconds"] <= 2 * LONGEST_SECONDS
    assert line["explored"] is None
