"""A disk that is full, a folder that cannot be written to: one clear line, and the results so far are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hosts.soak.errors import Unwritable
from hosts.soak.store.schema import NOTHING_BEGUN
from hosts.soak.store.writer import Campaign
from tests.soak.campaign_child import Child
from tests.soak.campaign_writer import result_of, task_of

pytestmark = pytest.mark.timeout(60)


def one_line(told: dict[str, Any]) -> None:
    """See the one clear error."""
    assert (told["kind"], told["exit_code"]) == ("Unwritable", 3)
    assert "\n" not in told["error"]


@pytest.mark.parametrize("size", [300_000, 500_001, 1_000_000])
def test_a_file_that_may_not_grow_keeps_all_that_was_done(tmp_path: Path, size: int) -> None:
    """A limit on files, as a batch system sets it, or a quota; with more room the campaign goes on."""
    with Child("full", tmp_path, size) as child:
        told = child.line()
    one_line(told)
    with Campaign.read(tmp_path) as reader:
        states = {row.id: row.state for row in reader.rows()}
    finished = told["said"]["finished"]
    assert len(finished) > 3
    assert all(states[number] == "finished" for number in finished)
    with Campaign.resume(tmp_path) as campaign:
        assert len(campaign.interrupted) <= 1
        assert [row.id for row in campaign.rows(state="finished")] == finished
        campaign.finish(campaign.begin(task_of(1)), result_of(1))


def test_a_full_disk_keeps_all_that_was_done(tmp_path: Path) -> None:
    """For real, on a disk of a megabyte: it can be read while it is full, and goes on once there is room."""
    with Child("tiny", tmp_path, 1 << 20) as child:
        told = child.line()
        if "refused" in told:
            pytest.skip(f"no disk of one's own here: {told['refused']}")
        seen, resumed = child.line(), child.line()
    one_line(told)
    assert "full" in told["error"] or "No space left" in told["error"]
    finished = seen["said"]["finished"]
    assert len(finished) > 10
    assert [number for number in seen["states"] if seen["states"][number] == "finished"] == list(map(str, finished))
    assert resumed["resumed"] == {
        number: state.replace("running", "interrupted") for number, state in seen["states"].items()
    }


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    """Nothing can be begun or gone on with there; what is there can be read."""
    folder = tmp_path / "soak"
    with Campaign.create(folder, {}) as campaign:
        campaign.finish(campaign.begin(task_of(1)), result_of(1))
    (folder / "lock").chmod(0o444)
    (folder / "campaign.sqlite").chmod(0o444)
    folder.chmod(0o555)
    try:
        with Child("bare", folder) as child:
            created, resumed, read = child.lines()
    finally:
        folder.chmod(0o755)
    one_line(created)
    one_line(resumed)
    assert read == {"rows": [1]}


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("file/soak", "{0}/file/soak: cannot be made: {0}/file is no folder"),
        ("file/a/b", "{0}/file/a/b: cannot be made: {0}/file is no folder"),
        ("file", "{0}/file: is there, and is no folder"),
        ("dangling", "{0}/dangling: is there, and is no folder"),
        ("/proc/soak", "/proc/soak: cannot be made in /proc: No such file or directory"),
        ("/sys/soak", "/sys/soak: cannot be made in /sys: "),
        ("/sys", "/sys: cannot be written to: "),
    ],
)
def test_a_folder_that_cannot_be_made(tmp_path: Path, place: str, told: str) -> None:
    """For root too: what is in the way and what to do, nothing of results that cannot be there."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere/at/all")
    with pytest.raises(Unwritable) as caught:
        Campaign.create(tmp_path / place, {})
    said = str(caught.value)
    assert said.startswith(told.format(tmp_path))
    assert said.endswith("choose another folder (--campaign)")
    assert "kept" not in said
    assert "\n" not in said


def test_a_folder_may_not_be_made_there(tmp_path: Path) -> None:
    """By a user without root's rights, below a folder that others own."""
    tmp_path.chmod(0o555)
    try:
        with Child("bare", tmp_path / "a" / "b") as child:
            created, *_ = child.lines()
    finally:
        tmp_path.chmod(0o755)
    one_line(created)
    said = f"{tmp_path}/a/b: cannot be made in {tmp_path}: Permission denied; choose another folder (--campaign)"
    assert created["error"] == said


def test_a_disk_without_room_for_a_campaign(tmp_path: Path) -> None:
    """Nothing was begun, so nothing is kept."""
    with Child("full", tmp_path / "soak", 5_000) as child:
        told = child.line()
    one_line(told)
    assert told["error"].endswith(NOTHING_BEGUN)
