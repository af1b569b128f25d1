"""What explores a user's own rule beside a stress run, for real: in a worker that is gone when the run is over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from hosts.cli.background_explorer import Explorer, scout
from hosts.loader.user_code import CodeSpec
from hosts.runs.plan import Planned, Wanted, make_plan
from hosts.soak.task import Result, Task
from hosts.soak.workers.explored import explored_of
from hosts.soak.workers.failures import CannotRun, WorkerDied
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import UP_SECONDS

pytestmark = pytest.mark.timeout(6 * UP_SECONDS)  # the first may have to compile

RULES = """
from emu.kvm_main import kvm_vcpu_kick


def kicks(vcpu, vec):
    kvm_vcpu_kick(vcpu)


def tells_nobody(vcpu, vec):
    return
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write rules."""
    file = tmp_path_factory.mktemp("rules") / "own rules.py"
    file.write_text(RULES, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Return one worker for all."""
    with LocalExecutor() as made:
        yield made


def planned(rules: Path, function: str, scenario: str) -> Planned:
    """Plan a row."""
    return make_plan(Wanted([scenario], [f"{rules}:{function}"], controls="none"), 2).rows[0]


def never() -> bool:
    """Cancel nothing."""
    return False


def test_a_scope_is_explored_to_its_end(executor: LocalExecutor, rules: Path) -> None:
    """A rule that kicks: never is a guest notified, and that is known."""
    row = planned(rules, "kicks", "tscdeadline-immed")
    explorer = Explorer(executor, CodeSpec(rule=row.policy.name), quiet=True)
    explorer.wait()
    found = explorer.explore(row, UP_SECONDS, never)
    assert (found.complete, found.found, found.why) == (True, "", "")
    assert "self-post-sees-in-guest" in found.entered
    assert found.impossible(("self-post-sees-in-guest", "notified-in-guest")) == ("notified-in-guest",)
    assert found.command == f"pirace explore --policy '{rules}:kicks' --scenario tscdeadline-immed"


@pytest.mark.slow
def test_a_violation_comes_with_its_check(executor: LocalExecutor, rules: Path) -> None:
    """And in how many steps."""
    row = planned(rules, "tells_nobody", "remote-post")
    found = Explorer(executor, CodeSpec(rule=row.policy.name), quiet=True).explore(row, UP_SECONDS, never)
    assert found.complete is False
    assert set(found.checks) <= {"C1", "C7"}
    assert found.found.startswith(found.checks[0])
    assert " steps" in found.found


def test_what_does_not_come_to_its_end_in_time_is_ended(executor: LocalExecutor, rules: Path) -> None:
    """By asking, then by killing the worker; the next one gets a new worker. Nothing is said but that time was over."""
    row = planned(rules, "kicks", "all-to-all")
    found = Explorer(executor, CodeSpec(rule=row.policy.name), quiet=True).explore(row, 0.3, never)
    assert (found.complete, found.found, found.impossible(("notified-in-guest",))) == (False, "", ())
    assert "time limit of 0.3 s reached" in found.why
    assert found.told().startswith(f"not explored: pirace explore --policy '{rules}:kicks' --scenario all-to-all (")
    small = planned(rules, "kicks", "timer-fastpath")
    assert Explorer(executor, CodeSpec(rule=row.policy.name), quiet=True).explore(small, UP_SECONDS, never).complete


def test_out_of_time_is_reported_alike_by_worker_and_caller() -> None:
    """On a busy machine the worker looks at its clock before it is told."""
    task = Task(kind="explore", scenario="kick", policy="a.py:f", seconds=0.3)
    search = {"states": 1, "complete": False, "bounded_by": ["seconds"]}
    record = {"search": search, "violations": [], "windows": {}}
    by_itself = Result(verdict="INCONCLUSIVE", seconds=0.31, reason="bounded by its time limit", record=record)
    told = replace(by_itself, verdict="CANCELLED", reason="cancelled")
    for result in (by_itself, told):
        assert (
            explored_of(task, result, "time limit of 0.3 s reached").why == "1 state seen; time limit of 0.3 s reached"
        )


def test_too_little_time_is_not_spent(executor: LocalExecutor, rules: Path) -> None:
    """A run of a moment."""
    row = planned(rules, "kicks", "kick")
    assert "too short" in Explorer(executor, CodeSpec(rule=row.policy.name), quiet=True).explore(row, 0.1, never).why


def test_what_cannot_be_explored_says_why(executor: LocalExecutor, rules: Path) -> None:
    """In one line, that of explore itself."""
    row = planned(rules, "no_such_rule", "kick")
    why = Explorer(executor, CodeSpec(rule=row.policy.name), quiet=True).explore(row, UP_SECONDS, never).why
    assert "no_such_rule" in why
    assert len(why.splitlines()) == 1


def test_when_the_run_is_over_the_worker_is_gone(rules: Path) -> None:
    """Whatever it is about; and Ctrl-C ends a search at once."""
    row = planned(rules, "kicks", "all-to-all")
    pids: list[int] = []

    def pressed() -> bool:
        pids.extend([explorer.pid] if explorer.pid is not None else [])
        return bool(pids)

    with scout(CodeSpec(rule=row.policy.name), quiet=True) as explorer:
        assert isinstance(explorer, Explorer)
        found = explorer.explore(row, UP_SECONDS, pressed)
        assert (found.complete, found.why) == (False, "cancelled")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


class Deaf:
    """An executor whose worker does not listen: only killed, which the second call for a job does, does it end."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.asked = 0
        self.future: Future[Any] = Future()

    def submit(self, *_: Any) -> Future[Any]:
        """Do nothing, or fail at once."""
        self.asked, self.future = 0, Future()
        if self.error is not None:
            self.future.set_exception(self.error)
        return self.future

    def cancel_running(self) -> None:
        """Die at the second call."""
        self.asked += 1
        if self.asked > 1:
            self.future.set_exception(WorkerDied("worker 1 was killed by SIGKILL"))


def test_a_search_that_does_not_end_is_killed(rules: Path) -> None:
    """And not a word of how: its time was over."""
    deaf = Deaf()
    row = planned(rules, "kicks", "kick")
    assert Explorer(cast("LocalExecutor", deaf), CodeSpec(rule="r.py:f"), quiet=True).explore(row, 0.2, never).why == (
        "time limit of 0.2 s reached"
    )
    assert deaf.asked == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (CannotRun("own.py:3: no such name\nmore", 64), "own.py:3: no such name"),
        (WorkerDied("worker 7 was killed by SIGSEGV"), "worker 7 was killed by SIGSEGV"),
        (ValueError("tuple.index(x): x not in tuple"), "internal error: ValueError: tuple.index(x): x not in tuple"),
    ],
)
def test_an_error_of_the_tool_is_called_one(rules: Path, error: Exception, why: str) -> None:
    """And an error of the rule's is told as it is; neither ends the run."""
    explorer = Explorer(cast("LocalExecutor", Deaf(error)), CodeSpec(rule="r.py:f"), quiet=True)
    assert explorer.explore(planned(rules, "kicks", "kick"), 5.0, never).why == why
