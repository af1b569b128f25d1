"""``pirace trace``: one post and its delivery as a call tree."""

from __future__ import annotations

from collections.abc import Iterator

from emu.mutations import Mutation
from hosts.cli.replaced_show import code_lines
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.program import PolicyError, Program, load_program
from hosts.loader.rule.blame import failure_of_code
from hosts.loader.rule.faults import RuleFault
from hosts.loader.user_code import CodeSpec, UserCode, code_of, paths_of
from hosts.runs.own_code import own_code
from hosts.runs.plan import PlanError, chosen_mutations, chosen_scenarios, one_policy, refuse_lost
from hosts.terminal import wrapped
from hosts.trace.record import EndlessStoryError, Step
from hosts.trace.render import lines
from hosts.trace.story import NoStoryError, story_of, tell


def trace_lines(
    scenario: str,
    policy: str | None,
    mutation: str | None,
    *,
    code: CodeSpec | None = None,
    everything: bool = False,
    width: int | None = None,
) -> Iterator[str]:
    """Return the lines of a trace, no wider than ``width``; Failure if there is none."""
    try:
        own = code_of(policy, code)
        chosen_scenarios([scenario])
        program = load_program(own)
        brings = own_code(own, program)
        chosen = one_policy(policy, brings)
        seeded = chosen_mutations([mutation])[0] if mutation is not None else None
        refuse_lost(brings, seeded)
        story_of(scenario)
        steps = _steps(scenario, chosen.name, own, program, seeded, everything=everything)
    except (PlanError, PolicyError, NoStoryError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    for line in code_lines(own, program):
        yield from wrapped(line, width)
    mutated = f" + {mutation}" if mutation is not None else ""
    yield f"{scenario} x {chosen.name}{mutated}"
    yield from lines(steps, width)


def _steps(
    scenario: str, policy: str, code: UserCode | None, program: Program, mutation: Mutation | None, *, everything: bool
) -> list[Step]:
    try:
        return tell(program, scenario, policy, mutation, everything=everything)
    except EndlessStoryError:
        raise Failure(f"{scenario} x {policy} does not come to an end", 1) from None
    except RuleFault as fault:
        raise Failure(fault.told(paths_of(code)), EXIT_USAGE) from None
    except Exception as error:  # noqa: BLE001 - whatever the user's function does
        raise failure_of_code(error, code) or error from None
