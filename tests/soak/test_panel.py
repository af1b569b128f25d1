"""What is shown of a soak while it runs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from hosts.soak.store.rows import Row
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from hosts.soak.view.panel import LINE_SECONDS, Lines, LivePanel, make_panel
from hosts.soak.view.panel import alert as remarkable_of
from tests.soak.fakes import result_of

TASK = Task(scenario="kick", policy="always-2021", pcpus=2, place="unpinned")
CANARY = Task(
    scenario="kick", policy="always-2021", mutation="request-after-kick", canary=True, pcpus=2, place="unpinned"
)


class Clock:
    """Goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        """Look."""
        return self.now


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Campaign]:
    """Return an empty one."""
    monkeypatch.chdir(tmp_path)  # the panel shows the name of the folder, and lines have to fit
    with Campaign.create(Path("c"), {}) as made:
        yield made


def finished(campaign: Campaign, task: Task, result: Result) -> Row:
    """Enter a run."""
    return campaign.finish(campaign.begin(task), result)


def test_off_a_terminal_there_is_a_line_every_15_s(campaign: Campaign) -> None:
    """What it is worth, how much there is, what runs now; not more often however often it is asked."""
    told, clock, stage = io.StringIO(), Clock(), [""]
    lines = Lines(campaign, Console(file=told, width=40), lambda: stage[0], clock)
    number = campaign.begin(TASK)
    lines.began(number, TASK)
    for _ in range(3):
        lines.tick()
    assert told.getvalue() == ""
    clock.now = LINE_SECONDS
    for _ in range(3):
        lines.tick()
    (line,) = told.getvalue().splitlines()
    assert line.startswith("0:00:15  NOT PROVEN: nothing has been run to its end yet")
    assert line.endswith(f"; now 1: {TASK}")
    lines.ended(campaign.finish(number, result_of(TASK)))
    clock.now = 3 * LINE_SECONDS
    lines.tick()
    assert told.getvalue().splitlines()[-1].endswith("; now nothing")
    stage[0] = "compiling"
    lines.tick()
    lines.tick()
    assert told.getvalue().count("compiling the machine") == 1


def test_unexpected_results_are_printed_at_once(campaign: Campaign) -> None:
    """Against the table, a canary that was missed, accounts that differ; nothing else."""

    def alert(row: Row) -> str | None:
        return remarkable_of(row, campaign.folder)

    show = f"--campaign {campaign.folder}"
    assert alert(finished(campaign, TASK, result_of(TASK))) is None
    assert alert(finished(campaign, CANARY, result_of(CANARY, "VIOLATION"))) is None
    assert alert(finished(campaign, CANARY, result_of(CANARY, "CANCELLED"))) is None
    against = alert(finished(campaign, TASK, result_of(TASK, "VIOLATION", files={"facts.json": b"{}"})))
    kept = campaign.folder / "kept" / "4"
    assert against == f"4: {TASK}: VIOLATION: C1 x 3; kept in {kept} (pirace soak show 4 {show})"
    missed = alert(finished(campaign, CANARY, result_of(CANARY, "INCONCLUSIVE")))
    assert missed == f"5: {CANARY}: INCONCLUSIVE; the canary was not caught (pirace soak show 5 {show})"
    differs = alert(finished(campaign, TASK, result_of(TASK, "UNTRUSTWORTHY", disagreements=("a: 1, 2",))))
    assert differs == f"6: {TASK}: UNTRUSTWORTHY; a: 1, 2 (pirace soak show 6 {show})"
    number = campaign.begin(TASK)
    assert alert(campaign.interrupt(number, "the soak was ended")) is None


def test_on_a_terminal_there_is_a_panel(campaign: Campaign) -> None:
    """Its first line says what it is worth; canaries are not counted among a policy's runs."""
    finished(campaign, CANARY, result_of(CANARY, "INCONCLUSIVE"))
    finished(campaign, TASK, result_of(TASK))
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=200, height=30, color_system=None)
    panel = make_panel(campaign, console, lambda: "", quiet=False)
    assert isinstance(panel, LivePanel)
    plain = Console(file=io.StringIO(), width=200, color_system=None)
    plain.print(panel.panel())
    assert isinstance(plain.file, io.StringIO)
    lines = plain.file.getvalue().splitlines()
    assert lines[0].startswith("NOT PROVEN: the canary was not caught in kick unpinned")
    assert [line.split() for line in lines if line.strip().startswith("kick")] == [["kick", "1", "pass"]]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_panel_does_not_move_up(campaign: Campaign, width: int) -> None:
    """What is above the table takes no fewer lines later, and what is new comes behind what is there."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=24, color_system=None)
    panel = make_panel(campaign, console, lambda: "", quiet=False)
    assert isinstance(panel, LivePanel)
    before: list[str] = []
    tops: list[int] = []
    for policy in ("kick-2016", "skip-running-2020", "always-2021", "elide-self-2022"):
        for verdict in ("PASS", "INCONCLUSIVE", "VIOLATION"):
            task = replace(TASK, policy=policy)
            finished(campaign, task, result_of(task, verdict))
            lines = [text.plain for text in panel.panel().renderables if isinstance(text, Text)]
            assert max(map(len, lines)) <= width
            assert len(lines) <= console.height
            top = next(i for i, line in enumerate(lines) if line.startswith(" ─")) - 1
            names = [name for name in lines[top].split() if name != "scenario"]
            assert names[: len(before)] == before
            before, tops = names, [*tops, top]
    assert tops == sorted(tops)
