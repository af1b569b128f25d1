"""The steps of a campaign's runs, and what the file says of them afterwards."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hosts.soak.clock import Clock
from hosts.soak.errors import CampaignError, Refused, Unwritable
from hosts.soak.store.tallies import CanaryKey, Cell
from hosts.soak.store.writer import KEEP_EXPECTED, KEEP_UNEXPECTED, SOAK_ENDED, Campaign
from hosts.soak.task import Result, Task

TASK = Task(
    scenario="device-irq",
    policy="my/rule.py:trigger",
    mutation="no-barrier",
    pcpus=2,
    place="smt",
    processors=(3, 7),
    regime="delays",
    seed=(1 << 62) - 1,
    seconds=2.0,
)
PASSED = Result(verdict="PASS", as_expected=True, seconds=1.5)
FOUND = Result(
    verdict="VIOLATION",
    reason="C1 x 3, C5 x 1",
    as_expected=False,
    seconds=0.25,
    record={"violations": [{"check": "C1", "count": 3}, {"check": "C5", "count": 1}], "windows": {"a": 2, "b": 0}},
    notes=("stalled",),
    disagreements=("posts: 3 sent, 2 taken",),
    where="host:7",
    processors=(7, 3),
    files={"events.txt": b"events"},
)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Begin a campaign."""
    return Campaign.create(tmp_path / "soak", {"each": 2.0})


def test_a_run_is_a_row_before_it_begins(campaign: Campaign) -> None:
    """Whatever happens then, the file knows what was under way."""
    number = campaign.begin(TASK)
    with Campaign.read(campaign.folder) as reader:
        row = reader.row(number)
    assert (row.id, row.state, row.task, row.result) == (1, "running", TASK, None)
    assert campaign.live(number).is_dir()


@pytest.mark.parametrize("name", [b"a week end", b"50%?mode=ro#1", b"caf\xe9", b"two\nlines"])
def test_a_campaign_may_lie_anywhere(tmp_path: Path, name: bytes) -> None:
    """Whatever a folder can be called: SQLite is told its file as an address, in which some of that means something."""
    folder = tmp_path / os.fsdecode(name)
    Campaign.create(folder, {"each": 2.0}).close()
    with Campaign.read(folder) as reader:
        assert reader.settings == {"each": 2.0}
    assert list(tmp_path.iterdir()) == [folder]


def test_a_result_is_read_back_as_it_was_entered(campaign: Campaign) -> None:
    """All of it but the files, which lie in the kept folder beside what the run itself left."""
    number = campaign.begin(TASK)
    (campaign.live(number) / "machine").write_bytes(b"words")
    row = campaign.finish(number, FOUND)
    assert row.result == replace(FOUND, files={})
    assert row.kept == campaign.folder / "kept" / "1"
    assert {each.name: each.read_bytes() for each in row.kept.iterdir()} == {
        "events.txt": b"events",
        "machine": b"words",
    }
    assert not campaign.live(number).exists()


def test_files_that_are_not_kept_are_removed(campaign: Campaign) -> None:
    """A run that left nothing to keep leaves nothing."""
    number = campaign.begin(TASK)
    (campaign.live(number) / "machine").write_bytes(b"words")
    assert campaign.finish(number, PASSED).kept is None
    assert [each.name for each in campaign.folder.rglob("machine")] == []


@pytest.mark.parametrize(
    ("result", "room"), [(FOUND, KEEP_UNEXPECTED), (replace(FOUND, as_expected=True, disagreements=()), KEEP_EXPECTED)]
)
def test_a_cell_keeps_so_many_runs_whole(campaign: Campaign, result: Result, room: int) -> None:
    """A race that is found every second does not fill the disk; every row has its seed all the same."""
    rows = [campaign.finish(campaign.begin(replace(TASK, seed=seed)), result) for seed in range(room + 2)]
    assert [row.kept is not None for row in rows] == [True] * room + [False] * 2
    other = campaign.finish(campaign.begin(replace(TASK, place="package")), result)
    assert other.kept is not None
    assert campaign.finish(campaign.begin(TASK), result, keep=True).kept is not None
    assert campaign.finish(campaign.begin(replace(TASK, place="numa")), result, keep=False).kept is None


def test_a_resumed_campaign_knows_what_it_has_kept(campaign: Campaign) -> None:
    """The room of a cell is for the whole campaign, not for each start."""
    expected = replace(FOUND, as_expected=True, disagreements=())
    for _ in range(KEEP_EXPECTED):
        campaign.finish(campaign.begin(TASK), expected)
    campaign.close()
    with Campaign.resume(campaign.folder) as again:
        assert again.finish(again.begin(TASK), expected).kept is None


@pytest.mark.parametrize("name", ["../else", "a/b", "/etc/passwd", "..", ""])
def test_a_file_stays_in_its_folder(campaign: Campaign, name: str) -> None:
    """Names come from other machines."""
    number = campaign.begin(TASK)
    with pytest.raises(ValueError, match="no file name"):
        campaign.finish(number, replace(FOUND, files={name: b"x"}))
    assert campaign.row(number).state == "running"
    assert campaign.finish(number, PASSED).state == "finished"


def test_a_run_ends_once(campaign: Campaign) -> None:
    """A result that comes twice, or after an interruption, is refused: it would count twice."""
    finished, interrupted = campaign.begin(TASK), campaign.begin(TASK)
    campaign.finish(finished, PASSED)
    campaign.interrupt(interrupted, "Ctrl-C")
    for number in (finished, interrupted):
        for step in (
            lambda number=number: campaign.finish(number, FOUND),
            lambda number=number: campaign.interrupt(number, "again"),
            lambda number=number: campaign.retry(number, "died"),
        ):
            with pytest.raises(Refused, match="already"):
                step()
    assert campaign.row(finished).result == PASSED
    assert sum(tally.runs for tally in campaign.tallies().values()) == 1


def test_an_interrupted_run_is_a_row_with_all_it_left(campaign: Campaign) -> None:
    """It says why, and has no result."""
    number = campaign.begin(TASK)
    (campaign.live(number) / "machine").write_bytes(b"words")
    row = campaign.interrupt(number, "Ctrl-C")
    assert (row.state, row.why, row.result) == ("interrupted", "Ctrl-C", None)
    assert row.kept is not None
    assert (row.kept / "machine").read_bytes() == b"words"


def test_a_dead_worker_s_run_is_the_same_row(campaign: Campaign) -> None:
    """It counts once, names each death, and keeps what each attempt left, even if nothing else is kept of it."""
    number = campaign.begin(TASK)
    for attempt in (1, 2):
        (campaign.live(number) / "machine").write_bytes(b"attempt %d" % attempt)
        assert campaign.retry(number, f"death {attempt}").attempts == attempt + 1
        assert list(campaign.live(number).iterdir()) == []
    row = campaign.finish(number, PASSED)
    assert (row.id, row.attempts, row.died) == (number, 3, ("death 1", "death 2"))
    assert row.kept is not None
    assert {each.name: (each / "machine").read_bytes() for each in row.kept.iterdir()} == {
        "attempt-1": b"attempt 1",
        "attempt-2": b"attempt 2",
    }
    assert sum(tally.runs for tally in campaign.tallies().values()) == 1


def test_the_end_of_a_soak_interrupts_what_is_under_way(campaign: Campaign) -> None:
    """With Ctrl-C as with an error, unless it was killed."""
    number = campaign.begin(TASK)
    with pytest.raises(KeyError), campaign:
        raise KeyError
    with Campaign.read(campaign.folder) as reader:
        row = reader.row(number)
        (session,) = reader.sessions()
    assert (row.state, row.why) == ("interrupted", SOAK_ENDED)
    assert session.ended


def test_a_number_is_never_used_again(campaign: Campaign) -> None:
    """Over sessions too: a number names a run in reports and folders."""
    first = campaign.begin(TASK)
    campaign.close()
    with Campaign.resume(campaign.folder) as again:
        assert again.begin(TASK) == first + 1


def test_a_resumed_campaign_goes_on(campaign: Campaign) -> None:
    """Settings, rows and tallies are those of before; each start is a session with its environment."""
    campaign.finish(campaign.begin(TASK), FOUND)
    before = campaign.tallied().cells
    campaign.close()
    with Campaign.resume(campaign.folder, {"commit": "abc"}) as again:
        assert again.interrupted == ()
        assert again.settings == {"each": 2.0}
        assert again.tallies() == before
        assert [session.environment for session in again.sessions()] == [{}, {"commit": "abc"}]
        assert again.row(again.begin(TASK)).session == 2


def test_a_second_campaign_is_not_begun_over_the_first(campaign: Campaign) -> None:
    """Nor over what is left of one."""
    campaign.finish(campaign.begin(TASK), FOUND)
    campaign.close()
    with pytest.raises(Refused, match="--resume"):
        Campaign.create(campaign.folder, {})
    (campaign.folder / "campaign.sqlite").unlink()
    with pytest.raises(Refused, match="kept"):
        Campaign.create(campaign.folder, {})
    (campaign.folder / "campaign.sqlite-wal").touch()
    with pytest.raises(Refused, match="log"):
        Campaign.create(campaign.folder, {})


def test_what_is_read_is_not_written(campaign: Campaign) -> None:
    """A reader has no steps."""
    number = campaign.begin(TASK)
    with Campaign.read(campaign.folder) as reader:
        for step in (
            lambda: reader.begin(TASK),
            lambda: reader.interrupt(number, ""),
            lambda: reader.retry(number, ""),
        ):
            with pytest.raises(TypeError):
                step()
    assert campaign.row(number).state == "running"


# --- questions ---------------------------------------------------------------------------------------------------


def test_rows_are_found_by_what_they_are(campaign: Campaign) -> None:
    """By each column, by several, by number, from a number on, the newest first."""
    first = campaign.begin(TASK)
    campaign.finish(first, FOUND)
    second = campaign.begin(replace(TASK, canary=True, mutation=None, place="numa"))
    campaign.finish(second, PASSED)
    third = campaign.begin(replace(TASK, kind="explore", scenario="remote-post"))
    campaign.interrupt(third, "")
    fourth = campaign.begin(TASK)
    wheres: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [first, second, third, fourth]),
        ({"newest": True, "limit": 2}, [fourth, third]),
        ({"after": second}, [third, fourth]),
        ({"ids": [third, first]}, [first, third]),
        ({"ids": []}, []),
        ({"state": "finished"}, [first, second]),
        ({"kind": "explore"}, [third]),
        ({"scenario": "remote-post"}, [third]),
        ({"mutation": "no-barrier", "place": "smt"}, [first, third, fourth]),
        ({"canary": True}, [second]),
        ({"place": "numa"}, [second]),
        ({"verdict": "VIOLATION"}, [first]),
        ({"as_expected": False}, [first]),
        ({"kept": True}, [first]),
        ({"policy": "none"}, []),
    ]
    for where, wanted in wheres:
        assert [row.id for row in campaign.rows(**where)] == wanted, where
    with pytest.raises(Refused, match="no run 5"):
        campaign.row(5)


def test_many_rows_are_read_in_pages(campaign: Campaign) -> None:
    """Each once, and in order, whichever way one goes."""
    campaign._db.execute("PRAGMA synchronous = OFF")
    for _ in range(450):
        campaign.begin(TASK)
    assert [row.id for row in campaign.rows()] == list(range(1, 451))
    assert [row.id for row in campaign.rows(newest=True)] == list(range(450, 0, -1))


def test_a_cell_is_tallied(campaign: Campaign) -> None:
    """At once by the writer, from the file by a reader: the same."""
    campaign.finish(campaign.begin(TASK), FOUND)
    campaign.finish(campaign.begin(TASK), PASSED)
    campaign.interrupt(campaign.begin(TASK), "")
    campaign.begin(TASK)
    campaign.finish(campaign.begin(replace(TASK, regime="calm")), PASSED)
    tally = campaign.tallies()[Cell.of(TASK)]
    assert (tally.runs, tally.seconds, tally.sightings, dict(tally.windows)) == (2, 1.75, 4, {"a": 2})
    assert (tally.running, tally.interrupted, tally.last) == (1, 1, 4)
    assert (tally.unexpected, tally.first_unexpected, tally.disagreeing, tally.first_disagreeing) == (1, 1, 1, 1)
    assert dict(tally.verdicts) == {"VIOLATION": 1, "PASS": 1}
    with Campaign.read(campaign.folder) as reader:
        assert (reader.tallies(), reader.canaries()) == (campaign.tallies(), campaign.canaries())


def test_canaries_are_counted_by_scenario_and_placement(campaign: Campaign) -> None:
    """One is caught if the check that had to fire did; one that was cancelled says nothing."""
    canary = replace(TASK, canary=True)
    seen = replace(FOUND, as_expected=True)
    for task, result in [
        (canary, seen),
        (TASK, PASSED),
        (canary, replace(PASSED, verdict="INCONCLUSIVE", as_expected=None)),
        (TASK, PASSED),
        (TASK, PASSED),
        (canary, replace(PASSED, verdict="CANCELLED", as_expected=None)),
        (replace(canary, place="numa"), FOUND),
    ]:
        campaign.finish(campaign.begin(task), result)
    here, there = (campaign.canaries()[CanaryKey("device-irq", place)] for place in ("smt", "numa"))
    assert (here.runs, here.caught, here.last, here.last_caught, here.since) == (2, 1, 3, False, 2)
    assert (there.runs, there.caught, there.since) == (1, 0, 0)


def test_the_order_in_which_runs_end_does_not_matter(campaign: Campaign) -> None:
    """On a cluster the later often ends first."""
    canary = replace(TASK, canary=True)
    first, second, third, last = (campaign.begin(task) for task in (canary, TASK, canary, TASK))
    for number in (last, third, first, second):
        campaign.finish(number, replace(FOUND, as_expected=True) if number == first else PASSED)
    tally = campaign.canaries()[CanaryKey("device-irq", "smt")]
    assert (tally.last, tally.last_caught, tally.since) == (third, False, 1)
    with Campaign.read(campaign.folder) as reader:
        assert reader.canaries() == campaign.canaries()


# --- trouble -----------------------------------------------------------------------------------------------------


def test_a_step_that_fails_leaves_nothing_and_ends_the_soak(campaign: Campaign) -> None:
    """What the file has is whole and can be read; the writer does not go on as if nothing had been."""
    done, number = campaign.begin(TASK), campaign.begin(TASK)
    campaign.finish(done, PASSED)
    (pages,) = campaign._db.execute("PRAGMA page_count").fetchone()
    campaign._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to a full disk
    big = replace(FOUND, record={"counts": {str(n): n for n in range(5000)}}, files={})
    with pytest.raises(Unwritable, match="the disk is full") as caught:
        campaign.finish(number, big)
    assert (caught.value.exit_code, "\n" in str(caught.value)) == (3, False)
    with pytest.raises(Unwritable, match="earlier step"):
        campaign.begin(TASK)
    campaign.close()
    with Campaign.read(campaign.folder) as reader:
        assert {row.id: row.state for row in reader.rows()} == {done: "finished", number: "running"}
        assert sum(tally.runs for tally in reader.tallies().values()) == 1
    with Campaign.resume(campaign.folder) as again:
        assert again.interrupted == (number,)


def test_a_campaign_that_is_moved_away_ends_the_soak(campaign: Campaign) -> None:
    """Results are not written into a file that nobody can find any more."""
    number = campaign.begin(TASK)
    campaign.folder.rename(campaign.folder.with_name("elsewhere"))
    with pytest.raises(Unwritable, match="moved away or removed"):
        campaign.finish(number, PASSED)
    campaign.close()
    with Campaign.resume(campaign.folder.with_name("elsewhere")) as again:
        assert again.interrupted == (number,)


def test_a_lock_of_another_program_is_reported_in_one_line(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has the file open in a shell, in the middle of a change."""
    campaign._db.execute("PRAGMA busy_timeout = 1")
    stranger = sqlite3.connect(campaign.folder / "campaign.sqlite", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(CampaignError, match="another process keeps it locked") as caught:
        campaign.begin(TASK)
    assert caught.value.exit_code == 64
    stranger.close()
    campaign.close()


class Jumping(Clock):
    """Clocks that tests set."""

    def __init__(self) -> None:
        self.monotonic, self.day = 50.0, 1_700_000_000.0

    def now(self) -> float:
        """Return the time that only passes."""
        return self.monotonic

    def wall(self) -> float:
        """Return the time of day."""
        return self.day


@pytest.mark.parametrize("jump", [3600.0, -86400.0, 1e6])
def test_a_clock_that_jumps_changes_no_duration(tmp_path: Path, jump: float) -> None:
    """The jump is noted with the run that it fell into; rows keep their order, though their labels do not."""
    clock = Jumping()
    with Campaign.create(tmp_path, {}, clock=clock) as campaign:
        first = campaign.begin(TASK)
        clock.monotonic, clock.day = clock.monotonic + 2, clock.day + 2 + jump
        row = campaign.finish(first, PASSED)
        assert (row.elapsed, row.clock) == (2.0, jump)
        second = campaign.begin(TASK)
        clock.monotonic, clock.day = clock.monotonic + 3, clock.day + 3.01  # trimmed, as it always is
        later = campaign.finish(second, PASSED)
        assert (later.elapsed, later.clock) == (3.0, 0.0)
        assert [row.id for row in campaign.rows()] == [first, second]
        assert (later.began < row.began) == (jump < 0)
        assert campaign.sessions()[0].elapsed == 5.0
