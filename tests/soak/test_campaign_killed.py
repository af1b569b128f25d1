"""SIGKILL of the writer at random moments, many times: nothing finished is lost, nothing counts twice.

The writer says what has returned, over a pipe; what it said, the file must have. Seen to fail with a result entered in
two transactions, with a kept folder made after the row, and with no look for runs that were cut off.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts.soak.store.rows import Row
from hosts.soak.store.writer import CUT_OFF, Campaign
from tests.soak.campaign_child import Child
from tests.soak.campaign_writer import DIES, KEEPS, files_of, is_interrupted, result_of, task_of

KILLS = 60
WORDS = 8
"""Words of a writer before it is killed; it says two or three for each run."""
MICROSECONDS = 3000
"""More than a run takes here, so the kill falls anywhere within one."""

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """Start what starts the writers."""
    with Child("killed", tmp_path) as child:
        yield child


class Known:
    """What the writers have said so far."""

    def __init__(self) -> None:
        self.said: dict[str, set[int]] = {
            word: set() for word in ("begun", "finished", "interrupted", "tried again", "cut off")
        }
        self.before = 0
        """Rows that there were after the last kill."""

    def hear(self, said: list[tuple[str, int]]) -> None:
        """Note it."""
        for word, number in said:
            assert number not in self.said[word], f"{word} twice"
            self.said[word].add(number)

    def check(self, campaign: Campaign) -> list[Row]:
        """Hold the file against it; give the rows."""
        rows = list(campaign.rows())
        assert [row.id for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) - max({self.before, *self.said["begun"]}) in (0, 1)
        self.before = len(rows)
        for row in rows:
            check_row(row)
            if row.state == "running":
                assert row.id == len(rows)
                assert not {row.id} & (self.said["finished"] | self.said["interrupted"] | self.said["cut off"])
            if row.id in self.said["finished"]:
                assert row.state == "finished"
            if row.id in self.said["interrupted"] | self.said["cut off"]:
                assert row.state == "interrupted"
            if row.id in self.said["tried again"]:
                assert row.attempts == 2
        check_tallies(campaign, rows)
        return rows


def check_row(row: Row) -> None:
    """A row is all there, or it is not there yet."""
    number = row.id
    assert row.task == task_of(number)
    assert len(row.died) == row.attempts - 1 <= int(number % DIES == 0)
    if row.state == "interrupted":
        assert row.result is None
        assert row.why == "Ctrl-C" if is_interrupted(number) and row.why != CUT_OFF else row.why == CUT_OFF
    if row.state == "finished":
        wanted = result_of(number)
        assert row.result is not None
        assert (row.result.record, row.result.seconds) == (wanted.record, wanted.seconds)
        assert (row.kept is not None) == (number % KEEPS == 0 or number % DIES == 0)
        for name, content in files_of(number).items():
            assert row.kept is not None
            assert (row.kept / name).read_bytes() == content
            assert (row.kept / "machine").read_bytes() == b"%d" % number
    if row.state != "running" and row.attempts == 2:
        assert row.kept is not None
        assert (row.kept / "attempt-1" / "machine").read_bytes() == b"%d" % number


def check_tallies(campaign: Campaign, rows: list[Row]) -> None:
    """Each finished run counts once, and no other."""
    finished = [row.id for row in rows if row.state == "finished"]
    tallies = campaign.tallies().values()
    assert sum(tally.runs for tally in tallies) == len(finished)
    assert sum(tally.seconds for tally in tallies) == sum(finished) / 4
    assert sum(tally.sightings for tally in tallies) == sum(number % 4 for number in finished)
    assert sum(tally.windows["post-sees-in-guest"] for tally in tallies) == sum(number % 9 for number in finished)
    assert sum(tally.interrupted for tally in tallies) == sum(row.state == "interrupted" for row in rows)


@pytest.mark.slow
def test_a_writer_killed_at_random_moments_loses_nothing(child: Child, tmp_path: Path) -> None:
    """After each kill the file has what was said to be done, and one run at most is under way, whole or not at all.

    A run is under way for about half of the time, so that none of 60 kills meets one happens once in 2**60.
    """
    draw = random.Random(5)
    known = Known()
    cut_off: list[int] = []
    for _ in range(KILLS):
        answer = child.ask(words=draw.randrange(WORDS), microseconds=draw.randrange(MICROSECONDS))
        assert answer["signal"] == 9
        said = [(word, number) for word, number in answer["said"]]
        resumed = [number for word, number in said if word == "cut off"]
        assert not said or resumed == cut_off
        known.hear(said)
        if not (tmp_path / "campaign.sqlite").exists():  # killed before there was anything
            assert not said
            continue
        with Campaign.read(tmp_path) as campaign:
            rows = known.check(campaign)
        cut_off = [row.id for row in rows if row.state == "running"]
    with Campaign.resume(tmp_path) as campaign:
        assert list(campaign.interrupted) == cut_off
        known.hear([("cut off", number) for number in cut_off])
        known.check(campaign)
        assert not any((tmp_path / "live").iterdir())
        assert any(row.why == CUT_OFF for row in campaign.rows(state="interrupted"))
        assert campaign.begin(task_of(0)) == len(list(campaign.rows()))


@pytest.mark.parametrize("at", ["kept, not entered", "begun, not committed", "entered, not tidied"])
def test_a_writer_killed_in_the_middle_of_a_step_leaves_either_side_of_it(
    child: Child, tmp_path: Path, at: str
) -> None:
    """Between a file's move and its row's commit, a commit and what is tidied after it: the next start settles it."""
    said = []
    for _ in range(10):
        answer = child.ask(words=1000, microseconds=0, at=at)
        assert answer["signal"] == 9
        said += answer["said"]
    with Campaign.resume(tmp_path) as campaign:
        rows = list(campaign.rows())
        for row in rows:
            check_row(row)
        check_tallies(campaign, rows)
        assert not any((tmp_path / "live").iterdir())
        assert {row.state for row in rows} >= {"begun, not committed": set(), "kept, not entered": {"interrupted"}}.get(
            at, {"finished"}
        )
        if at == "kept, not entered":
            number = KEEPS
            assert campaign.row(number).state == "interrupted"
            assert (tmp_path / "kept" / str(number) / "events.txt").read_bytes() == files_of(number)["events.txt"]
