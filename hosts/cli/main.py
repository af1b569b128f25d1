"""The command ``pirace``. What a command does is imported when it is called, so that ``--help`` is there at once."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

import click

from hosts.cli.numbers import PCPUS, SECONDS, SIZE, TIMES
from hosts.cli.options import CONTEXT, LARGEST_SEED, debug_option
from hosts.cli.soak_commands import repro, soak
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
    help="Show the version and the commit.",
)
@debug_option
def cli() -> None:
    """Race KVM's posted-interrupt delivery on real processes.

    The rules of kvm_vcpu_trigger_posted_interrupt() from 2013 to now, or one of your own, run against genuine races:
    every physical CPU is a process, every IPI a ZeroMQ message, the descriptor is shared memory.

    \b
    Examples:
      pirace stress                                everything, in about a minute
      pirace stress --scenario device-irq          one race, all rules
      pirace stress --policy my_policy.py:trigger  your own rule
      pirace explore --policy elide-self-2022      every interleaving
      pirace trace timer-fastpath                  a timer fastpath, step by step
      pirace list                                  what there is
      pirace litmus SB.litmus                      is its x86-TSO yours?
      pirace soak --for 8h                         all of it, over and over

    \b
    Exit status:
      0   every row is as expected        3   the environment lacks something
      1   a row is not as expected        4   a fault of pirace
      2   a row proves nothing            64  wrong usage
      130 Ctrl-C (143 SIGTERM, 129 SIGHUP)
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
    type=SECONDS,
    metavar="TIME",
    help="For all rows together; by default what they need, about 60 for a run of everything.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    help="Of all choices and disturbances; drawn and shown if not given.",
)
@click.option("--cpus", type=PCPUS, metavar="N", help="pCPUs in the scenarios that can do with more than they need.")
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
@click.option(
    "--quiet", is_flag=True, help="Show only rows that are not as expected, unproven or not explored; the last line."
)
@debug_option
def stress(**options: Any) -> int:
    """Race scenarios against policies, with seeded bugs as controls.

    A row is PASS or VIOLATION; INCONCLUSIVE if a window it exists for was never entered; UNTRUSTWORTHY if the machine
    was too small or too busy, or the seeded bug of its scenario (the canary) was not caught. Then it tells what each
    policy costs and, in a sentence, what this run has shown of it.

    The scopes of your own rule's scenarios are explored by the way, in at most half of the time: a violation of either
    is the row's, and a PASS that was not explored to its end says so, with the command.

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


@cli.command(context_settings=CONTEXT, short_help="Run every interleaving of a small scope.")
@click.option("--scenario", multiple=True, metavar="NAME", help="This scenario's scope; may be repeated.")
@click.option("--policy", multiple=True, metavar="NAME", help="Only this policy, or file.py:function; may be repeated.")
@click.option("--mutation", multiple=True, metavar="NAME", help="With this seeded bug; may be repeated.")
@click.option(
    "--model",
    type=click.Choice(["tso", "sc"]),
    default="tso",
    show_default=True,
    help="With x86's store buffers, or sequential consistency.",
)
@click.option(
    "--buffer",
    type=click.IntRange(1, 16),
    default=16,
    show_default=True,
    metavar="N",
    help="Stores that a buffer holds.",
)
@click.option("--overtake", is_flag=True, help="An IPI may leave before the stores that went before it.")
@click.option(
    "--scope",
    metavar="TEXT",
    help='What the other pCPUs do, as "post:0x34 post:0xf6 | device | kick | guest=cpuid,hlt,timer | timers=1".',
)
@click.option("--budget", type=SECONDS, default="60s", show_default=True, metavar="TIME", help="For each row.")
@click.option("--memory", type=SIZE, default="4GB", show_default=True, metavar="SIZE", help="For the states of a row.")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Processors to search with; all, up to 8.")
@click.option("--no-reduce", is_flag=True, help="Without the partial-order reduction.")
@click.option("--no-forget", is_flag=True, help="Locals that are not read again still tell states apart.")
@click.option(
    "--no-symmetry", is_flag=True, help="No state stands for others in which equal senders have changed places."
)
@click.option("--no-fuse", is_flag=True, help="Each instrument and branch is a step of its own; with --no-fold.")
@click.option("--no-fold", is_flag=True, help="Counters are kept as they are; ends only if every thread does.")
@click.option("--exact", is_flag=True, help="Tell local states apart by the whole history of results.")
@click.option("--lines", is_flag=True, help="Name all lines of emu/ that were never reached.")
@click.option("--anyway", is_flag=True, help="Begin even if the states will not fit into the memory.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Write JSON lines, as stress does (hosts/report/schema.json)."
)
@click.option("--witness", "witness_file", metavar="FILE", help="Save the way to a violation, for pirace replay.")
@debug_option
def explore(
    *, no_reduce: bool, no_symmetry: bool, no_forget: bool, no_fuse: bool, no_fold: bool, **options: Any
) -> int:
    """Run the protocol through every interleaving of a small scope, store buffers and IPI latency included.

    A row is PASS if all was seen and no check fired, VIOLATION with a shortest way to it, or INCONCLUSIVE: bounded by
    its budget, its memory or a full store buffer. Without --scenario the default scope: a guest that halts and arms its
    timer, two remote posts from one pCPU and one from another, a device interrupt on the target's pCPU, a kick.

    \b
    Examples:
      pirace explore --policy elide-self-2022
      pirace explore --scenario device-irq --policy skip-running-2020
      pirace explore --mutation no-entry-barrier --witness strand.json
      pirace explore --scenario remote-post --mutation no-entry-barrier --model sc
      pirace explore --policy my_policy.py:trigger --scope "post:0x34 | device"
      pirace explore --budget 5m --memory 8GB --json rows.jsonl
    """  # noqa: D301
    from hosts.cli.explore import Given, explore_command

    return explore_command(
        Given(
            reduce=not no_reduce,
            symmetry=not no_symmetry,
            forget=not no_forget,
            fuse=not no_fuse,
            fold=not (no_fold or no_fuse),
            **options,
        )
    )


@cli.command(name="list", context_settings=CONTEXT, short_help="Show scenarios, policies, mutations and checkers.")
@debug_option
def list_() -> int:
    """Show scenarios, policies, mutations and checkers, a line each, and the commit each comes from.

    \b
    Example:
      pirace list
    """  # noqa: D301
    from hosts.cli.listing import listing
    from hosts.terminal import room, wide_console

    for line in listing(room(wide_console())):
        click.echo(line)
    return 0


@cli.command(context_settings=CONTEXT, short_help="Run x86 litmus tests, and print what herd7 prints.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--model",
    type=click.Choice(["tso", "sc"]),
    default="tso",
    show_default=True,
    help="With x86's store buffers, or sequential consistency.",
)
@click.option(
    "--budget",
    "budget_seconds",
    type=SECONDS,
    default="60s",
    show_default=True,
    metavar="TIME",
    help="For each test.",
)
@click.option(
    "--memory", "memory_bytes", type=SIZE, default="4GB", show_default=True, metavar="SIZE", help="For each test."
)
@click.option("--no-reduce", is_flag=True, help="All orders of all accesses, by the compiled search.")
@click.option("--json", "json_file", metavar="FILE", help="Write JSON lines: one for each file.")
@debug_option
@click.pass_context
def litmus(context: click.Context, /, *, files: tuple[str, ...], no_reduce: bool, **given: Any) -> int:
    """Run x86 litmus tests as herd7 reads them, every interleaving, and print what herd7 prints.

    A FILE is a test, an index (@all: the names of tests, or of other indexes, from its own folder) or a folder: all
    *.litmus below it. Each file is answered, or told in one line; the others are run in any case.

    Headings X86 (Intel's order of operands) and X86_64 (AT&T's). Read are moves, arithmetic, shifts, single bits,
    jumps and whatever else has a condition, xchg, cmpxchg, xadd, lock, fences, flushes; arrays and addresses like
    8(%rax,%rbx,4). What is not modelled (vectors, non-temporal stores, calls, a location in parts) is told as
    file:line: reason. A run that never ends has no final state; loops are not unrolled.

    herd7 counts candidate executions, a search has states only, so some of its lines are not here: Witnesses,
    Positive, Time, Hash, and the two numbers after Observation. To compare the rest (file by file, in bash):

    \b
      diff <(pirace litmus SB.litmus) <(herd7 SB.litmus |
        sed -E '/^(Witnesses|Positive:|Time |Hash=)/d
                s/^Loop //; /^Observation/s/ [0-9]+ [0-9]+$//')

    \b
    Where herd7 says what no x86 does (7.57, and 7.58 unless told):
      xchg, lock      another thread's store comes between load and store of one
                      instruction; not in its x86 models since 2026-06-30, but
                      still in sc.cat
      dec, add, ...   neither results nor negative numbers are cut to the width
                      of the operand: decb of 0 gives -1, not 255
      add x, inc x    without lock: may read what depends on their own store
      js, jns, jlt    go by "greater"; and there is never a carry
      sfence, lfence  keep a store before a later load, under X86_64
      loops           are gone through twice, and states are missing: "Loop No"

    \b
    Examples:
      pirace litmus SB.litmus
      pirace litmus --model sc SB.litmus MP.litmus
      pirace litmus --json states.jsonl @all
      pirace litmus --no-reduce SB.litmus      to hold the reduction against

    \b
    Exit status (of several the first of these):
      4   a fault of pirace               2   no answer within budget and memory
      64  a file that is not read         0   each test says Ok
      1   a test says No                  130 Ctrl-C (143 SIGTERM, 129 SIGHUP)
    """  # noqa: D301
    from hosts.cli.litmus import Options, litmus_command

    return litmus_command(files, Options(reduce=not no_reduce, debug=context.find_root().obj["debug"], **given))


@cli.command(context_settings=CONTEXT, short_help="Take a witness again on real processes.")
@click.argument("file", metavar="FILE")
@click.option("--repeat", type=TIMES, default=1, show_default=True, metavar="N", help="Take it so many times.")
@click.option("--anyway", is_flag=True, help="Also if the sources are not those that the witness was found with.")
@click.option("--json", "json_file", metavar="FILE", help="Write JSON lines: one for each time.")
@debug_option
def replay(file: str, repeat: int, json_file: str | None, anyway: bool) -> int:  # noqa: FBT001
    """Take a witness again on real processes, and see whether its violation shows.

    A witness is what pirace explore --witness wrote. Each pCPU is a process, each IPI a ZeroMQ message, the machine
    lies in shared memory; each operation waits for its turn, and the checkers of emu/ decide. Every step is compared
    with the witness: one that differs is told as "diverged at step 12: ..." and counts as not shown. If the witness
    needs a store buffer, stores are really delayed. One whose steps do not show what it says (another check, say)
    is refused before that.

    \b
    Examples:
      pirace replay lost-wakeup.json
      pirace replay lost-wakeup.json --repeat 20
      pirace replay lost-wakeup.json --anyway     after a change of emu/

    \b
    Exit status:
      0   it showed each time             4   it did not, or a process crashed
      3   the environment lacks something 64  refused, or the sources changed
    """  # noqa: D301
    from hosts.cli.replay import replay_command

    return replay_command(file, repeat, json_file, anyway=anyway)


@cli.command(context_settings=CONTEXT, short_help="Weaken each ordering of the protocol: is it needed?")
@click.option(
    "--policy", default="elide-self-2022", show_default=True, metavar="NAME", help="A policy, or file.py:function."
)
@click.option("--scenario", multiple=True, metavar="NAME", help="Within this scenario's scope; may be repeated.")
@click.option("--scope", multiple=True, metavar="TEXT", help="Within this scope, as explore takes it; may be repeated.")
@click.option(
    "--budget",
    type=SECONDS,
    default="20s",
    show_default=True,
    metavar="TIME",
    help="For each weakening in each scope.",
)
@click.option("--line", multiple=True, metavar="FILE:LINE", help="Only what stands there; may be repeated.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Write JSON lines: the scopes, then a line for each ordering."
)
@debug_option
def audit(**options: Any) -> int:
    """Weaken each ordering of the protocol by itself, and explore whether it is needed.

    Barriers are dropped; accesses that follow each other are swapped; a locked operation is taken its fence before,
    its fence behind, its atomicity, or both. Needed: a check fires. Not needed: every interleaving of the scopes named
    was seen, under x86-TSO. The scopes are tried from the cheapest on, up to the first that shows a violation.

    \b
    Examples:
      pirace audit
      pirace audit --policy always-2021 --json audit.jsonl
      pirace audit --line x86.py:65 --line posted_intr.py:28
      pirace audit --policy my_policy.py:trigger --scope "post:0x34 | device"

    \b
    Exit status:
      0   the audit is done               64  wrong usage
      1   the rule fails as it is         130 Ctrl-C, what was found is shown
    """  # noqa: D301
    from hosts.cli.audit import Given, audit_command

    return audit_command(Given(**options))


@cli.command(context_settings=CONTEXT, short_help="Hold what processes show against what the explorer allows.")
@click.option("--scenario", multiple=True, metavar="NAME", help="Only this scenario; may be repeated.")
@click.option("--policy", multiple=True, metavar="NAME", help="Only this policy, or file.py:function; may be repeated.")
@click.option(
    "--seconds",
    type=SECONDS,
    metavar="TIME",
    default="3s",
    show_default=True,
    help="On real processes, for each row.",
)
@click.option("--budget", type=SECONDS, default="60s", show_default=True, metavar="TIME", help="To explore each row.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), help="Of the runs; drawn and shown if not given.")
@click.option("--json", "json_file", metavar="FILE", help="Write JSON lines: one for each row.")
@debug_option
def reconcile(**options: Any) -> int:
    """Hold what real processes show against what the explorer allows, scenario by scenario.

    Compared are the race windows entered and the checks fired. Seen but in no interleaving: a fault of pirace, named.
    In some interleaving but never seen: listed, it is what a stress run does not cover.

    \b
    Examples:
      pirace reconcile
      pirace reconcile --scenario halt-wake --policy elide-self-2022 --seconds 10

    \b
    Exit status:
      0   the hosts agree as far as was explored    64  wrong usage
      1   a run crashed                             130 Ctrl-C
      4   something seen is not allowed
    """  # noqa: D301
    from hosts.cli.reconcile import Given, reconcile_command

    return reconcile_command(Given(**options))


@cli.command(context_settings=CONTEXT, short_help="Print one post and its delivery as the kernel's call tree.")
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
      pirace trace device-irq --policy skip-running-2020
      pirace trace timer-fastpath --mutation no-fastpath-sync
    """  # noqa: D301
    from hosts.cli.trace import trace_lines
    from hosts.terminal import room, wide_console

    for line in trace_lines(scenario, policy, mutation, everything=everything, width=room(wide_console())):
        click.echo(line)
    return 0


cli.add_command(soak)
cli.add_command(repro)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give the exit status. SIGTERM and a closed terminal are to every command what Ctrl-C is."""
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
    """Give the lines, and the exit status, that an error is told by."""
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
    """Tell whether the machine, or a limit, did not give a file, a process, a thread or memory."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in EXHAUSTED or "No usable temporary directory" in str(error)
    # Without an errno it is a library that could not be loaded, as under a limit of memory.
    return isinstance(error, MemoryError | OSError) or bool(lack_in(str(error)))


def _usage(error: click.ClickException) -> str:
    """Say what is wrong with the command line, and what would be right."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = f"{context.get_usage()}\n" if context is not None else ""
    return f"{usage}pirace: {error.format_message()}"


if __name__ == "__main__":
    sys.exit(main())
