"""Whether the labels of a witness (scenario, scope, policy, mutation) are those of the state it starts in."""

from __future__ import annotations

from emu.expected import by_name
from emu.machine import MENU_ITEMS, Machine
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.counterexample.witness import Witness, WitnessError, by_offset
from hosts.explorer.initial_state import initial_words
from hosts.explorer.threads.harness import DEFAULT_NAME, Scope, ScopeError, driver_sources, scope_of
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.policy_name import policy_number
from hosts.word64 import BASE


def check_labels(witness: Witness, own: Own = NOTHING_OWN) -> None:
    """Refuse a witness whose labels are not those of its initial state; ``own``: of the user's code; WitnessError."""
    scope = _scope(witness, own)
    if (scope.names, driver_sources(scope)) != (witness.threads, {**witness.drivers}):
        raise WitnessError(f"its threads are not those of the scope that it names: {witness.scope}")
    wanted = by_offset(initial_words(scope, _policy(witness), _mutation(witness), own))
    config = Machine(BASE).config
    menu = {config.guest_menu[i] - BASE for i in range(MENU_ITEMS)}  # in the order in which it was typed
    differ = {word for word in {*wanted, *witness.initial} - menu if wanted.get(word) != witness.initial.get(word)}
    for kind, word, name in (
        ("policy", config.policy, witness.policy),
        ("mutation", config.mutation, witness.mutation or "none"),
    ):
        if word - BASE in differ:
            raise WitnessError(f"its steps are not those of the {kind} that it names: {name}")
    if differ:
        raise WitnessError("its steps begin with another machine than that of the scenario and the scope that it names")


def _scope(witness: Witness, own: Own) -> Scope:
    named = [each for each in (*SCENARIOS, *own.scenarios) if each.name == witness.scenario]
    if not named and witness.scenario != DEFAULT_NAME:
        raise WitnessError(f"it names a scenario that there is not: {witness.scenario}")
    try:
        return scope_of(named[0] if named else None, witness.scope, own.act_numbers)
    except (ScopeError, ValueError) as error:
        raise WitnessError(f"its scope is none: {error}") from None


def _policy(witness: Witness) -> int:
    try:
        return policy_number(witness.policy, patched=witness.code is not None)
    except KeyError:
        raise WitnessError(f"it names a policy that there is not: {witness.policy}") from None


def _mutation(witness: Witness) -> int:
    try:
        return by_name(witness.mutation).number if witness.mutation else 0
    except KeyError:
        raise WitnessError(f"it names a mutation that there is not: {witness.mutation}") from None
