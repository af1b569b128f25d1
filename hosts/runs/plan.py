"""Plan of a stress run: its configurations, and their order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from emu.expected import Expectation, policies_of, policy_by_name
from emu.machine import MAX_PCPUS, USER
from emu.mutations import MUTATIONS, Mutation
from emu.workload.scenarios import POLICIES, SCENARIOS, PolicyInfo, Scenario
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.policy_name import is_user_policy, patched_name
from hosts.loader.rule.userpolicy import unpromised
from hosts.loader.sent_vectors import TRIGGER
from hosts.loader.user_code import CodeSpec, code_of
from hosts.runs.own_code import TODAYS, OwnCode, expected_of, policy_named

Controls = Literal["some", "all", "none"]

COST_SCENARIOS: Final = ("tscdeadline-immed", "timer-fastpath", "timer-slowpath")
"""The scenarios of the cost table."""
TIMED_SCENARIO: Final = "tscdeadline-immed"
"""The scenario in which round trips are timed, in several short repeats with the policies interleaved."""
REPEATS: Final = 5

DEFAULT_PCPUS: Final = 4
"""Number of pCPUs of a scenario that grows, if there are as many processors."""

CLEAN_SECONDS: Final = 0.8
SOUGHT_SECONDS: Final = 0.25
ALLOWED_SECONDS: Final = 0.5
HARMLESS_SECONDS: Final = 0.4
"""Nominal seconds of a row: clean; violation expected; violation possible; harmless mutation."""
EXPLORE_SECONDS: Final = 3.0
"""Nominal seconds of exploring the scope of a row with a user's own rule."""
OVERHEAD_SECONDS: Final = 0.08
"""Assumed overhead of one run, until it is measured."""

AT_THE_END: Final = frozenset({"C8", "C10"})
"""Checks that are made when a run is over: there is no point in waiting for them."""


_TELLING: Final = 3
"""Shortest part of a name that suggests it."""


class PlanError(Exception):
    """A request that cannot be planned; the message is for the user."""


@dataclass(frozen=True)
class Planned:
    """One configuration of the run, which ends as exactly one row."""

    scenario: Scenario
    policy: PolicyInfo
    mutation: Mutation | None
    expectation: Expectation | None
    pcpus: int
    canary: bool = False
    own: Own = NOTHING_OWN
    """What the user's code brings along."""
    code: CodeSpec | None = None
    """The user's patches and kernel that are in the machine."""
    reference: bool = False
    """It is run to be compared with, as it was before a diff: nothing is expected of it."""
    lost: str = ""
    """Why the machine does not have this seeded bug: a user's code replaces what it edits."""

    @property
    def vcpus(self) -> int:
        """Number of vCPUs: of pCPUs that run one, or of tasks."""
        if self.scenario.tasks:
            return self.scenario.tasks
        return self.pcpus if self.scenario.every_pcpu_runs_a_vcpu else 1

    @property
    def sought(self) -> tuple[str, ...]:
        """The checks that must fire, or an empty tuple."""
        wanted = self.expectation
        return wanted.checks if wanted is not None and wanted.outcome == "VIOLATION" else ()

    @property
    def stints(self) -> int:
        """Number of runs of the row: repeats that are timed, or calm and disturbed ones."""
        if self.scenario.name == TIMED_SCENARIO and self.mutation is None:
            return REPEATS
        return 1 if self.pcpus == 1 or self.sought else 2

    @property
    def nominal_seconds(self) -> float:
        """Nominal seconds of the row."""
        outcome = self.expectation.outcome if self.expectation is not None else None
        if outcome == "VIOLATION":
            return SOUGHT_SECONDS
        if self.mutation is None:
            return CLEAN_SECONDS
        return ALLOWED_SECONDS if outcome == "MAY" else HARMLESS_SECONDS

    @property
    def own_rule(self) -> bool:
        """Return whether the rule, or another part of the machine, is the user's own: its scopes are explored."""
        return self.policy.number == USER or (self.policy.patched and not self.canary)

    @property
    def explorable(self) -> bool:
        """Return whether it is to be explored beside its races; what becomes of messages on the way cannot be.

        Of a machine with a user's code in it seeded bugs are controls of the races alone.
        """
        return (
            self.own_rule
            and not self.too_few
            and (self.mutation is None or not (self.policy.patched or self.mutation.fabric_fault))
        )

    @property
    def own_scenario(self) -> bool:
        """Return whether the scenario is the user's: its windows have to be entered, whatever the explorer says."""
        return self.scenario in self.own.scenarios

    @property
    def too_few(self) -> bool:
        """Return whether the scenario needs more pCPUs than it is given."""
        return self.pcpus < self.scenario.pcpus

    def __str__(self) -> str:
        """Return its name."""
        mutated = f" + {self.mutation.name}" if self.mutation is not None else ""
        return f"{self.scenario.name} x {self.policy.name}{mutated}"


Group = tuple[Planned, ...]
"""Configurations whose runs are interleaved, so that system noise affects all alike."""


@dataclass(frozen=True)
class Plan:
    """A whole run."""

    groups: tuple[Group, ...]
    left_out: tuple[Scenario, ...] = ()
    """Scenarios that nobody has asked for by name, and that this machine has too few processors for."""

    @property
    def rows(self) -> tuple[Planned, ...]:
        """All configurations."""
        return tuple(planned for group in self.groups for planned in group)

    def as_reference(self) -> Plan:
        """Return the same run, to be compared with."""
        return replace(self, groups=tuple(tuple(map(as_reference, group)) for group in self.groups))

    @property
    def nominal_seconds(self) -> float:
        """Nominal seconds of the run, its length by default."""
        races = sum(planned.nominal_seconds + planned.stints * OVERHEAD_SECONDS for planned in self.rows)
        return races + self.exploring_seconds

    @property
    def exploring_seconds(self) -> float:
        """The part of it that is for exploring."""
        return EXPLORE_SECONDS * sum(planned.explorable for planned in self.rows)


@dataclass(frozen=True)
class Wanted:
    """What the user asked for; empty means everything."""

    scenarios: Sequence[str] = ()
    policies: Sequence[str] = ()
    mutations: Sequence[str] = ()
    controls: Controls = "some"
    cpus: int | None = None
    own: OwnCode | None = None
    """The user's code; of a rule among the policies, without, what is needed is read when it is planned."""


def make_plan(wanted: Wanted, processors: int) -> Plan:
    """Plan a run: per scenario the canary, then the unmutated rows in turns, then the other controls."""
    if wanted.cpus is not None and not 1 <= wanted.cpus <= MAX_PCPUS:
        raise PlanError(f"--cpus {wanted.cpus}: a machine has 1 to {MAX_PCPUS} pCPUs")
    groups: list[Group] = []
    declared = declared_by(wanted.own)
    chosen = chosen_scenarios(wanted.scenarios, declared)
    asked = wanted.scenarios or wanted.cpus is not None
    left_out = tuple(each for each in chosen if each.tasks and each.pcpus > processors and not asked)
    for scenario in (each for each in chosen if each not in left_out):
        size = _size(scenario, wanted.cpus, processors)
        if wanted.mutations:
            groups += [(planned,) for planned in _asked_for(scenario, wanted, size)]
        else:
            groups += _groups(scenario, wanted, size)
    if not groups:
        raise PlanError("the table of expected verdicts has no such row; name --scenario and --policy to run it anyway")
    spec = wanted.own.patches if wanted.own is not None else None
    return Plan(tuple(tuple(replace(row, code=spec, own=declared) for row in group) for group in groups), left_out)


def _size(scenario: Scenario, asked: int | None, processors: int) -> int:
    if asked is not None:
        return asked if scenario.grows else min(asked, scenario.pcpus)
    return max(min(processors, DEFAULT_PCPUS), scenario.pcpus) if scenario.grows else scenario.pcpus


def _groups(scenario: Scenario, wanted: Wanted, pcpus: int) -> list[Group]:
    policies = chosen_policies(wanted.policies, wanted.own)
    clean = tuple(planned(scenario, policy, None, pcpus) for policy in policies)
    if wanted.controls == "none":
        return [clean]
    names = {policy.name for policy in policies}
    everything = [with_patches(row, wanted.own) for row in control_rows(scenario, "all", pcpus)]
    if wanted.own is not None and wanted.own.label:
        controls = list(patched_controls(scenario, policies, pcpus, wanted.own))
        everything = [] if wanted.own.replaces_rule else everything
    else:
        controls = [row for row in control_rows(scenario, wanted.controls, pcpus) if row.policy.name in names]
    canary = next((row for row in [*controls, *everything] if row.sought and not row.lost), None)
    if canary is None:
        return [clean, *((row,) for row in controls)]
    rest = [row for row in controls if row != canary]
    return [(replace(canary, canary=True),), clean, *((row,) for row in rest)]


def control_rows(scenario: Scenario, which: Controls, pcpus: int) -> Iterable[Planned]:
    """Return the scenario's rows of the table of seeded bugs.

    *All* of them, or *some*: one policy for each, or two where it makes a difference which policy it is.
    """
    for mutation in MUTATIONS:
        rows = [row for row in mutation.rows if row.scenario == scenario.name]
        telling = len({row.outcome for row in rows}) > 1
        for row in rows:
            policies = policies_of(row)
            for name in policies if which == "all" else policies[: 2 if telling else 1]:
                yield planned(scenario, policy_by_name(name), mutation, pcpus)


def patched_controls(scenario: Scenario, policies: Sequence[PolicyInfo], pcpus: int, own: OwnCode) -> Iterable[Planned]:
    """Return the rows of the table of seeded bugs that hold for policies in a machine with a user's code in it.

    Those that it cannot have are among them, with the reason.
    """
    for mutation in MUTATIONS:
        for policy in policies:
            row = planned(scenario, policy, mutation, pcpus)
            if row.expectation is not None:
                yield replace(row, lost=own.lost.get(mutation.name, ""))


def with_patches(row: Planned, own: OwnCode | None) -> Planned:
    """Return a row of the table of seeded bugs in the machine with a user's patches."""
    if own is None or not own.label:
        return row
    name = patched_name(row.policy.name, own.label)
    lost = own.lost.get(row.mutation.name, "") if row.mutation is not None else ""
    return replace(row, policy=replace(row.policy, name=name, patched=True), lost=lost)


def _asked_for(scenario: Scenario, wanted: Wanted, pcpus: int) -> Iterable[Planned]:
    """Return the rows of mutations that were asked for by name: what the table says, or exactly what was named."""
    patched = wanted.own is not None and bool(wanted.own.label)
    named = bool(wanted.scenarios) and (bool(wanted.policies) or patched)
    for mutation in chosen_mutations(wanted.mutations):
        for policy in chosen_policies(wanted.policies, wanted.own):
            row = planned(scenario, policy, mutation, pcpus)
            if named or row.expectation is not None:
                lost = wanted.own.lost if wanted.own is not None else {}
                yield replace(row, lost=lost.get(mutation.name, ""))


def planned(scenario: Scenario, policy: PolicyInfo, mutation: Mutation | None, pcpus: int) -> Planned:
    """Plan one configuration, with what the table says of it."""
    return Planned(scenario, policy, mutation, expected_of(scenario.name, policy, mutation), pcpus)


def as_reference(row: Planned) -> Planned:
    """Return a row that is run to be compared with."""
    return replace(row, reference=True)


# --- names -------------------------------------------------------------------------------------------------------


def short_name(policy: str) -> str:
    """Return a policy's name for a table: of a rule of the user's own without its folders."""
    return policy.rpartition("/")[2] if is_user_policy(policy) else policy


def user_policy_of(names: Sequence[str]) -> str | None:
    """Return the one user's policy among the names, if any; PlanError if there are several."""
    users = list(dict.fromkeys(name for name in names if is_user_policy(name)))
    if len(users) > 1:
        raise PlanError(f"a run takes one policy from a file, not {len(users)}: {', '.join(users)}")
    return users[0] if users else None


def declared_by(own: OwnCode | None) -> Own:
    """Return what a user's code declares."""
    return own.declared if own is not None else NOTHING_OWN


def chosen_scenarios(names: Sequence[str], own: Own = NOTHING_OWN) -> tuple[Scenario, ...]:
    """Return the scenarios of these names, all if there are none; ``own``: the user's among them."""
    known = {scenario.name: scenario for scenario in (*SCENARIOS, *own.scenarios)}
    _check("scenario", names, known)
    return tuple(scenario for name, scenario in known.items() if not names or name in names)


def chosen_policies(names: Sequence[str], own: OwnCode | None = None) -> tuple[PolicyInfo, ...]:
    """Return the policies of these names, all historic ones if there are none, as they are with the user's code.

    Without ``own`` the file of a user's rule among them is read now.
    """
    if own is not None and own.replaces_rule:
        if names:
            file = own.label
            raise PlanError(f"--policy {names[0]}: {file} replaces {TRIGGER}, which is the rule: leave --policy out")
        return (policy_named(own.label, own.code),)
    if own is None or not own.label:
        return _chosen(names, own)
    chosen = _chosen(names or [TODAYS], own)
    return tuple(policy_named(patched_name(each.name, own.label), own.code) for each in chosen)


def refuse_lost(own: OwnCode | None, mutation: Mutation | None) -> None:
    """Refuse a seeded bug that a machine with the user's code does not have; PlanError."""
    lost = own.lost.get(mutation.name) if own is not None and mutation is not None else None
    if lost and mutation is not None:
        raise PlanError(f"--mutation {mutation.name}: this machine does not have it: {lost}")


def one_policy(name: str | None, own: OwnCode | None) -> PolicyInfo:
    """Return the policy of a command that takes one; without a name the newest, unless the user's code is the rule."""
    if name is None and not (own is not None and own.replaces_rule):
        name = POLICIES[-1].name
    (policy,) = chosen_policies([name] if name is not None else [], own)
    return policy


def _chosen(names: Sequence[str], own: OwnCode | None) -> tuple[PolicyInfo, ...]:
    known = {policy.name: policy for policy in POLICIES}
    _check("policy", [name for name in names if not is_user_policy(name)], known)
    historic = tuple(policy for name, policy in known.items() if not names or name in names)
    user = user_policy_of(names)
    if user is None:
        return historic
    code = own.code if own is not None else code_of(user)
    left_out = unpromised(code.rule_file if code is not None else None)
    return (*historic, PolicyInfo(user, USER, "yours", "your own rule", left_out))


def chosen_mutations(names: Sequence[str]) -> tuple[Mutation, ...]:
    """Return the mutations of these names."""
    known = {mutation.name: mutation for mutation in MUTATIONS}
    _check("mutation", names, known)
    return tuple(mutation for name, mutation in known.items() if name in names)


def _check(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            own = "; or a rule of your own, as path/to/file.py:function" if kind == "policy" else ""
            meant = _meant(name, known)
            raise PlanError(f"unknown {kind} {name!r}{meant}; known: {', '.join(known)}{own}")


def _meant(name: str, known: Sequence[str]) -> str:
    """Return suggestions for a name that is mistyped or incomplete."""
    given = name.lower().replace("_", "-")
    part = len(given) >= _TELLING
    found = difflib.get_close_matches(given, known, 3) or [each for each in known if part and given in each][:3]
    return f" (did you mean {' or '.join(found)}?)" if found else ""
