"""The paragraph of every mutation against its cause, written down by hand: which phrases it must have, and must not."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from emu.expected import by_name, policy_by_name
from emu.machine import USER
from emu.mutations import MUTATIONS, Mutation
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.counterexample.witness_file import load, save
from hosts.explorer.explanation.complete import Found, completely_explained
from hosts.explorer.explanation.explain import explanation_of
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program
from hosts.loader.user_code import code_of
from tests.choice import slow_but
from tests.unit.explore_cli import faults
from tests.unit.explore_cli.causes import CAUSES, Cause, S
from tests.unit.explore_cli.task_causes import TASK_CAUSES

EVERY = (*CAUSES, *TASK_CAUSES)


@cache
def programs(*, own: bool) -> Program:
    """Load the protocol, with the mutations or with these tests' faults."""
    return load_program(mutations=faults.FAULTS) if own else load_program()


def mutation_of(name: str) -> Mutation | None:
    """Return the mutation or fault of that name."""
    own = {each.name: each for each in faults.FAULTS}
    return own.get(name) or (by_name(name) if name else None)


def builder_of(cause: Cause, program: Program | None = None) -> Builder:
    """Make a builder of what is explored."""
    race = next(each for each in SCENARIOS if each.name == cause.scenario)
    mutation = mutation_of(cause.mutation)
    number = USER if ":" in cause.policy else policy_by_name(cause.policy).number
    program = program or programs(own=mutation in faults.FAULTS)
    return Builder(program, scope_of(race, cause.scope), number, mutation)


@cache
def told_once(cause: Cause) -> Witness:
    """Search and tell it, once for all tests."""
    return told(cause)


def told(cause: Cause, program: Program | None = None, seconds: float = 0.0) -> Witness:
    """Search, and tell it as the command does."""
    builder = builder_of(cause, program)
    _result, search, model = explore(builder, Options())
    found = Found(builder, Options(), model, search)
    return completely_explained(found, lambda: builder_of(cause, program), cause.scenario, cause.policy, seconds)


def by(mutation: str) -> Cause:
    """Return the first cause of a mutation."""
    return next(each for each in EVERY if each.mutation == mutation)


FAST = [
    by("no-fastpath-sync"),  # it elided the notification
    by("sync-before-mode"),  # the look came too early
    by("no-entry-barrier"),  # a store waited in its buffer
    by("on-cleared-plainly"),  # a word was overwritten
    by("mode-read-before-on"),  # the mode was read too early
    by("no-wakeup-to-self"),  # the vector of the notification wakes nobody
]
"""One cause of each kind; those of a sleeper, of lost posts and of costs are in test_repair."""


@pytest.mark.parametrize("cause", slow_but(FAST, EVERY), ids=lambda each: f"{each.mutation or 'none'}-{each.scenario}")
def test_the_cause_that_is_told_is_the_cause(cause: Cause) -> None:
    """Who was kept silent by what, which look came too early, which word was overwritten; no innocent buffer."""
    story = told_once(cause).story
    for phrase in cause.must:
        assert re.search(phrase, story), (phrase, story)
    for phrase in cause.must_not:
        assert not re.search(phrase, story), (phrase, story)
    assert "is not known" not in story


def test_every_mutation_has_a_cause() -> None:
    """In each scenario in which the table wants it to be seen; what the fabric does is not explored."""
    shown = {
        (mutation.name, row.scenario)
        for mutation in MUTATIONS
        if not mutation.fabric_fault
        for row in mutation.rows
        if row.outcome != "PASS"
    }
    assert shown <= {(cause.mutation, cause.scenario) for cause in EVERY}
    assert {each.name for each in faults.FAULTS} <= {cause.mutation for cause in EVERY}


@pytest.mark.slow
def test_a_word_of_the_rules_own_that_kept_it_silent_is_named(tmp_path: Path) -> None:
    """And the line that read it."""
    file = tmp_path / "tells_once.py"
    file.write_text(faults.TELLS_ONCE)
    rule = f"{file}:tells_once"
    cause = Cause("", "halt-wake", rule, (), scope="post:34 post:35 | guest=hlt | timers=0")
    story = told(cause, load_program(code_of(rule))).story
    last = rf"What kept it silent: what it read last, pi_desc\.software\[1\] -> 1 \({S}\) in \w+ and the branch"
    assert re.search(rf"{last} `if READ_ONCE\(vcpu\.pi_desc\.software\[1\]\) != 0` of", story), story


def test_a_way_without_buffers_is_kept_as_such(tmp_path: Path) -> None:
    """The file says which memory model it is of, so that it is replayed in that; no store of it waits."""
    witness = told_once(by("sync-before-mode"))
    save(witness, tmp_path / "witness.json")
    again = load(tmp_path / "witness.json")
    assert (again.model, again.buffer, again.delayed_stores, again.without_buffers) == ("sc", 0, 0, "violates")
    assert again.story == witness.story


def test_what_the_time_left_did_not_tell_is_said() -> None:
    """Neither acquitted nor convicted."""
    witness = told(by("no-wait-barrier"), seconds=1e-6)
    assert (witness.model, witness.without_buffers) == ("tso", "unknown")
    assert "Whether a store buffer matters is not known" in witness.story
    assert "Only with store buffers" not in witness.story


def test_nobody_asks_where_no_buffer_is_blamed() -> None:
    """The way is the one that was found, in the model that was asked for."""
    witness = told_once(by("mode-read-before-on"))
    assert (witness.model, witness.without_buffers) == ("tso", "")


def test_what_is_not_known_is_not_told() -> None:
    """Of a way that shows none of it, the last post and the last look."""
    witness = told_once(by("no-fastpath-sync"))
    unread = replace(witness, check="C5", vector=0x34)
    known = rf"What broke it is not known; the last post is that of {S}, the last look that of {S}\."
    assert re.search(known, explanation_of(unread, None))
