"""A campaign file that is none, not whole, or of another version: one clear line, and not a byte of it is touched."""

from __future__ import annotations

import os
import sqlite3
import struct
from pathlib import Path

import pytest

from hosts.errors import Failure
from hosts.soak.errors import CampaignError, Damaged, Refused
from hosts.soak.plan.choose import CampaignSettings
from hosts.soak.plan.settings import from_settings
from hosts.soak.store.schema import DATABASE, FORMAT
from hosts.soak.store.writer import Campaign
from tests.soak.campaign_writer import result_of, task_of

RUNS = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a campaign file."""
    folder = tmp_path_factory.mktemp("whole")
    with Campaign.create(folder, {}) as campaign:
        for number in range(1, RUNS + 1):
            campaign.finish(campaign.begin(task_of(number)), result_of(number))
    assert not (folder / (DATABASE + "-wal")).exists()
    return (folder / DATABASE).read_bytes()


def refused(folder: Path, kind: type[CampaignError], words: str) -> None:
    """See both ways of opening say the same in one line, and leave the file as it is."""
    path = folder / DATABASE
    before = path.read_bytes() if path.exists() else None
    for way in (Campaign.read, Campaign.resume):
        with pytest.raises(kind, match=words) as caught:
            way(folder)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == (3 if kind is Damaged else 64)
    assert (path.read_bytes() if path.exists() else None) == before


def put(folder: Path, content: bytes) -> None:
    """Make a campaign file."""
    (folder / DATABASE).write_bytes(content)


def with_version(content: bytes, version: int) -> bytes:
    """Return a file that says it is of another version."""
    return content[:60] + struct.pack(">i", version) + content[64:]


def test_a_whole_file_is_read(tmp_path: Path, whole: bytes) -> None:
    """The tests below take from this one."""
    put(tmp_path, whole)
    with Campaign.read(tmp_path) as campaign:
        assert len(list(campaign.rows(state="finished"))) == RUNS


def test_no_campaign(tmp_path: Path) -> None:
    """An empty folder, or none, is wrong usage."""
    refused(tmp_path, Refused, "no campaign there")
    refused(tmp_path / "none", Refused, "no campaign there")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("version", "words"), [(0, "an older pirace.*version is 0"), (FORMAT + 1, f"a newer pirace.*is {FORMAT + 1}")]
)
def test_a_file_of_another_version_is_refused_by_name(tmp_path: Path, whole: bytes, version: int, words: str) -> None:
    """It says which version wrote it, which is read, and what to do."""
    put(tmp_path, with_version(whole, version))
    refused(tmp_path, Damaged, words)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named_so(tmp_path: Path, whole: bytes, share: float) -> None:
    """Wherever it was cut, at a page's end too."""
    for size in (int(len(whole) * share), max(1, int(len(whole) * share) // 4096) * 4096):
        put(tmp_path, whole[:size])
        refused(tmp_path, Damaged, "truncated")


def test_an_empty_file_is_truncated(tmp_path: Path) -> None:
    """SQLite would take it for an empty database."""
    put(tmp_path, b"")
    refused(tmp_path, Damaged, "truncated")


@pytest.mark.parametrize("content", [b"hello, world\n" * 1000, os.urandom(8192), b"\0" * 4096])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    """Whatever its size."""
    put(tmp_path, content)
    refused(tmp_path, Damaged, "nor any database")


def test_a_database_of_something_else(tmp_path: Path) -> None:
    """A browser's history, say."""
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute("CREATE TABLE visit (url TEXT)")
    db.close()
    refused(tmp_path, Damaged, "not a campaign of pirace")


def test_a_page_of_rubbish(tmp_path: Path, whole: bytes) -> None:
    """The header is all right; what it leads to is not."""
    middle = len(whole) // 2 // 4096 * 4096
    put(tmp_path, whole[:middle] + b"\xa5" * 4096 + whole[middle + 4096 :])
    refused(tmp_path, Damaged, "damaged")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE detail SET result = substr(result, 2) WHERE id = 3", "run 3"),
        ("UPDATE detail SET task = replace(task, 'scenario', 'scenari') WHERE id = 3", "run 3"),
        ("UPDATE detail SET task = json_set(task, '$.more', 1) WHERE id = 3", "run 3"),
        ("UPDATE detail SET task = json_set(task, '$.pcpus', 'two') WHERE id = 3", "run 3"),
        ("UPDATE detail SET task = json_set(task, '$.regime', 'stormy') WHERE id = 3", "run 3"),
        ("UPDATE detail SET task = '[]' WHERE id = 3", "run 3"),
        ("UPDATE detail SET result = json_set(result, '$.more', 1) WHERE id = 3", "run 3"),
        ("UPDATE detail SET result = json_set(result, '$.notes', 7) WHERE id = 3", "run 3"),
        ("UPDATE detail SET result = json_set(result, '$.seconds', 'long') WHERE id = 3", "run 3"),
        ("UPDATE run SET windows = 'x' WHERE id = 3", "run 3"),
        ('UPDATE run SET windows = \'{"post-sees-in-guest": "x"}\' WHERE id = 3', "run 3"),
        ("UPDATE detail SET died = '\"once\"' WHERE id = 3", "run 3"),
        ("UPDATE session SET environment = '[]'", "a session"),
        ("UPDATE fact SET value = '[]'", "what it is about"),
        ("UPDATE session SET environment = '{'", "a session"),
    ],
)
def test_what_stands_on_sound_pages_may_be_rubbish(tmp_path: Path, whole: bytes, statement: str, what: str) -> None:
    """SQLite does not look at it."""
    put(tmp_path, whole)
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.execute(statement)
    db.close()
    with (
        Campaign.read(tmp_path) as campaign,
        pytest.raises(Damaged, match=f"damaged: {what} cannot be read") as caught,
    ):
        print(campaign.settings, campaign.sessions(), list(campaign.rows()), campaign.tallies())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_settings_that_do_not_fit_are_named() -> None:
    """A campaign of which nobody can say what it is about is not gone on with; what has no value has its default."""
    assert from_settings({"each": 2, "more": 1, "policy_sha256": None}) == CampaignSettings(each=2.0)
    with pytest.raises(Failure, match=r"cannot be read: Expected `str`, got `int` - at `\$.scenarios\[0\]`"):
        from_settings({"scenarios": [1]})


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """Or anything that cannot be read."""
    (tmp_path / DATABASE).mkdir()
    for way in (Campaign.read, Campaign.resume):
        with pytest.raises(Damaged, match="cannot be read"):
            way(tmp_path)


def test_a_start_that_was_killed_while_it_made_the_file_is_forgotten(tmp_path: Path) -> None:
    """The file gets its name when it is complete, so the next start finds none and makes it."""
    (tmp_path / (DATABASE + ".new")).write_bytes(b"half")
    (tmp_path / (DATABASE + ".new-wal")).write_bytes(b"a log")
    Campaign.create(tmp_path, {}).close()
    assert sorted(each.name for each in tmp_path.iterdir()) == [DATABASE, "kept", "live", "lock"]


def test_a_log_that_is_cut_costs_what_was_cut_and_no_more(tmp_path: Path) -> None:
    """Commits are replayed up to the last whole one. Seen to fail with a rollback journal in place of the log."""
    campaign = Campaign.create(tmp_path / "soak", {})
    for number in range(1, RUNS + 1):
        campaign.finish(campaign.begin(task_of(number)), result_of(number))
    log = (campaign.folder / (DATABASE + "-wal")).read_bytes()
    base = (campaign.folder / DATABASE).read_bytes()
    campaign.close()
    seen = set()
    for step, size in enumerate(range(0, len(log), len(log) // 40)):
        folder = tmp_path / str(step)
        folder.mkdir()
        put(folder, base)
        (folder / (DATABASE + "-wal")).write_bytes(log[:size])
        with Campaign.resume(folder) as again:
            rows = list(again.rows())
        assert [row.id for row in rows] == list(range(1, len(rows) + 1))
        assert all(row.state == "finished" for row in rows[:-1])
        seen.add(len(rows))
    assert len(seen) > RUNS // 2
