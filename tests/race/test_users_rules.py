"""Users' rules on real processes: a right one is right, a wrong one's fault is told as its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hosts.cli.main import main
from hosts.loader.user_code import code_of
from hosts.runs.collect import MachineWords, Measured, collect
from hosts.runs.native_runner import built, native_runner
from hosts.runs.plan import chosen_policies, chosen_scenarios, planned
from hosts.runs.runner import Request
from tests.race.conftest import two_processors
from tests.users_rules import TOLD, everything, letter_for_letter, wrong

# A rule of its own is compiled with all of the machine: 10 s of processor time that other tests may want, too.
pytestmark = pytest.mark.timeout(240)


def stressed(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status of a stress run, and its rows."""
    file = folder / "rows.jsonl"
    status = main(["stress", "--controls", "none", "--seconds", "5", "--json", str(file), *arguments])
    return status, [json.loads(line) for line in file.read_text().splitlines()[1:]]


class Unwatched:
    """Lets a race go on to the end of its time."""

    def enough(self, words: MachineWords) -> bool:
        """Tell that it is not."""
        return len(words) == 0

    def progress(self, words: MachineWords, seconds: float) -> None:
        """Look away."""


def raced(rule: str, *scenarios: str) -> dict[str, Measured]:
    """Race a rule in some scenarios for a moment; give what was counted."""
    (policy,) = chosen_policies([rule])
    measured: dict[str, Measured] = {}
    with native_runner(built(code_of(rule), lambda *_: None)) as runner:
        for name in scenarios:
            chosen = planned(chosen_scenarios([name])[0], policy, None, 2)
            ended = runner.run(Request(chosen, 1.0, 1, "calm", "pinned"), Unwatched())
            assert ended.crash is None
            measured[name] = collect(ended.words, chosen.pcpus, ended.seconds)
    assert [each.violations for each in measured.values()] == [()] * len(scenarios)
    return measured


@pytest.mark.skipif(not two_processors(), reason="who posts from afar needs a second processor")
@pytest.mark.slow
def test_the_kernels_rule_letter_for_letter_is_right(tmp_path: Path) -> None:
    """Its fields are read as C reads them: it notifies who is in the guest, and elides what it posts to itself."""
    measured = raced(letter_for_letter(tmp_path), "remote-post", "tscdeadline-immed")
    alone = measured["tscdeadline-immed"].counts
    assert alone["ipis_elided"] == alone["self_posts"] > 0
    assert measured["remote-post"].counts["ipis_sent"] > 0


@pytest.mark.slow
def test_a_rule_that_uses_everything_is_compiled_and_runs(tmp_path: Path) -> None:
    """Words, structs and results handed to and fro, with annotations and without, loops, tables, a match."""
    measured = raced(everything(tmp_path), "tscdeadline-immed")["tscdeadline-immed"]
    assert measured.counts["self_posts"] > 0


@pytest.mark.parametrize("function", ["nowhere", pytest.param("endless", marks=pytest.mark.slow)])
def test_a_wrong_rule_ends_its_rows_and_no_others(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, function: str
) -> None:
    """It is a row with the line for its reason, exit 64, and the line once more; what else was asked for is run."""
    rule = wrong(tmp_path, function)
    both = ("--policy", rule, "--policy", "elide-self-2022", "--scenario", "timer-fastpath")
    status, rows = stressed(tmp_path, *both)
    (bad,) = [row for row in rows if row["policy"] == rule]
    (good,) = [row for row in rows if row["policy"] != rule]
    assert status == 64
    assert bad["verdict"] == "CRASH"
    assert bad["reason"].startswith(f"{rule.rpartition(':')[0]}:{TOLD[function]}")
    assert (good["crash"], good["violations"]) == (None, [])
    assert good["counts"]["rounds"] > 0
    assert capfd.readouterr().err.splitlines()[-1] == f"pirace: {bad['reason']}"
