"""The command ``pirace``. What a command does is imported when it is called, so that ``--help`` is there at once."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from hosts.cli.errors import Failure

EXIT_ENVIRONMENT: Final = 3
EXIT_FAULT: Final = 4
EXIT_USAGE: Final = 64
EXIT_INTERRUPTED: Final = 130
EXIT_PIPE: Final = 141
LARGEST_SEED: Final = (1 << 62) - 1

C = TypeVar("C", bound=Callable[..., Any])


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and isinstance(context.find_root().obj, dict):
        context.find_root().obj["debug"] = True


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        from hosts.report.environment import version

        click.echo(f"pirace {version()}")
        context.exit()


def debug_option(command: C) -> C:
    """Give a command the option that every command has."""
    text = "Show the traceback of an internal error."
    option = click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=_remember_debug, help=text
    )
    return option(command)


CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
"""Given to each command: click keeps a command's help option from the first context it is seen in."""


@click.group(context_settings=CONTEXT)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
@debug_option
def cli() -> None:
    """Race KVM's posted-interrupt delivery on real processes.

    The rules of kvm_vcpu_trigger_posted_interrupt() from 2013 to now, or one of your own, run against genuine races:
    every physical CPU is a process, every IPI a ZeroMQ message, the descriptor is shared memory.

    \b
    Examples:
      pirace stress                                     everything, in about a minute
      pirace stress --scenario device-irq               one race, all rules
      pirace stress --policy my_policy.py:trigger       your own rule
      pirace trace timer-fastpath --policy always-2021  one timer fastpath, step by step
      pirace list                                       what there is

    \b
    Exit status:
      0   every row is as expected        3   the environment lacks something
      1   a row is not as expected        4   a fault of pirace
      2   a row proves nothing            64  wrong usage          130  Ctrl-C
    """  # noqa: D301 - click's mark for text that is not to be wrapped


@cli.command(context_settings=CONTEXT)
@click.option("--scenario", multiple=True, metavar="NAME", help="Only this scenario; may be repeated.")
@click.option("--policy", multiple=True, metavar="NAME", help="Only this policy, or file.py:function; may be repeated.")
@click.option(
    "--mutation",
    multiple=True,
    metavar="NAME",
    help="Only rows with this seeded bug; may be repeated. With --scenario and --policy any row, else those of the "
    "table of expected verdicts.",
)
@click.option(
    "--controls",
    type=click.Choice(["some", "all", "none"]),
    default="some",
    show_default=True,
    help="Seeded bugs run besides: one policy each (two where they differ), every policy of the table, or none and "
    "then no canary either.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="For all rows together; by default what they need, about 60 for a run of everything.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    help="Of all choices and disturbances; drawn and shown if not given.",
)
@click.option("--cpus", type=int, metavar="N", help="pCPUs in the scenarios that can do with more than they need.")
@click.option(
    "--placement",
    type=click.Choice(["pinned", "shared", "unpinned"]),
    default="pinned",
    show_default=True,
    help="Each pCPU on a processor of its own, all on one, or left to the scheduler.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write JSON lines: the environment, then each row as it ends (hosts/report/schema.json).",
)
@click.option("--quiet", is_flag=True, help="Show only rows that are not as expected, and the last line.")
@debug_option
def stress(**options: Any) -> int:
    """Race scenarios against policies, with seeded bugs as controls.

    A row is PASS or VIOLATION; INCONCLUSIVE if a window it exists for was never entered; UNTRUSTWORTHY if the machine
    was too small or too busy, or the seeded bug of its scenario (the canary) was not caught. Then it tells what each
    policy costs and, in a sentence, what this run has shown of it.

    \b
    Examples:
      pirace stress
      pirace stress --scenario remote-post --policy elide-self-2022 --seconds 10
      pirace stress --mutation no-fastpath-sync
      pirace stress --policy my_policy.py:trigger --json result.jsonl
      pirace stress --controls all --seconds 300 --seed 7
    """  # noqa: D301
    from hosts.cli.stress import Options, stress_command

    return stress_command(Options(**options))


@cli.command(name="list", context_settings=CONTEXT)
@debug_option
def list_() -> int:
    """Show scenarios, policies, mutations and checkers, a line each, and the commit each comes from.

    \b
    Example:
      pirace list
    """  # noqa: D301
    from hosts.cli.listing import listing

    for line in listing():
        click.echo(line)
    return 0


@cli.command(context_settings=CONTEXT)
@click.argument("scenario")
@click.option(
    "--policy", default="elide-self-2022", show_default=True, metavar="NAME", help="A policy, or file.py:function."
)
@click.option("--mutation", metavar="NAME", help="With this seeded bug.")
@click.option("--all", "everything", is_flag=True, help="Show helpers and instruments too.")
@debug_option
def trace(scenario: str, policy: str, mutation: str | None, everything: bool) -> int:  # noqa: FBT001
    """Print one post and its delivery as the kernel's call tree, the state beside each step.

    One pCPU, no races: IF is the interrupt flag, running what kvm_get_running_vcpu() gives, PIR the vectors posted.

    \b
    Examples:
      pirace trace timer-fastpath
      pirace trace tscdeadline-immed --policy always-2021
      pirace trace device-irq --policy skip-running-2020      the lost wake-up of 2021
      pirace trace timer-fastpath --mutation no-fastpath-sync
    """  # noqa: D301
    from hosts.cli.trace import trace_lines

    for line in trace_lines(scenario, policy, mutation, everything=everything):
        click.echo(line)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give the exit status."""
    told = {"debug": False}
    try:
        given = None if arguments is None else list(arguments)
        status = cli.main(given, prog_name="pirace", standalone_mode=False, obj=told)
        sys.stdout.flush()
        return int(status or 0)
    except (BrokenPipeError, SystemExit):  # whoever read this has seen enough (click and rich exit by themselves)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last one to see it
        if told["debug"] and not isinstance(error, click.ClickException | KeyboardInterrupt):
            traceback.print_exception(error)
        message, status = _explained(error, debug=told["debug"])
        click.echo(message, err=True)
        return status


def _explained(error: BaseException, *, debug: bool) -> tuple[str, int]:
    """Give the lines, and the exit status, that an error is told by."""
    match error:
        case click.ClickException():
            return _usage(error), EXIT_USAGE
        case Failure():
            return f"pirace: {error}", error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return "pirace: interrupted", EXIT_INTERRUPTED
        case ModuleNotFoundError() if (error.name or "emu").partition(".")[0] not in ("emu", "hosts"):
            return f"pirace: the package {error.name} is missing (./scripts/stress-run installs it)", EXIT_ENVIRONMENT
    hint = "" if debug else " (--debug shows where)"
    return f"pirace: internal error: {type(error).__name__}: {error}{hint}", EXIT_FAULT


def _usage(error: click.ClickException) -> str:
    """Say what is wrong with the command line, and what would be right."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = f"{context.get_usage()}\n" if context is not None else ""
    return f"{usage}pirace: {error.format_message()}"


if __name__ == "__main__":
    sys.exit(main())
