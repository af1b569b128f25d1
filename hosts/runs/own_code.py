"""A user's code as a plan has to know it: what it is called, and what it leaves of the rules and the seeded bugs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from emu.expected import Expectation, by_name, expected
from emu.machine import USER
from emu.mutations import Mutation
from emu.workload.scenarios import POLICIES, PolicyInfo
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.own.read import unpromised_by
from hosts.loader.policy_name import base_of, is_user_policy
from hosts.loader.program import Program
from hosts.loader.sent_vectors import TRIGGER
from hosts.loader.user_code import CodeSpec, UserCode

TODAYS: Final = "elide-self-2022"
"""The policy of a machine with a user's code in it, unless others are asked for: it is today's kernels that change."""
MODERN: Final = ("always-2021", TODAYS)


@dataclass(frozen=True)
class OwnCode:
    """A user's code."""

    code: UserCode
    replaces_rule: bool = False
    lost: Mapping[str, str] = field(default_factory=dict)
    """The seeded bugs that this machine does not have, with the reason."""
    program: Program | None = field(default=None, compare=False, repr=False)
    """As it is loaded, if it had to be."""

    @property
    def declared(self) -> Own:
        """What its patches declare besides functions."""
        return self.program.own if self.program is not None else NOTHING_OWN

    @property
    def label(self) -> str:
        """What its patches and its kernel are called; empty if it is only a rule."""
        return self.code.label

    @property
    def patches(self) -> CodeSpec | None:
        """What is asked for, if it is more than a rule."""
        return self.code.spec if self.code.spec.patched else None


def own_code(code: UserCode | None, program: Program | None) -> OwnCode | None:
    """Return what a plan has to know of a user's code; ``program``: as it is loaded, needed if it replaces anything."""
    if code is None:
        return None
    if program is None or not code.spec.patched:
        return OwnCode(code)
    lost = {name: _why_lost(name, program) for name in program.lost_mutations}
    return OwnCode(code, TRIGGER in program.replaced, lost, program)


def own_code_of(code: UserCode | None) -> OwnCode | None:
    """Return what a plan has to know of a user's code; PolicyError, LoaderError."""
    if code is None or not code.spec.patched:
        return own_code(code, None)
    from hosts.explorer.cache.programs import ready_program  # of a rule alone nothing has to be loaded for it

    return own_code(code, ready_program(code))


def _why_lost(mutation: str, program: Program) -> str:
    """Return which function of a seeded bug has been replaced, or that nothing calls it any more."""
    edited = [edit.function for edit in by_name(mutation).edits]
    for name in edited:
        where = program.replaced.get(name)
        if where is not None:
            return f"{name} is replaced ({where.file.rpartition('/')[2]}:{where.line})"
    return f"nothing calls {edited[0]}"


def policy_named(name: str, code: UserCode | None) -> PolicyInfo:
    """Return a policy in the machine with a user's patches, by the name that it has there."""
    base = base_of(name)
    known = {policy.name: policy for policy in POLICIES}
    if base in known:
        return replace(known[base], name=name, patched=True, unpromised=unpromised_by(code))
    about = "your own rule" if is_user_policy(name) else "your own code"
    return PolicyInfo(name, USER, "yours", about, unpromised_by(code), patched=True)


def expected_of(scenario: str, policy: PolicyInfo, mutation: Mutation | None) -> Expectation | None:
    """Return what the table says of a row.

    Of a machine with a user's code in it, it is said that it delivers, as of a rule of the user's own, and that seeded
    bugs show. A rule that is not in the table is taken for one of today: they show if they show under both of these.
    """
    name = mutation.name if mutation is not None else None
    if not policy.patched:
        return expected(scenario, policy.name, name)
    if name is None:
        return None
    base = base_of(policy.name)
    bases = (base,) if base in {each.name for each in POLICIES} else MODERN
    said = {expected(scenario, each, name) for each in bases}
    return said.pop() if len(said) == 1 else None


def words_of(policy: str, code: CodeSpec | None) -> list[str]:
    """Return the options of a command for a policy and a user's code."""
    base = base_of(policy)
    patched = code is not None and code.patched
    named = is_user_policy(base) or not patched or base in {each.name for each in POLICIES}
    words = ["--policy", base] if named else []
    if code is None:
        return words
    for option, values in (
        ("--patch", code.patches),
        ("--kernel", (code.kernel,) if code.kernel is not None else ()),
        ("--diff", (code.diff,) if code.diff is not None else ()),
        ("--only", (",".join(code.only),) if code.only else ()),
        ("--stub", code.stubs),
    ):
        words += [word for value in values for word in (option, value)]
    return words
