"""``pirace trace``: one post and its delivery as a call tree."""

from __future__ import annotations

from collections.abc import Iterator

from emu.mutations import Mutation
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.program import PolicyError, load_program
from hosts.loader.rule.blame import failure_of_rule
from hosts.loader.rule.faults import RuleFault
from hosts.loader.rule.policy_source import PolicySource
from hosts.runs.plan import PlanError, chosen_mutations, chosen_policies, chosen_scenarios, rule_among
from hosts.trace.record import EndlessStoryError, Step
from hosts.trace.render import lines
from hosts.trace.story import NoStoryError, story_of, tell


def trace_lines(
    scenario: str, policy: str, mutation: str | None, *, everything: bool = False, width: int | None = None
) -> Iterator[str]:
    """Return the lines of a trace, no wider than ``width``; Failure if there is none."""
    rule = rule_among([policy])
    try:
        chosen_scenarios([scenario])
        chosen_policies([policy], rule)
        seeded = chosen_mutations([mutation])[0] if mutation is not None else None
        story_of(scenario)
        steps = _steps(scenario, policy, rule, seeded, everything=everything)
    except (PlanError, PolicyError, NoStoryError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    mutated = f" + {mutation}" if mutation is not None else ""
    yield f"{scenario} x {policy}{mutated}"
    yield from lines(steps, width)


def _steps(
    scenario: str, policy: str, rule: PolicySource | None, mutation: Mutation | None, *, everything: bool
) -> list[Step]:
    program = load_program(rule)
    try:
        return tell(program, scenario, policy, mutation, everything=everything)
    except EndlessStoryError:
        raise Failure(f"{scenario} x {policy} does not come to an end", 1) from None
    except RuleFault as fault:
        raise Failure(fault.told(rule), EXIT_USAGE) from None
    except Exception as error:  # noqa: BLE001 - whatever the user's function does
        raise failure_of_rule(error, rule) or error from None
