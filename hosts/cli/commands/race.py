"""The commands that race on real processes: ``pirace stress`` and ``pirace reconcile``."""

from __future__ import annotations

from typing import Any

import click

from hosts.cli.commands.code_options import CodeOptions
from hosts.cli.commands.numbers import SECONDS
from hosts.cli.commands.options import (
    APPLIED,
    COMPARED,
    CONTEXT,
    budget_option,
    code_options,
    cpus_option,
    debug_option,
    json_option,
    mutation_option,
    policies_option,
    scenario_option,
    seed_option,
)


@click.command(context_settings=CONTEXT)
@scenario_option()
@policies_option
@mutation_option(
    "Only rows with this seeded bug; may be repeated. With --scenario and --policy any row, otherwise the rows of the "
    "table of expected verdicts."
)
@click.option(
    "--controls",
    type=click.Choice(["some", "all", "none"]),
    default="some",
    show_default=True,
    help="Seeded bugs to run as controls: under one policy each (two where the verdicts differ), under every policy of "
    "the table, or none. Without controls there is no canary.",
)
@click.option(
    "--seconds",
    type=SECONDS,
    metavar="TIME",
    help="Time for all rows together; by default what the rows need, about 60 s for a full run.",
)
@seed_option("Seed of all choices and disturbances; drawn and printed if not given.")
@cpus_option
@click.option(
    "--placement",
    type=click.Choice(["pinned", "shared", "unpinned"]),
    default="pinned",
    show_default=True,
    help="Pin each pCPU to a processor of its own, pin all to one processor, or leave them to the scheduler.",
)
@code_options(COMPARED)
@json_option("the environment, then each row as it ends")
@click.option(
    "--quiet",
    is_flag=True,
    help="Print only the rows that are unexpected, unproven or not explored, and the summary line.",
)
@debug_option
def stress(*, code: CodeOptions, **options: Any) -> int:
    """Race scenarios against policies, with seeded bugs as controls.

    A row is PASS or VIOLATION; INCONCLUSIVE if a race window that the scenario exists for was never entered;
    UNTRUSTWORTHY if the machine was too small or too busy, or if the canary (the seeded bug of the scenario) was not
    caught. The report then states the cost of each policy and, in one sentence, what the run has shown of it.

    For a rule of your own the scopes of its scenarios are explored, too, in at most half of the time. A violation in
    either is the row's verdict; a PASS that was not explored completely says so and prints the command that does it.

    --patch and --kernel put functions of your own into the machine, under today's rule unless --policy names others.
    A row of a seeded bug in a function that is replaced is SKIPPED. With --diff each row is run before and after it,
    and the last line says what it changes; the exit status is that of the rows after it.

    \b
    Examples:
      pirace stress
      pirace stress --scenario remote-post --policy elide-self-2022 --seconds 10
      pirace stress --mutation no-fastpath-sync
      pirace stress --policy my_policy.py:trigger --json result.jsonl
      pirace stress --patch my_sync.py --scenario remote-post
      pirace stress --kernel ~/linux --diff fix.patch
      pirace stress --kernel ~/linux --only vmx_sync_pir_to_irr,kvm_vcpu_kick
      pirace stress --controls all --seconds 300 --seed 7
    """  # noqa: D301
    from hosts.cli.user_code import asked_to_show, code_spec

    spec = code_spec(code, options["policy"])
    if code.show_diff:
        return asked_to_show(spec, options["policy"])
    from hosts.cli.stress import stress_command

    return stress_command(code=spec, **options)


@click.command(context_settings=CONTEXT, short_help="Compare what processes show with what the explorer allows.")
@scenario_option()
@policies_option
@click.option(
    "--seconds",
    type=SECONDS,
    metavar="TIME",
    default="3s",
    show_default=True,
    help="Time to race each row on real processes.",
)
@budget_option("Time limit for exploring each row.")
@seed_option("Seed of the runs; drawn and printed if not given.")
@code_options(APPLIED)
@json_option("the environment, then each row")
@debug_option
def reconcile(*, code: CodeOptions, **options: Any) -> int:
    """Compare what real processes show with what the explorer allows, scenario by scenario.

    The race windows entered and the checks fired are compared. What was seen in a run but occurs in no interleaving is
    a fault of pirace and is named. What occurs in some interleaving but was never seen is listed as the gap in the
    coverage of stress runs.

    \b
    Examples:
      pirace reconcile
      pirace reconcile --scenario halt-wake --policy elide-self-2022 --seconds 10
      pirace reconcile --scenario remote-post --patch my_sync.py

    \b
    Exit status:
      0   the hosts agree as far as was explored    64  wrong usage
      1   a run crashed                             130 Ctrl-C
      4   something seen is not allowed
    """  # noqa: D301
    from hosts.cli.user_code import asked_to_show, code_spec

    spec = code_spec(code, options["policy"])
    if code.show_diff:
        return asked_to_show(spec, options["policy"])
    from hosts.cli.reconcile import reconcile_command

    return reconcile_command(code=spec, **options)
