"""The command ``pirace``: its group of commands, and how errors become lines and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

import click

from hosts.cli.commands.campaign import repro, soak
from hosts.cli.commands.history import history
from hosts.cli.commands.kernel import kernel
from hosts.cli.commands.litmus import litmus
from hosts.cli.commands.options import CONTEXT, debug_option
from hosts.cli.commands.race import reconcile, stress
from hosts.cli.commands.search import audit, explore, replay
from hosts.cli.commands.show import list_, trace
from hosts.cli.streams import streams_that_may_fail, told_at_the_end
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_FAULT, EXIT_INTERRUPTED, EXIT_USAGE
from hosts.resource_limits import EXHAUSTED, lack_in
from hosts.signals import exit_status, interrupted_by, interrupts_raised

EXIT_PIPE: Final = 141


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        from hosts.report.environment import commit_here, version

        commit = commit_here()
        click.echo(f"pirace {version()}{f' ({commit})' if commit else ''}")
        context.exit()


@click.group(context_settings=CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and the commit.",
)
@debug_option
def cli() -> None:
    """Race KVM's posted-interrupt delivery on real processes.

    The rules of kvm_vcpu_trigger_posted_interrupt() from 2013 to now, or one of your own, are tried against genuine
    races: every physical CPU is a process, every IPI a ZeroMQ message, and the descriptor lies in shared memory.

    \b
    Examples:
      pirace stress                                everything, in about a minute
      pirace stress --scenario device-irq          one scenario, all policies
      pirace stress --policy my_policy.py:trigger  a rule of your own
      pirace stress --patch my_sync.py             functions of your own
      pirace explore --policy elide-self-2022      every interleaving
      pirace explore --kernel ~/linux --diff x.patch  what a patch of KVM changes
      pirace trace timer-fastpath                  a timer fastpath, step by step
      pirace list                                  everything that has a name
      pirace history                               real bugs, to be caught again
      pirace kernel ~/linux                        how a kernel's C is read
      pirace litmus SB.litmus                      a test of the memory model
      pirace soak --for 8h                         race everything for hours

    \b
    Exit status:
      0   every row is as expected        3   the environment lacks something
      1   a row is not as expected        4   a fault of pirace
      2   a row proves nothing            64  wrong usage
      130 Ctrl-C (143 SIGTERM, 129 SIGHUP)
    """  # noqa: D301 - click's mark for text that is not to be wrapped


for each in (stress, explore, list_, history, litmus, replay, audit, reconcile, trace, kernel, soak, repro):
    cli.add_command(each)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status. SIGTERM and SIGHUP end every command as Ctrl-C does."""
    with interrupts_raised(), streams_that_may_fail():
        status = told_at_the_end(_run(arguments))
        return exit_status() if status == EXIT_INTERRUPTED else status


def _run(arguments: Sequence[str] | None) -> int:
    told = {"debug": False}
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads: nothing here has work for them
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
    """Return the message for an error, and the exit status."""
    match error:
        case click.ClickException():
            return _usage(error), EXIT_USAGE
        case Failure():
            return f"pirace: {error}", error.exit_code
        case KeyboardInterrupt() | click.Abort():
            by = interrupted_by()
            return f"pirace: interrupted{f' by {by}' if by not in ('', 'SIGINT') else ''}", EXIT_INTERRUPTED
        case ModuleNotFoundError() if (error.name or "emu").partition(".")[0] not in ("emu", "hosts"):
            return f"pirace: the package {error.name} is missing (./scripts/stress-run installs it)", EXIT_ENVIRONMENT
    if _is_lack(error):
        return f"pirace: {str(error) or 'no memory'}: a limit of this user or this machine", EXIT_ENVIRONMENT
    hint = "" if debug else " (--debug shows where)"
    return f"pirace: internal error: {type(error).__name__}: {error}{hint}", EXIT_FAULT


def _is_lack(error: BaseException) -> bool:
    """Return whether the machine, or a limit of the user, refused a file, a process, a thread or memory."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in EXHAUSTED or "No usable temporary directory" in str(error)
    # Without an errno it is a library that could not be loaded, as under a limit of memory.
    return isinstance(error, MemoryError | OSError) or bool(lack_in(str(error)))


def _usage(error: click.ClickException) -> str:
    """Return what is wrong with the command line, with the usage line."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = f"{context.get_usage()}\n" if context is not None else ""
    return f"{usage}pirace: {error.format_message()}"


if __name__ == "__main__":
    sys.exit(main())
