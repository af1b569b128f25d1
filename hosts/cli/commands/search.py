"""The commands that search every interleaving, and replay what was found: ``explore``, ``audit``, ``replay``."""

from __future__ import annotations

from typing import Any

import click

from hosts.cli.commands.code_options import CodeOptions
from hosts.cli.commands.numbers import TIMES
from hosts.cli.commands.options import (
    APPLIED,
    COMPARED,
    CONTEXT,
    budget_option,
    code_options,
    debug_option,
    json_option,
    memory_option,
    model_option,
    mutation_option,
    policies_option,
    policy_option,
    scenario_option,
)


@click.command(context_settings=CONTEXT, short_help="Explore every interleaving of a small scope.")
@scenario_option("Explore this scenario's scope; may be repeated.")
@policies_option
@mutation_option()
@model_option
@click.option(
    "--buffer",
    type=click.IntRange(1, 16),
    default=16,
    show_default=True,
    metavar="N",
    help="Capacity of a store buffer, in stores.",
)
@click.option("--overtake", is_flag=True, help="Let an IPI leave before the stores that precede it.")
@click.option(
    "--scope",
    metavar="TEXT",
    help="What the other pCPUs and the guest do, as "
    '"post:0x34 post:0xf6 | device | kick | guest=cpuid,hlt,timer | timers=1".',
)
@budget_option("Time limit for each row.")
@memory_option("Memory limit for the states of a row.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Number of processors to search with; by default all, at most 8.",
)
@click.option("--no-reduce", is_flag=True, help="Disable partial-order reduction.")
@click.option("--no-forget", is_flag=True, help="Disable dead-variable reduction.")
@click.option("--no-symmetry", is_flag=True, help="Disable symmetry reduction.")
@click.option(
    "--no-fuse",
    is_flag=True,
    help="Disable step merging: each instrument and each branch is a step of its own. Implies --no-fold.",
)
@click.option("--no-fold", is_flag=True, help="Disable the counter abstraction; the search may not terminate.")
@click.option("--exact", is_flag=True, help="Identify local states by the whole history of results.")
@click.option("--lines", is_flag=True, help="List all lines of emu/ that were never reached.")
@click.option("--anyway", is_flag=True, help="Start even if the states will not fit into --memory.")
@code_options(COMPARED)
@json_option("the environment, then each row as it ends")
@click.option("--witness", "witness_file", metavar="FILE", help="Save the counterexample, for pirace replay.")
@debug_option
def explore(
    *,
    code: CodeOptions,
    no_reduce: bool,
    no_symmetry: bool,
    no_forget: bool,
    no_fuse: bool,
    no_fold: bool,
    **options: Any,
) -> int:
    """Explore every interleaving of a small scope, with store buffers and IPI latency.

    A row is PASS if the search is complete and no check fired; VIOLATION, with a shortest counterexample; or
    INCONCLUSIVE, bounded by its time, its memory or a full store buffer. Without --scenario the default scope is
    explored: a guest that halts and arms its timer, two remote posts from one pCPU and one from another, a device
    interrupt on the target's pCPU, a kick.

    --patch and --kernel put functions of your own into the machine, under today's rule unless --policy names others.
    With --diff each row is explored before and after it, and the last line says what it changes; the exit status is
    that of the rows after it.

    \b
    Examples:
      pirace explore --policy elide-self-2022
      pirace explore --scenario device-irq --policy skip-running-2020
      pirace explore --mutation no-entry-barrier --witness strand.json
      pirace explore --scenario remote-post --mutation no-entry-barrier --model sc
      pirace explore --policy my_policy.py:trigger --scope "post:0x34 | device"
      pirace explore --budget 5m --memory 8GB --json rows.jsonl
      pirace explore --patch my_sync.py --scenario remote-post
      pirace explore --kernel ~/linux --diff fix.patch --scenario device-irq
    """  # noqa: D301
    from hosts.cli.user_code import asked_to_show, code_spec

    spec = code_spec(code, options["policy"])
    if code.show_diff:
        return asked_to_show(spec, options["policy"])
    from hosts.cli.explore import ExploreOptions, explore_command

    return explore_command(
        ExploreOptions(
            code=spec,
            reduce=not no_reduce,
            symmetry=not no_symmetry,
            forget=not no_forget,
            fuse=not no_fuse,
            fold=not (no_fold or no_fuse),
            **options,
        )
    )


@click.command(context_settings=CONTEXT, short_help="Weaken each ordering of the protocol: is it needed?")
@policy_option
@scenario_option("Explore within this scenario's scope; may be repeated.")
@click.option(
    "--scope", multiple=True, metavar="TEXT", help="Explore within this scope, as explore takes it; may be repeated."
)
@budget_option("Time limit for each weakening in each scope.", default="20s")
@click.option("--line", multiple=True, metavar="FILE:LINE", help="Only the orderings at this line; may be repeated.")
@code_options(APPLIED)
@json_option("the environment, the scopes, then each ordering")
@debug_option
def audit(*, code: CodeOptions, **options: Any) -> int:
    """Weaken each ordering of the protocol by itself, and explore whether it is needed.

    A barrier is dropped; two accesses that follow each other are reordered; a locked operation loses the fence before
    it, the fence behind it, its atomicity, or both. Needed: a check fires. Not needed: every interleaving of the scopes
    named was explored, under x86-TSO, and no check fired. The cheapest scope is explored first, and the first one that
    shows a violation is the last.

    \b
    Examples:
      pirace audit
      pirace audit --policy always-2021 --json audit.jsonl
      pirace audit --line x86.py:65 --line posted_intr.py:28
      pirace audit --policy my_policy.py:trigger --scope "post:0x34 | device"
      pirace audit --patch my_sync.py --line my_sync.py:12

    \b
    Exit status:
      0   the audit is done               64  wrong usage
      1   the rule fails as it is         130 Ctrl-C, what was found is shown
    """  # noqa: D301
    from hosts.cli.user_code import asked_to_show, code_spec, one_of

    spec = code_spec(code, one_of(options["policy"]))
    if code.show_diff:
        return asked_to_show(spec, one_of(options["policy"]))
    from hosts.cli.audit import audit_command

    return audit_command(code=spec, **options)


@click.command(context_settings=CONTEXT, short_help="Replay a witness on real processes.")
@click.argument("file", metavar="FILE")
@click.option("--repeat", type=TIMES, default=1, show_default=True, metavar="N", help="Number of replays.")
@click.option("--anyway", is_flag=True, help="Replay even if the sources have changed since the witness was found.")
@json_option("the environment, then each replay")
@debug_option
def replay(**options: Any) -> int:
    """Replay a witness on real processes, and see whether its violation shows.

    A witness is the file that pirace explore --witness wrote. Each pCPU is a process, each IPI a ZeroMQ message, and
    the machine lies in shared memory. The processes take the operations in the order of the witness, and the checkers
    of emu/ decide. Every step is compared with the witness: the first that differs is reported as "diverged at step 12:
    ...", and the replay counts as not shown. If the witness needs a store buffer, stores are really delayed. A witness
    whose steps do not show the violation that it names is refused.

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

    return replay_command(**options)
