"""The command ``pirace history``."""

from __future__ import annotations

from typing import Any

import click

from hosts.cli.commands.numbers import SECONDS
from hosts.cli.commands.options import CONTEXT, budget_option, debug_option, json_option, memory_option, seed_option


@click.command(context_settings=CONTEXT, short_help="List the real bugs, and catch them again.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--run", "running", is_flag=True, help="Explore and race what stands for the bugs.")
@click.option("--explore", "explored", is_flag=True, help="With --run: explore, and do not race.")
@click.option("--stress", "stressed", is_flag=True, help="With --run: race, and do not explore.")
@budget_option("Time limit for exploring each row.")
@memory_option("Memory limit for the states of a row.")
@click.option("--seconds", type=SECONDS, metavar="TIME", help="Time for all races together; by default what they need.")
@seed_option("Seed of the races; drawn and printed if not given.")
@json_option("the environment, then each row of the table")
@debug_option
def history(*, names: tuple[str, ...], **given: Any) -> int:
    """List real bugs of KVM's posted interrupts, and catch them again.

    Each bug has its commits, its year, the kernels that have it, and the race in one line. A subject between quotation
    marks is that of the fix. What stands for a bug here is a policy, or a mutation, in a scenario, with the check that
    fires; for the others the table says why nothing does. "Its symptom": the interleaving needs what is not modelled.
    NAME is a bug, a commit, a mutation or a policy.

    --run explores and races what stands for the bugs, and fills in after how many seconds each was caught: of the
    search, and of the race. A race ends soon after its check has fired for the first time.

    \b
    Examples:
      pirace history
      pirace history B02 33fd0ccd2590
      pirace history --run --explore
      pirace history --run B01 --seconds 5
      pirace history --run --json history.jsonl

    \b
    Exit status:
      0   all were caught that are run    4   a fault of pirace
      1   one is not in its scope         64  wrong usage
      2   one was not seen in time        130 Ctrl-C
      3   the environment lacks something
    """  # noqa: D301
    from hosts.cli.history import HistoryOptions, history_command

    return history_command(HistoryOptions(names=names, **given))
