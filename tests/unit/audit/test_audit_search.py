"""The audit on the explorer itself: what is known to be needed is, what is not is seen completely."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emu.expected import policy_by_name
from hosts.explorer.audit.audit import Auditor, with_relaxation
from hosts.explorer.audit.relax import Site, sites, weakened
from hosts.explorer.audit.verdicts import Attempt, answer_of, verdict_of
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Progress
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from tests.choice import slow_but

POSTS = "post:34 | guest=cpuid,hlt | timers=0"
ELIDE = policy_by_name("elide-self-2022").number


def _on(_progress: Progress) -> bool:
    return True


@pytest.fixture(scope="module")
def auditor() -> Auditor:
    """Return an auditor with one small scope."""
    made = Auditor(load_program(mutations=()), ELIDE, Options())
    made.add(POSTS, scope_of(None, POSTS), _on)
    return made


@pytest.fixture(scope="module")
def judged(auditor: Auditor) -> Callable[[str, str], tuple[Site, list[Attempt]]]:
    """Return what judges the site of a kind in a function."""

    def judge(function: str, kind: str) -> tuple[Site, list[Attempt]]:
        (site,) = [each for each in sites(auditor.program) if (each.function, each.kind) == (function, kind)]
        return site, [
            attempts for way in site.relaxations for attempts in auditor.attempts(site, way, lambda _name: _on)
        ]

    return judge


def test_the_protocol_as_it_stands_is_clean(auditor: Auditor) -> None:
    """Else nothing that follows means anything."""
    (baseline,) = auditor.baselines
    assert baseline.result.complete
    assert baseline.result.violation is None


def test_the_entry_barrier_is_needed(judged: Callable[[str, str], tuple[Site, list[Attempt]]]) -> None:
    """Without it the vCPU enters on a PIR that nobody will look at."""
    site, attempts = judged("vcpu_enter_guest", "barrier")
    assert verdict_of(site, attempts) == "needed"
    assert attempts[0].check in ("C1", "C7")
    assert 0 < attempts[0].steps < 30


def test_the_sleepers_barrier_is_needed(judged: Callable[[str, str], tuple[Site, list[Attempt]]]) -> None:
    """The locked operation in schedule comes behind the last look."""
    site, attempts = judged("set_current_state", "barrier")
    assert verdict_of(site, attempts) == "needed"
    assert attempts[0].check == "C2"


def test_the_wakers_barrier_is_not_needed_behind_a_locked_operation(
    judged: Callable[[str, str], tuple[Site, list[Attempt]]],
) -> None:
    """Setting ON is locked, so the barrier finds nothing to drain; every interleaving was seen."""
    site, attempts = judged("rcuwait_wake_up", "barrier")
    assert verdict_of(site, attempts) == "not needed"
    assert [each.outcome for each in attempts] == ["clean"]
    assert attempts[0].states > 500


def test_turning_on_on_needs_its_fence(judged: Callable[[str, str], tuple[Site, list[Attempt]]]) -> None:
    """The poster's half of the pair with the entry: ON before the look at the mode."""
    site, attempts = judged("pi_test_and_set_on", "locked")
    assert verdict_of(site, attempts) == "needs the fence"
    assert {each.way for each in attempts if each.outcome == "violation"} == {"no fence behind", "neither"}


def test_going_to_sleep_needs_its_atomicity_and_no_fence(
    judged: Callable[[str, str], tuple[Site, list[Attempt]]],
) -> None:
    """Late, it loses a waker's write; the runs in which it loses none are all clean."""
    site, attempts = judged("schedule", "locked")
    (late,) = [each for each in attempts if each.way == "no fence behind"]
    assert (late.check, late.atomic, late.apart) == ("C2", False, True)
    assert verdict_of(site, attempts) == "needs atomicity"


def test_a_scope_that_does_not_come_to_a_site_says_nothing_of_it(
    judged: Callable[[str, str], tuple[Site, list[Attempt]]],
) -> None:
    """Nobody makes a request here."""
    site, attempts = judged("request", "pair")
    assert [each.outcome for each in attempts] == ["never reached"]
    assert verdict_of(site, attempts) == "never reached"


def test_a_search_that_is_cut_short_leaves_it_open(auditor: Auditor) -> None:
    """Nothing is superfluous because nobody looked."""
    hasty = Auditor(auditor.program, ELIDE, Options(max_states=50))
    hasty.baselines = auditor.baselines
    (site,) = [each for each in sites(auditor.program) if (each.function, each.kind) == ("rcuwait_wake_up", "barrier")]
    attempts = list(hasty.attempts(site, site.relaxations[0], lambda _name: _on))
    assert [each.outcome for each in attempts] == ["bounded"]
    assert answer_of(attempts) == "unknown"


WEAKENED = [("pi_clear_on", "no fence behind"), ("harvest", "no fence before")]


@pytest.mark.parametrize(("function", "way"), slow_but(WEAKENED[:1], WEAKENED, several=True))
def test_the_short_way_to_a_weakened_model_gives_what_the_long_way_does(
    auditor: Auditor, function: str, way: str
) -> None:
    """A builder with one function replaced finds what one that is made from the weakened program finds."""
    site = next(each for each in sites(auditor.program) if (each.function, each.kind) == (function, "locked"))
    weak = next(each for each in site.relaxations if each.name == way)
    quick, _, _ = explore(with_relaxation(auditor.baselines[0].builder, weak), Options())
    program = weakened(auditor.program, weak)
    slow, _, _ = explore(Builder(program, scope_of(None, POSTS), ELIDE), Options())
    assert (quick.complete, quick.violation, quick.windows) == (slow.complete, slow.violation, slow.windows)


def _brute(builder: Builder) -> tuple[int, set[int]]:
    """Count the states that the definition gives, and collect what is sighted."""
    product = Product(builder.model(), Options())
    states = [product.initial()]
    seen, sighted = set(states), set[int]()
    for state in states:
        for outcome in product.outcomes(state):
            sighted |= {outcome.sighting} - {-1}
            if outcome.state not in seen:
                seen.add(outcome.state)
                states.append(outcome.state)
    return len(states), sighted


@pytest.mark.parametrize("way", slow_but(["no fence behind"], ["no fence before", "no fence behind"]))
def test_the_search_does_with_the_audits_own_operations_what_the_definition_says(auditor: Auditor, way: str) -> None:
    """Locked without a fence, and a store in the step of its load: state for state."""
    site = next(
        each for each in sites(auditor.program) if (each.function, each.kind) == ("pi_test_and_set_on", "locked")
    )
    weak = next(each for each in site.relaxations if each.name == way)
    program = weakened(auditor.program, weak)
    builder = Builder(program, scope_of(None, "device | guest=hlt | timers=0"), ELIDE)
    result, _, _ = explore(builder, Options(reduce=False))
    assert result.complete
    assert _brute(builder) == (result.states, set())
