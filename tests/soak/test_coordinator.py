"""From task to row: what is begun ends as exactly one row, whatever its worker comes to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from hosts.errors import Failure
from hosts.runs.verdict import Verdict
from hosts.soak.coordinator import AFFINITY_LOST, ATTEMPTS, NOT_CAUGHT, Coordinator, Limits
from hosts.soak.placement.classes import Place
from hosts.soak.plan.choose import CampaignSettings, Chooser
from hosts.soak.store.rows import Row
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from hosts.soak.workers.failures import CannotRun, WorkerDied
from tests.soak.fakes import FakeExecutor, fine, result_of


class Clock:
    """Goes on by a second with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Look."""
        self.now += 1.0
        return self.now


class Seen:
    """Notes what it is shown."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.deaths: list[str] = []

    def began(self, _number: int, _task: Task) -> None:
        """Pass."""

    def ended(self, row: Row) -> None:
        """Note it."""
        self.rows.append(row)

    def died(self, _number: int, _task: Task, why: str) -> None:
        """Note it."""
        self.deaths.append(why)

    def tick(self) -> None:
        """Pass."""


SOME = Limits(40.0)
WANTED = CampaignSettings(scenarios=("remote-post",), policies=("always-2021",), seed=1)


def places(pcpus: int) -> list[Place]:
    """One class only."""
    return [Place("core-complex", tuple(range(pcpus)))]


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    """Return an empty one."""
    with Campaign.create(tmp_path / "c", {}) as made:
        yield made


def coordinator(campaign: Campaign, executor: FakeExecutor, limits: Limits = SOME) -> tuple[Coordinator, Seen]:
    """Put one together; the first task is the canary, and nothing is explored."""
    seen = Seen()
    return Coordinator(campaign, Chooser(WANTED, places, 1), executor, seen, limits, clock=Clock()), seen


def test_it_goes_on_until_the_time_is_over(campaign: Campaign) -> None:
    """Each task is a row, entered as the executor was given it, with a file of its own for the machine."""
    executor = FakeExecutor()
    one, seen = coordinator(campaign, executor)
    assert one.run() == "time"
    assert [row.task for row in campaign.rows()] == executor.tasks
    assert [row.id for row in seen.rows] == list(range(1, len(executor.tasks) + 1))
    assert executor.files == [campaign.live(row.id) / "machine" for row in seen.rows]
    assert {row.state for row in campaign.rows()} == {"finished"}


def test_a_task_whose_worker_died_is_done_again(campaign: Campaign) -> None:
    """In the same row, which says so."""

    def outcome(task: Task, attempt: int) -> Result | BaseException:
        return WorkerDied("worker 4711 was killed by SIGKILL") if attempt == 2 else fine(task)

    executor = FakeExecutor(outcome)
    one, seen = coordinator(campaign, executor)
    one.run()
    row = campaign.row(2)
    assert (row.state, row.attempts, row.died) == ("finished", 2, ("worker 4711 was killed by SIGKILL",))
    assert executor.tasks[1] == executor.tasks[2]
    assert seen.deaths == list(row.died)
    assert len(list(campaign.rows())) == len(executor.tasks) - 1


def test_a_task_that_kills_its_workers_is_given_up(campaign: Campaign) -> None:
    """After some attempts it is a crash, and the campaign goes on."""

    def outcome(task: Task, attempt: int) -> Result | BaseException:
        return WorkerDied("worker was killed by SIGKILL") if 2 <= attempt < 2 + ATTEMPTS else fine(task)

    one, _ = coordinator(campaign, FakeExecutor(outcome))
    one.run()
    row = campaign.row(2)
    assert row.result is not None
    assert (row.result.verdict, row.attempts) == (Verdict.CRASH, ATTEMPTS)
    assert "SIGKILL" in row.result.reason
    assert campaign.row(3).state == "finished"


def test_a_stop_ends_the_run_under_way_which_is_a_row(campaign: Campaign) -> None:
    """Nothing more is begun."""
    made: list[Coordinator] = []

    def outcome(task: Task, attempt: int) -> Result | None:
        if attempt < 3:
            return fine(task)
        made[0].stop()
        return None

    executor = FakeExecutor(outcome)
    one, _ = coordinator(campaign, executor, Limits())
    made.append(one)
    assert one.run() == "interrupted"
    assert executor.cancels == 1
    verdicts = [row.result.verdict for row in campaign.rows() if row.result is not None]
    assert verdicts == ["VIOLATION", "PASS", "CANCELLED"]


def test_a_task_that_waits_for_a_worker_at_the_stop_is_a_row(campaign: Campaign) -> None:
    """Interrupted: nobody had begun it."""
    made: list[Coordinator] = []

    class Waiting(FakeExecutor):
        def cancel_running(self) -> None:
            self.cancels += 1
            for future, _ in self._open:
                future.set_exception(CancelledError())

    def outcome(_task: Task, _attempt: int) -> None:
        made[0].stop()

    one, _ = coordinator(campaign, Waiting(outcome), Limits())
    made.append(one)
    assert one.run() == "interrupted"
    assert (campaign.row(1).state, campaign.row(1).why) == ("interrupted", "the soak was ended before it was begun")


def test_a_task_that_does_not_end_is_cancelled_again(campaign: Campaign) -> None:
    """The second time its worker is killed, and the row is interrupted."""
    made: list[Coordinator] = []

    class Stubborn(FakeExecutor):
        def cancel_running(self) -> None:
            self.cancels += 1
            for future, _ in self._open if self.cancels > 1 else ():
                future.set_exception(WorkerDied("worker was killed"))

    def outcome(_task: Task, _attempt: int) -> None:
        made[0].stop()

    executor = Stubborn(outcome)
    one, _ = coordinator(campaign, executor, Limits())
    made.append(one)
    assert one.run() == "interrupted"
    assert executor.cancels == 2
    assert campaign.row(1).state == "interrupted"
    assert "worker was killed" in campaign.row(1).why


def test_a_pass_after_a_missed_canary_is_untrustworthy(campaign: Campaign) -> None:
    """Until one is caught; a session later too."""

    def missed(task: Task, attempt: int) -> Result:
        return result_of(task, Verdict.INCONCLUSIVE) if task.canary and attempt < 4 else fine(task)

    one, _ = coordinator(campaign, FakeExecutor(missed), Limits(100.0))
    one.run()
    canaries = [row.id for row in campaign.rows(canary=True)]
    doubted = [row.id for row in campaign.rows(verdict="UNTRUSTWORTHY")]
    assert canaries[:2] == [1, 7]
    assert doubted == [2, 3, 4, 5, 6]
    result = campaign.row(2).result
    assert result is not None
    assert (result.reason, result.as_expected, result.record["verdict"]) == (NOT_CAUGHT, None, "UNTRUSTWORTHY")


def test_a_pass_is_untrustworthy_if_a_pcpu_lost_its_affinity(campaign: Campaign) -> None:
    """Who ran beside whom is not known; a violation is one wherever it is seen."""

    def outcome(task: Task, attempt: int) -> Result:
        verdict = Verdict.VIOLATION if task.canary or attempt == 3 else Verdict.PASS
        return result_of(task, verdict, strayed=attempt in (2, 3))

    one, _ = coordinator(campaign, FakeExecutor(outcome), Limits(25.0))
    one.run()
    found = [row.result for row in campaign.rows(ids=[2, 3, 4]) if row.result is not None]
    assert [result.verdict for result in found] == ["UNTRUSTWORTHY", "VIOLATION", "PASS"]
    assert (found[0].reason, found[0].as_expected, found[0].record["reason"]) == (AFFINITY_LOST, None, AFFINITY_LOST)


def test_a_new_session_knows_which_canaries_were_missed(tmp_path: Path) -> None:
    """From the file."""

    def missed(task: Task, attempt: int) -> Result:
        return result_of(task, Verdict.INCONCLUSIVE) if task.canary else fine(task)

    with Campaign.create(tmp_path / "c", {}) as campaign:
        coordinator(campaign, FakeExecutor(missed), Limits(12.0))[0].run()
        first = len(list(campaign.rows()))
    assert first < 6  # the next canary is not due yet
    with Campaign.resume(tmp_path / "c") as campaign:
        coordinator(campaign, FakeExecutor(fine), Limits(12.0))[0].run()
        assert campaign.row(first + 1).result is not None
        assert {row.result.verdict for row in campaign.rows(canary=False) if row.result} == {"UNTRUSTWORTHY"}


@pytest.mark.parametrize(
    ("named", "expected", "ends"), [(False, True, False), (False, False, True), (True, True, True)]
)
def test_until_violation(campaign: Campaign, *, named: bool, expected: bool, ends: bool) -> None:
    """One that the table does not expect, or any of what was named; never a canary."""

    def outcome(task: Task, attempt: int) -> Result:
        found = attempt == 4 and not task.canary
        return result_of(task, Verdict.VIOLATION, as_expected=expected) if found else fine(task)

    one, seen = coordinator(campaign, FakeExecutor(outcome), Limits(60.0, until_violation=True, named=named))
    assert one.run() == ("violation" if ends else "time")
    assert (len(seen.rows) == 4) is ends


def test_a_machine_that_can_run_nothing_ends_the_soak(campaign: Campaign) -> None:
    """With one line, the right status, and the row interrupted."""
    executor = FakeExecutor(lambda _task, _attempt: CannotRun("no room for the machine's file", 3))
    one, _ = coordinator(campaign, executor)
    with pytest.raises(Failure, match="no room") as told:
        one.run()
    assert told.value.exit_code == 3
    assert (campaign.row(1).state, campaign.row(1).why) == ("interrupted", "no room for the machine's file")


def test_as_many_are_under_way_as_there_are_slots(campaign: Campaign) -> None:
    """Hosts of a cluster; the canary of the spot is chosen once."""
    waiting: list[int] = []

    def outcome(_task: Task, attempt: int) -> None:
        waiting.append(attempt)
        if attempt == 3:
            made[0].stop()

    made: list[Coordinator] = []
    executor = FakeExecutor(outcome, slots=3)
    one, _ = coordinator(campaign, executor, Limits())
    made.append(one)
    one.run()
    assert waiting == [1, 2, 3]
    assert [task.canary for task in executor.tasks] == [True, False, False]
    assert len(list(campaign.rows(verdict="CANCELLED"))) == 3


def test_a_cluster_without_workers_is_waited_for(campaign: Campaign) -> None:
    """Nothing is begun, and nothing is wrong."""
    executor = FakeExecutor(slots=0)
    one, _ = coordinator(campaign, executor, Limits(10.0))
    assert one.run() == "time"
    assert not executor.tasks
