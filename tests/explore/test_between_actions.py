"""Between two acts of one pCPU it is outside, and the checks that need everybody outside look there."""

from __future__ import annotations

import itertools

import pytest

from emu.expected import policy_by_name
from emu.mutations import Edit, Mutation
from emu.observe.accounting import CHECKS
from hosts.explorer.build import Builder
from hosts.explorer.model.operations import BEGINS, SCHEDULED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.refine import explore
from hosts.explorer.search.bfs import Search
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from tests.explore.models import Table, op, plain_search, straight

MANY = 10_000
NO_REPAIR = Edit("vmx_deliver_posted_interrupt", "on_was_set = pi_test_and_set_on(vcpu.pi_desc)", "on_was_set = 1")
REPAIR = Edit(
    "vmx_deliver_posted_interrupt",
    "probe_pir_was_set()\nreturn 0",
    "probe_pir_was_set()\npi_test_and_set_on(vcpu.pi_desc)\nreturn 0",
)
MENDED_BY_THE_NEXT = Mutation(1, "next-mends", "ON comes with the next post only", "this test", (NO_REPAIR, REPAIR), ())


@pytest.mark.parametrize("reduce", [False, True])
def test_a_fault_that_the_next_act_mends_is_seen_between_the_two(*, reduce: bool) -> None:
    """The first post leaves ON out, the second puts it in: C4 holds before and after, and is broken in between."""
    program = load_program(mutations=(MENDED_BY_THE_NEXT,))
    scope = scope_of(None, "post:34 post:34 | guest=cpuid | timers=0")
    builder = Builder(program, scope, policy_by_name("always-2021").number, MENDED_BY_THE_NEXT)
    options = Options(buffer=1, reduce=reduce, stop_at_first=False, progress_check=False)
    result, _, _ = explore(builder, options)
    assert "C4" in {CHECKS[each.sighting >> 8] for each in result.violations if each.what == "sighting"}


def between(mark: Operation, then: Operation) -> tuple[int, int]:
    """Return the windows that an observer enters who looks at word 1, then at the mark: the search's, the definition's.

    Bit 2 * (word 1) + mark, for the two acts (marked, effect on word 1, unmarked) of the other thread.
    """
    acts = straight(
        *(mark, op(Op.XCHG, 1, 1), Operation(Op.GHOST_WRITE, 0, 0)),
        *(then, op(Op.XCHG, 1, 2), Operation(Op.GHOST_WRITE, 0, 0)),
    )
    marks = [Operation(Op.GHOST_READ, 0)] * 3
    edges = [
        {None: Transition(4, windows=1 << 2 * value), 1: Transition(4, windows=2 << 2 * value)} for value in range(3)
    ]
    looks = Table(
        [op(Op.LOAD, 1), *marks, Operation(Op.END)],
        [{None: Transition(1), 1: Transition(2), 2: Transition(3)}, *edges, {}],
    )
    found = {}
    for reduce in (False, True):
        model = Model((acts, looks), ["acts", "looks"], ["mark", "effect"], [0, 0])
        found[reduce] = Search(model, Options(1, reduce=reduce)).run().windows
    model = Model((acts, looks), ["acts", "looks"], ["mark", "effect"], [0, 0])
    assert found[False] == found[True]
    return found[True], plain_search(model, Options(1), MANY).windows


def test_a_mark_that_begins_is_set_with_the_effect_behind_it() -> None:
    """Effects are seen with the mark even (0, 1 and 2 done), never the mark alone."""
    begins = Operation(Op.GHOST_WRITE, 0, 1, 0, SCHEDULED | BEGINS)
    search, plain = between(begins, begins)
    assert search == plain == sum(1 << 2 * value for value in range(3))


def test_without_it_the_moment_between_two_acts_is_seen_by_nobody() -> None:
    """So the test above can fail: the second mark belongs to the step before, and 1 is never seen unmarked."""
    search, plain = between(Operation(Op.GHOST_WRITE, 0, 1), Operation(Op.GHOST_WRITE, 0, 1))
    assert search == plain
    assert search & 1 << 2 == 0


def test_what_begins_twice_without_an_effect_is_two_steps() -> None:
    """The second mark ends the step of the first, whatever came between."""
    begins = Operation(Op.GHOST_WRITE, 0, 1, 0, SCHEDULED | BEGINS)
    acts = straight(begins, Operation(Op.GHOST_WRITE, 0, 0), begins, op(Op.XCHG, 1, 1))
    for reduce, buffer in itertools.product((False, True), (0, 1)):
        model = Model((acts,), ["acts"], ["mark", "effect"], [0, 0])
        options = Options(buffer, reduce=reduce)
        assert Search(model, options).run().states == plain_search(model, options, MANY).states == 3
