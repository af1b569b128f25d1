"""What a patch declares, explored: words, checks, acts and windows of its own among all interleavings."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.expected import policy_by_name
from emu.observe.accounting import CHECKS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import Witness, check_of
from hosts.explorer.explanation.complete import Found, completely_explained
from hosts.explorer.model.entered import checks_in, windows_in
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import ScopeError, driver_sources, scope_of
from hosts.loader.program import Program
from tests.unit.loader.patches import patched

POLICY = policy_by_name("elide-self-2022").number
DOORBELL = (Path(__file__).parents[1] / "doorbell.py").read_text()
RINGS_LATE = DOORBELL.replace(
    "    xchg(Doorbell(vcpu).rung, 1)\n    kvm_vcpu_kick(vcpu)\n",
    "    kvm_vcpu_kick(vcpu)\n    xchg(Doorbell(vcpu).rung, 1)\n",
)


def builder(program: Program, scope: str | None) -> Builder:
    """Return the builder of a scope, or of the patch's own scenario."""
    scenario = program.own.scenarios[0] if scope is None else None
    return Builder(program, scope_of(scenario, scope, program.own.act_numbers), POLICY)


def searched(program: Program, scope: str | None = None, options: Options = Options()) -> Result:  # noqa: B008
    """Explore a scope."""
    return explore(builder(program, scope), options)[0]


def witness_of(program: Program, scope: str | None = None) -> Witness:
    """Explore a scope and explain its violation."""
    mine = builder(program, scope)
    result, search, model = explore(mine, Options())
    assert result.violation is not None
    found = Found(mine, Options(), model, search)
    return completely_explained(found, lambda: builder(program, scope), "default", "elide-self-2022")


@pytest.mark.slow
def test_the_example_is_clean_and_enters_its_window(tmp_path: Path) -> None:
    """Its bell is answered in every interleaving, and its own window is among those that some of them enter."""
    program = patched(tmp_path, DOORBELL)
    result = searched(program)
    assert (result.complete, result.violation) == (True, None)
    assert set(program.own.scenarios[0].windows) <= set(windows_in(result.windows, program.own.windows))


def test_a_check_of_its_own_finds_a_bug_of_its_own(tmp_path: Path) -> None:
    """Rung behind the kick, the bell may ring in the guest: told by the check's name, its line, and who rang last."""
    program = patched(tmp_path, RINGS_LATE)
    witness = witness_of(program)
    (check,) = program.own.own_checks
    assert (witness.check, witness.vector) == ("bell_is_answered", -1)
    assert witness.story.startswith(f'bell_is_answered does not hold at vCPU 0: "{check.about.rstrip(".")}"')
    assert f"fix.py:{check.place.line}" in witness.story
    assert "wrote vcpu0.Doorbell.rung last (user_act_ring fix.py:" in witness.story
    assert "vcpu0.Doorbell.rung" in witness.shared.values()
    (sighting,) = [act for act in witness.states[-1]["acts"] if act["kind"] == "sighting"]
    assert (sighting["word"], sighting["function"]) == ("bell_is_answered", "bell_is_answered")
    assert (sighting["file"], sighting["line"]) == ("fix.py", check.place.line)


MANY = """
from emu.machine import Vcpu
from emu.own import ForAll, PerVcpu, check, word
from emu.waist import local_write, mark
from emu.workload.actors import post

class Mine(PerVcpu):
    begun = word(start=5)
    private = word(start=3, private=True)
class Counted(ForAll):
    first = word(mark=True)
    then = word(mark=True)

def act_step(vcpu: Vcpu) -> None:
    local_write(Mine(vcpu).private, Mine(vcpu).private + 1)
    mark(Counted().first, Counted().first + 1)
    post(vcpu, 2)
    mark(Counted().then, Counted().then + 1)

@check("entry")
def no_entry(vcpu: Vcpu) -> bool:
    return vcpu.id != 0
@check("stay")
def no_stay(vcpu: Vcpu) -> bool:
    return vcpu.id != 0
@check("sleep")
def no_sleep(vcpu: Vcpu) -> bool:
    return vcpu.id != 0
@check("end")
def no_end(vcpu: Vcpu) -> int:
    return 0x61 if Counted().then == 1 else -1
@check
def begins_otherwise(vcpu: Vcpu) -> bool:
    return Mine(vcpu).begun == 4
@check
def all_as_declared(vcpu: Vcpu) -> bool:
    return Mine(vcpu).begun == 5 and Mine(vcpu).private == 3 + Counted().first
@check
def never_half_done(vcpu: Vcpu) -> bool:
    return Counted().first == Counted().then
@check("stay")
def never_after(vcpu: Vcpu) -> bool:
    return Counted().then == 0
"""


@pytest.mark.slow
def test_checks_are_made_at_their_points_of_what_is_over(tmp_path: Path) -> None:
    """What does not hold fires at each point; what an act has half done is not judged; words begin as declared."""
    program = patched(tmp_path, MANY)
    result = searched(program, "step | guest=cpuid,hlt", Options(stop_at_first=False, progress_check=False))
    everything = {check.name for check in program.own.own_checks}
    assert result.complete
    assert set(checks_in(result.windows, program.own.checks)) - set(CHECKS) == everything - {
        "all_as_declared",
        "never_half_done",
    }
    assert ("no_end", 0x61) in {check_of(each.sighting, program.own.checks) for each in result.violations}


def test_a_scope_names_acts_of_the_patchs_own() -> None:
    """Also at another vCPU; a name that the patch does not have is refused, with those that there are."""
    scope = scope_of(None, "step step@0 kick | guest=cpuid", ["step"])
    assert driver_sources(scope)["thread_1"].count("own_act_step(machine().vcpus[0])") == 2
    with pytest.raises(ScopeError, match="an act is post:VECTOR, device, step, signal, hrtimer or kick"):
        scope_of(None, "stop | guest=cpuid", ["step"])
    with pytest.raises(ScopeError, match="an act is post:VECTOR, device, signal, hrtimer or kick"):
        scope_of(None, "step | guest=cpuid")
