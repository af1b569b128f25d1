"""What the sweep of temporary folders takes, and what it never does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from hosts import rundir
from hosts.rundir import PREFIX, RunFolder, sweep
from hosts.soak.store.lock import LOCK
from hosts.soak.view.hints import FOLDER


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary folders made in a folder of the test's own."""
    monkeypatch.setattr(rundir, "base_folder", lambda: tmp_path)
    return tmp_path


def test_what_the_dead_have_left_goes_however_much_of_it_was_removed(base: Path) -> None:
    """One that was being removed when its owner was killed, and one that was just being made."""
    for name, files in (("whole", ("stacks", "listener-x")), ("half", ("stacks",)), ("empty", ())):
        (base / f"{PREFIX}{name}").mkdir()
        for file in files:
            (base / f"{PREFIX}{name}" / file).touch()
    sweep(base)
    assert list(base.iterdir()) == []


def test_a_folder_with_an_owner_stays(base: Path) -> None:
    """However empty it is, until it is closed."""
    with RunFolder() as folder:
        sweep(base)
        assert list(base.iterdir()) == [folder]
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("name", [FOLDER, "pirace-monday", "pirace-run-1"])
def test_a_campaign_among_the_temporary_files_stays(base: Path, name: str) -> None:
    """Nobody holds its lock, since nothing soaks there now; it is the user's all the same."""
    campaign = base / name
    campaign.mkdir(mode=0o700)
    (campaign / LOCK).touch()
    (campaign / "campaign.sqlite").write_text("Friday to Monday")
    sweep(base)
    with RunFolder():
        pass
    assert (campaign / "campaign.sqlite").read_text() == "Friday to Monday"


def test_a_file_or_a_link_of_that_name_is_not_followed(base: Path) -> None:
    """Only folders are made."""
    (base / "elsewhere").mkdir()
    (base / f"{PREFIX}file").touch()
    (base / f"{PREFIX}link").symlink_to(base / "elsewhere")
    sweep(base)
    assert len(list(base.iterdir())) == 3


def test_a_sweep_between_the_making_and_the_locking_costs_another_try(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that is given exists, and is locked."""
    make, made = tempfile.mkdtemp, []

    def swept(**how: Any) -> str:
        path = make(**how)
        made.append(path)
        if len(made) == 1:
            sweep(base)
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", swept)
    with RunFolder() as folder:
        assert (str(folder), len(made)) == (made[1], 2)
        sweep(base)
        assert folder.is_dir()
