"""Rules and sources that change while or after they are raced: the soak ends, or is another campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.cli.repro import repro_command
from hosts.errors import Failure
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from tests.soak.fakes import FakeExecutor, fine
from tests.soak.soak_command import ending_after, soak


def test_a_rule_that_changed_is_another_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs are not added to those of the old one; where the command is typed does not matter."""
    rule = tmp_path / "rule.py"
    rule.write_text("def rule(vcpu, vec):\n    pass\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    soak(tmp_path, policy=("rule.py:rule",))
    monkeypatch.chdir("/")
    executor = ending_after(3)
    soak(tmp_path, executor, resume=True)
    assert {task.policy for task in executor.tasks if task.mutation is None} <= {f"{rule}:rule"}
    rule.write_text("def rule(vcpu, vec):\n    return\n", encoding="utf-8")
    with pytest.raises(Failure, match="has changed since"):
        soak(tmp_path, resume=True)


@pytest.mark.parametrize("at", [3, 4])
def test_a_rule_that_changes_while_it_is_raced_ends_the_soak(tmp_path: Path, at: int) -> None:
    """Whichever of the two a worker has read, no row is entered of it; the first one's are there to be gone on with."""
    rule = tmp_path / "rule.py"
    rule.write_text("def rule(vcpu, vec):\n    pass\n", encoding="utf-8")

    def outcome(task: Task, attempt: int) -> Result:
        if attempt == at:
            rule.write_text("def rule(vcpu, vec):\n    return\n", encoding="utf-8")
        return fine(task)

    with pytest.raises(Failure, match="has changed since") as told:
        soak(tmp_path, ending_after(6, outcome), policy=(f"{rule}:rule",))
    assert told.value.exit_code == 64
    with Campaign.read(tmp_path / "c") as campaign:
        *finished, last = campaign.rows()
    assert [row.state for row in finished] == ["finished"] * (at - 1)
    assert (last.state, last.why) == ("interrupted", str(told.value))
    rule.write_text("def rule(vcpu, vec):\n    pass\n", encoding="utf-8")
    assert soak(tmp_path, resume=True) == 130


def test_sources_that_change_while_they_are_raced_end_the_soak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies is followed by one that compiles what there is by then. Another session may; it is told."""
    sources = ["old"]
    for module in ("hosts.soak.plan.settings", "hosts.cli.soak"):
        monkeypatch.setattr(f"{module}.sources_key", lambda: sources[-1])

    def outcome(task: Task, attempt: int) -> Result:
        if attempt == 3:
            sources.append("new")
        return fine(task)

    with pytest.raises(Failure, match="sources of pirace have changed") as told:
        soak(tmp_path, ending_after(6, outcome))
    assert told.value.exit_code == 3
    with Campaign.read(tmp_path / "c") as campaign:
        assert [row.state for row in campaign.rows()] == ["finished", "finished", "interrupted"]
    capsys.readouterr()
    assert soak(tmp_path, resume=True) == 130
    said = "note: not all sessions have raced the same sources of pirace: session 2 had others than 1."
    assert said in capsys.readouterr().out


def test_another_rule_is_not_taken_for_the_run_that_is_done_again(tmp_path: Path) -> None:
    """It would be called mended, or to blame, for what the first one did; rows of other policies are not concerned."""
    rule = tmp_path / "rule.py"
    rule.write_text("def rule(vcpu, vec):\n    pass\n", encoding="utf-8")
    soak(tmp_path, ending_after(6), policy=(f"{rule}:rule",), seed=1)
    with Campaign.read(tmp_path / "c") as campaign:
        rows = list(campaign.rows())
    own = next(row.id for row in rows if row.task.policy == f"{rule}:rule")
    canary = next(row.id for row in rows if row.task.canary)
    rule.write_text("def rule(vcpu, vec):\n    return\n", encoding="utf-8")
    again = FakeExecutor()
    with pytest.raises(Failure, match="has changed since"):
        repro_command(str(tmp_path / "c"), own, 1, None, lambda: again)  # type: ignore[arg-type,return-value]
    assert not again.tasks
    assert repro_command(str(tmp_path / "c"), canary, 1, None, lambda: again) == 0  # type: ignore[arg-type,return-value]
