"""A patch with words, an act, a window, a check and a scenario of its own, raced on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.machine import Machine
from hosts.loader.own.read import own_of
from hosts.loader.user_code import CodeSpec, UserCode, read_code
from hosts.runs.collect import Measured, collect
from hosts.runs.native_runner import built, native_runner
from hosts.runs.plan import Planned
from hosts.runs.runner import Ended, Request
from hosts.runs.verdict import Circumstances, Verdict, grade

DOORBELL = (Path(__file__).parents[1] / "doorbell.py").read_text()
MORE = """

class Kept(PerPcpu):
    begun = word(start=7)


class Counted(ForAll):
    rings = words(2, start=(0, 100), mark=True)


@check("entry", "sleep", "end")
def never_true(vcpu: Vcpu) -> int:
    return 0x34 if Counted().rings[0] >= RINGS else -1


RINGS = 1000
"""
RINGS_AND_COUNTS = DOORBELL.replace(
    "    xchg(Doorbell(vcpu).rung, 1)\n",
    "    xchg(Doorbell(vcpu).rung, Kept(this_pcpu()).begun)\n    mark(Counted().rings[0], Counted().rings[0] + 1)\n",
)
TEXT = (
    RINGS_AND_COUNTS.replace(
        "import PerVcpu, Scenario, check, enter, window, word",
        "import (\n    ForAll, PerPcpu, PerVcpu, Scenario, check, enter, window, word, words\n)",
    )
    .replace("from emu.waist import xchg", "from emu.waist import mark, xchg")
    .replace("from emu.machine import Vcpu", "from emu.machine import Vcpu, this_pcpu")
    + MORE
)


class UntilAllIsSeen:
    """Watches a run until the check has fired and the windows of the scenario are entered, however long that takes."""

    def __init__(self, code: UserCode) -> None:
        self.own = own_of(code)

    def enough(self, words: object) -> bool:
        """Return whether all of it is there."""
        now = collect(words, 2, 0.0, self.own)
        entered = all(now.windows[window] for window in self.own.scenarios[0].windows)
        return entered and bool(now.fired("never_true"))

    def progress(self, words: object, seconds: float) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planned, Ended, Measured]:
    """Race the patch's own scenario until its check fires, after 1000 rings, and its windows are entered."""
    path = tmp_path_factory.mktemp("own") / "bell.py"
    path.write_text(TEXT)
    code = read_code(CodeSpec(patches=(str(path),)))
    assert code is not None
    own = own_of(code)
    planned = Planned(own.scenarios[0], policy_by_name("elide-self-2022"), None, None, 2, own=own)
    with native_runner(built(code, lambda *_: None)) as runner:
        ended = runner.run(Request(planned, 120.0, 1, "calm", "pinned"), UntilAllIsSeen(code))
    return planned, ended, collect(ended.words, 2, ended.seconds, own)


def test_an_act_rings_and_the_run_loop_answers(raced: tuple[Planned, Ended, Measured]) -> None:
    """The windows of the scenario are entered, its own among them; the check that holds never fires."""
    planned, ended, measured = raced
    assert (ended.crash, measured.fired("bell_is_answered")) == (None, 0)
    assert all(measured.windows[window] for window in planned.scenario.windows)


def test_a_check_fires_by_its_name_and_vector(raced: tuple[Planned, Ended, Measured]) -> None:
    """When the act has rung often enough, and the row is a violation by its name."""
    planned, _, measured = raced
    (violation,) = measured.violations
    assert (violation.check, violation.first["vector"]) == ("never_true", 0x34)
    row = grade(planned, measured, Circumstances(processors=2))
    assert (row.verdict, row.checks) == (Verdict.VIOLATION, ("never_true",))


def test_words_begin_as_declared_and_lie_behind_the_machine(raced: tuple[Planned, Ended, Measured]) -> None:
    """For each pCPU, and for all; what nobody writes holds what it held."""
    _, ended, _ = raced
    machine = Machine(0)
    assert [int(ended.words[machine.own_pcpus[i].words[0] // 8]) for i in range(3)] == [7, 7, 0]
    rings = [int(ended.words[machine.own_shared.words[i] // 8]) for i in range(2)]
    assert rings[0] >= 1000
    assert rings[1] == 100
