"""Several processes on one folder: one writes, any number read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.soak.errors import Busy
from hosts.soak.store.writer import CUT_OFF, Campaign
from hosts.soak.view.status import Status
from tests.soak.campaign_child import Child

pytestmark = pytest.mark.timeout(60)

LOOKS = 20


def test_a_second_soak_on_a_folder_is_refused_and_harmless(tmp_path: Path) -> None:
    """It names the process that is there; that one's runs stay running."""
    with Child("held", tmp_path) as child:
        pid = child.line()["up"]
        for way in (lambda: Campaign.resume(tmp_path), lambda: Campaign.create(tmp_path, {})):
            with pytest.raises(Busy, match=f"process {pid}") as caught:
                way()
            assert caught.value.exit_code == 64
        with Campaign.create(tmp_path / "other", {}) as other:
            assert other.in_use()
        with Campaign.read(tmp_path) as reader:
            assert reader.in_use()
            assert reader.sessions()[0].ended == ""


def test_a_killed_soak_leaves_no_lock(tmp_path: Path) -> None:
    """Its lock goes with it."""
    with Child("held", tmp_path) as child:
        child.line()
    with Campaign.read(tmp_path) as reader:
        assert not reader.in_use()
    with Campaign.resume(tmp_path) as campaign:
        assert len(campaign.sessions()) == 2


def test_reading_does_not_block_a_soak(tmp_path: Path) -> None:
    """Whoever asks whether the folder is in use holds its lock for an instant only."""
    Campaign.create(tmp_path, {}).close()
    with Campaign.read(tmp_path) as reader:
        assert not reader.in_use()
        with Campaign.resume(tmp_path):
            assert reader.in_use()


def test_a_reader_sees_whole_runs_while_another_process_writes(tmp_path: Path) -> None:
    """Each look is one moment: what it counts agrees with itself, and never goes back.

    Seen to fail without the snapshot: rates and tallies of different moments.
    """
    before = 0
    with Child("write", tmp_path, 100_000) as child:
        child.line()
        for _ in range(LOOKS):
            with Campaign.read(tmp_path) as reader, reader.snapshot():
                finished = [row.id for row in reader.rows(state="finished")]
                tallies = reader.tallies().values()
                status = Status.of(reader)
            assert len(finished) >= before
            before = len(finished)
            assert sum(tally.runs for tally in tallies) == sum(rate.runs for rate in status.rates) == before
            assert sum(tally.seconds for tally in tallies) == sum(finished) / 4
            assert sum(rate.sightings for rate in status.rates) == sum(number % 4 for number in finished)
            heard = before
            while heard < before + 3:  # it goes on meanwhile
                heard += child.line()["word"] == "finished"
    with Campaign.resume(tmp_path) as campaign:
        assert all(row.why == CUT_OFF for row in campaign.rows(ids=campaign.interrupted))
