"""The commands of campaigns: ``pirace soak`` with its subcommands, and ``pirace repro``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from hosts.cli.numbers import PCPUS, RUN, SECONDS, TIMES
from hosts.cli.options import CONTEXT, LARGEST_SEED, C, debug_option
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.soak.view.hints import FOLDER

PLACES: Final = ("alone", "smt", "core-complex", "package", "numa", "other-package", "shared", "unpinned")


def campaign_option(command: C) -> C:
    """Give a command the option that says which campaign it is about."""
    text = f"The campaign's folder; {FOLDER} if not given."
    return click.option("--campaign", metavar="DIR", help=text)(command)


@click.group(
    context_settings=CONTEXT,
    invoke_without_command=True,
    short_help="Race everything for hours, on every placement of this machine.",
)
@campaign_option
@click.option("--for", "length", type=SECONDS, metavar="TIME", help="As 90s, 30m, 8h or 2d; else until Ctrl-C.")
@click.option(
    "--until-violation",
    is_flag=True,
    help="End at the first violation that the table of expected verdicts does not name; with --policy or --mutation at "
    "the first one. Canaries apart.",
)
@click.option("--resume", is_flag=True, help="Go on with the campaign of the folder, as it was begun.")
@click.option("--each", type=SECONDS, metavar="TIME", help="Of a race; 2s if not given.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), help="Of all choices; drawn and shown if not given.")
@click.option("--scenario", multiple=True, metavar="NAME", help="Only this scenario; may be repeated.")
@click.option("--policy", multiple=True, metavar="NAME", help="Only this policy, or file.py:function; may be repeated.")
@click.option("--mutation", multiple=True, metavar="NAME", help="With this seeded bug; may be repeated.")
@click.option("--cpus", type=PCPUS, metavar="N", help="pCPUs in the scenarios that can do with more than they need.")
@click.option(
    "--place", multiple=True, type=click.Choice(PLACES), help="Only this class of placement; may be repeated."
)
@click.option("--dask", metavar="ADDRESS", help="On the worker hosts of this Dask scheduler, a machine on each.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write JSON lines: the campaign, each run as it ends, then what the soak has come to "
    "(hosts/report/schema.json).",
)
@click.option("--quiet", is_flag=True, help="Show only the end: what it is worth, and runs that are not as expected.")
@debug_option
@click.pass_context
def soak(context: click.Context, /, **options: Any) -> int | None:
    """Race everything for hours, on every placement that this machine has; lose nothing, and say what it is worth.

    A campaign is a folder with one file. Each run is entered in it before it begins and once when it ends: after
    Ctrl-C, a kill or a power cut --resume goes on. A run is a scenario under a policy, with the pCPUs' processors close
    or far (--place), disturbed or not; every few runs a seeded bug that must be seen (the canary), now and then every
    interleaving of a small scope. Half of the races go where least time was spent, half where most was found.

    What a run leaves that is not as expected is kept whole: pirace soak show ID, pirace repro ID.

    \b
    Examples:
      pirace soak                                  until Ctrl-C
      pirace soak --campaign weekend --for 60h
      pirace soak --campaign weekend --resume
      pirace soak --policy my_policy.py:trigger --until-violation
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
    from hosts.cli.soak import Options, soak_command

    return soak_command(Options(**{**options, "campaign": options["campaign"] or FOLDER}))


def _refuse_before_subcommand(context: click.Context) -> None:
    """Say that a subcommand takes its own options, rather than pass over those of the soak."""
    given = [name for name, value in context.params.items() if value not in (None, False, ()) and name != "campaign"]
    if given:
        option = next(each for each in context.command.params if each.name == given[0])
        raise click.UsageError(f"{option.opts[0]} is not for pirace soak {context.invoked_subcommand}", context)


def _folder(context: click.Context, given: str | None) -> str:
    above = (context.obj or {}).get("campaign") if isinstance(context.obj, dict) else None
    return _there(given or above)


def _there(given: str | None) -> str:
    """Give the folder of a campaign to be read; Failure if nobody named one and there is none where it would be."""
    if given is None and not Path(FOLDER).exists():
        raise Failure(f"{FOLDER}: no campaign there; --campaign DIR names another folder", EXIT_USAGE)
    return given or FOLDER


@soak.command(context_settings=CONTEXT)
@campaign_option
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write JSON lines: the campaign, each of its runs, then what is shown (hosts/report/schema.json).",
)
@debug_option
@click.pass_context
def status(context: click.Context, campaign: str | None, json_file: str | None) -> int:
    """Show what a campaign has come to, also while it runs.

    The first line says what it is worth: whether a canary was not caught, no race window was entered, or anything is
    not as expected. Then rates, by policy, scenario and placement, over the runs.

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
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write JSON lines: the campaign, then the run with its machine (hosts/report/schema.json).",
)
@debug_option
@click.pass_context
def show(context: click.Context, number: int, campaign: str | None, json_file: str | None) -> int:
    """Show one run of a campaign: seed, placement, environment, counts, what fired, and the machine as it was left.

    Of a run that was kept: the descriptors, modes and requests, and the last events of every pCPU, under the kernel's
    names; then the command that repeats it.

    \b
    Example:
      pirace soak show 41 --campaign weekend
    """  # noqa: D301
    from hosts.cli.soak_show import show_command

    return show_command(_folder(context, campaign), number, json_file)


@click.command(context_settings=CONTEXT, short_help="Do a run of a campaign again: how often does it show?")
@click.argument("number", metavar="ID", type=RUN)
@campaign_option
@click.option("--times", type=TIMES, metavar="N", help="So often; 20 if not given.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write JSON lines: where it is done, then one for each time (hosts/report/schema.json).",
)
@debug_option
def repro(number: int, campaign: str | None, times: int | None, json_file: str | None) -> int:
    """Do a run of a campaign again, and say how often it shows what it showed.

    The same race, seed, disturbance and processors. Who wins a race is up to the machine, so it need not show each
    time. What an exploration found is replayed, step by step.

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
