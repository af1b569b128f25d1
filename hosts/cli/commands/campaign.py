"""The commands of campaigns: ``pirace soak`` with its subcommands, and ``pirace repro``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from hosts.cli.commands.code_options import CodeOptions
from hosts.cli.commands.numbers import RUN, SECONDS, TIMES
from hosts.cli.commands.options import (
    APPLIED,
    CONTEXT,
    C,
    code_options,
    cpus_option,
    debug_option,
    json_option,
    mutation_option,
    policies_option,
    scenario_option,
    seed_option,
)
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.soak.view.hints import FOLDER

PLACES: Final = ("alone", "smt", "core-complex", "package", "numa", "other-package", "shared", "unpinned")


def campaign_option(command: C) -> C:
    """Add the option that names the campaign."""
    text = f"Folder of the campaign; {FOLDER} if not given."
    return click.option("--campaign", metavar="DIR", help=text)(command)


@click.group(
    context_settings=CONTEXT,
    invoke_without_command=True,
    short_help="Race everything for hours, on every placement of this machine.",
)
@campaign_option
@click.option(
    "--for", "length", type=SECONDS, metavar="TIME", help="Length, as 90s, 30m, 8h or 2d; until Ctrl-C if not given."
)
@click.option(
    "--until-violation",
    is_flag=True,
    help="End at the first violation that the table of expected verdicts does not name; with --policy or --mutation at "
    "the first of any kind. Violations of canaries do not count.",
)
@click.option("--resume", is_flag=True, help="Continue the campaign in the folder, with its settings.")
@click.option("--each", type=SECONDS, metavar="TIME", help="Length of one race; 2s if not given.")
@seed_option("Seed of all choices; drawn and printed if not given.")
@scenario_option()
@policies_option
@mutation_option()
@cpus_option
@click.option(
    "--place", multiple=True, type=click.Choice(PLACES), help="Only this class of placement; may be repeated."
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Run on the worker hosts of this Dask scheduler, one emulated machine on each host at a time.",
)
@code_options(APPLIED)
@json_option("the campaign, each run as it ends, then the status of the campaign")
@click.option("--quiet", is_flag=True, help="Print only the assessment at the end, and runs that are not as expected.")
@debug_option
@click.pass_context
def soak(context: click.Context, /, *, code: CodeOptions, **options: Any) -> int | None:
    """Race everything for hours, on every placement of this machine; record every run, and assess the whole.

    A campaign is a folder with a database. Each run is recorded before it begins and when it ends, so --resume
    continues after Ctrl-C, a kill or a power cut. A run is a race of a scenario under a policy, with the pCPUs on
    processors that are near or far (--place), disturbed or not. At regular intervals there is a canary, a seeded bug
    that must be seen, and an exploration of every interleaving of a small scope. Half of the races go where least time
    was spent, half where most was found.

    The machine of a run that is not as expected is kept: pirace soak show ID, pirace repro ID.

    \b
    Examples:
      pirace soak                                  until Ctrl-C
      pirace soak --campaign weekend --for 60h
      pirace soak --campaign weekend --resume
      pirace soak --policy my_policy.py:trigger --until-violation
      pirace soak --kernel ~/linux --diff fix.patch --until-violation
      pirace soak --place smt --place numa --json runs.jsonl
      pirace soak --dask tcp://head:8786 --for 8h
      pirace soak status --campaign weekend        also while it runs
      pirace soak show 41 --campaign weekend       one run, and its machine

    \b
    Exit status:
      0   everything is as expected         3   the environment lacks something
      1   something is not                  4   a fault of pirace
      2   something proves nothing          64  wrong usage
      130 Ctrl-C (143 SIGTERM, 129 SIGHUP)
    """  # noqa: D301
    if context.invoked_subcommand is not None:
        _refuse_before_subcommand(context)
        context.obj = {**(context.obj or {}), "campaign": options["campaign"]}
        return None
    from hosts.cli.user_code import asked_to_show, code_spec

    spec = code_spec(code, options["policy"])
    if code.show_diff:
        return asked_to_show(spec, options["policy"])
    from hosts.cli.soak import SoakOptions, soak_command

    return soak_command(SoakOptions(code=spec, **{**options, "campaign": options["campaign"] or FOLDER}))


def _refuse_before_subcommand(context: click.Context) -> None:
    """Refuse options of the soak before a subcommand, which takes its own, rather than ignore them."""
    given = [name for name, value in context.params.items() if value not in (None, False, ()) and name != "campaign"]
    if given:
        option = next(each for each in context.command.params if each.name == given[0])
        raise click.UsageError(f"{option.opts[0]} is not for pirace soak {context.invoked_subcommand}", context)


def _folder(context: click.Context, given: str | None) -> str:
    above = (context.obj or {}).get("campaign") if isinstance(context.obj, dict) else None
    return _there(given or above)


def _there(given: str | None) -> str:
    """Return the folder of a campaign to be read; Failure if none was named and the default one does not exist."""
    if given is None and not Path(FOLDER).exists():
        raise Failure(f"{FOLDER}: no campaign there; --campaign DIR names another folder", EXIT_USAGE)
    return given or FOLDER


@soak.command(context_settings=CONTEXT)
@campaign_option
@json_option("the campaign, each of its runs, then its status")
@debug_option
@click.pass_context
def status(context: click.Context, campaign: str | None, json_file: str | None) -> int:
    """Show the status of a campaign, also while it runs.

    The first line is the assessment: whether a canary was missed, no race window was entered, or anything is not as
    expected. Then follow the rates over all runs, by policy, scenario and placement.

    \b
    Examples:
      pirace soak status
      pirace soak status --campaign weekend --json runs.jsonl

    The exit status is the one that the soak would end with now.
    """  # noqa: D301
    from hosts.cli.soak_show import status_command

    return status_command(_folder(context, campaign), json_file)


@soak.command(context_settings=CONTEXT, short_help="Show one run of a campaign, and its machine.")
@click.argument("number", metavar="ID", type=RUN)
@campaign_option
@json_option("the campaign, then the run with its machine")
@debug_option
@click.pass_context
def show(context: click.Context, number: int, campaign: str | None, json_file: str | None) -> int:
    """Show one run of a campaign: seed, placement, environment, counts, checks that fired, and the final machine.

    If the run's machine was kept: descriptors, modes, requests, and the last events of every pCPU, under the kernel's
    names. The last line is the command that repeats the run.

    \b
    Example:
      pirace soak show 41 --campaign weekend
    """  # noqa: D301
    from hosts.cli.soak_show import show_command

    return show_command(_folder(context, campaign), number, json_file)


@click.command(context_settings=CONTEXT, short_help="Repeat a run of a campaign: how often does its result recur?")
@click.argument("number", metavar="ID", type=RUN)
@campaign_option
@click.option("--times", type=TIMES, metavar="N", help="Number of repetitions; 20 if not given.")
@json_option("the environment, then each repetition")
@debug_option
def repro(number: int, campaign: str | None, times: int | None, json_file: str | None) -> int:
    """Repeat a run of a campaign, and report how often its result recurs.

    The race, the seed, the disturbance and the processors are the same. The outcome of a race depends on the machine,
    so the result need not recur each time. A counterexample that an exploration found is replayed step by step.

    \b
    Examples:
      pirace repro 41
      pirace repro 41 --campaign weekend --times 100

    \b
    Exit status:
      0   it showed at least once           3   the environment lacks something
      2   it did not                        64  wrong usage        130 Ctrl-C
      4   what an exploration found did not show each time: a fault of pirace
    """  # noqa: D301
    from hosts.cli.repro import repro_command

    return repro_command(_there(campaign), number, times, json_file)
