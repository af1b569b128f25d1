"""The command ``pirace litmus``."""

from __future__ import annotations

from typing import Any

import click

from hosts.cli.commands.options import (
    CONTEXT,
    budget_option,
    debug_option,
    json_option,
    memory_option,
    model_option,
)


@click.command(context_settings=CONTEXT, short_help="Run x86 litmus tests, and print what herd7 prints.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@model_option
@budget_option("Time limit for each test.", name="budget_seconds")
@memory_option("Memory limit for each test.", name="memory_bytes")
@click.option(
    "--no-reduce", is_flag=True, help="Disable partial-order reduction: explore all orders, by the compiled search."
)
@json_option("the environment, then each file")
@debug_option
@click.pass_context
def litmus(context: click.Context, /, *, files: tuple[str, ...], no_reduce: bool, **given: Any) -> int:
    """Run x86 litmus tests as herd7 reads them, every interleaving, and print what herd7 prints.

    A FILE is a test, an index (@all: names of tests, or of other indexes, in its own folder) or a folder: all *.litmus
    files below it. Each file gets an answer, or one line that says why not; the other files are run in any case.

    The headings X86 (Intel's order of operands) and X86_64 (AT&T's) are read. Supported are moves, arithmetic, shifts,
    single-bit instructions, jumps and other conditional instructions, xchg, cmpxchg, xadd, lock, fences, flushes;
    arrays, and addresses like 8(%rax,%rbx,4). What is not modelled (vectors, non-temporal stores, calls, partial
    accesses of a location) is reported as file:line: reason. A run that never ends has no final state; loops are not
    unrolled.

    herd7 counts candidate executions, where a search has only states. These of its lines are therefore missing:
    Witnesses, Positive, Time, Hash, and the two numbers after Observation. To compare the rest (file by file, in bash):

    \b
      diff <(pirace litmus SB.litmus) <(herd7 SB.litmus |
        sed -E '/^(Witnesses|Positive:|Time |Hash=)/d
                s/^Loop //; /^Observation/s/ [0-9]+ [0-9]+$//')

    \b
    Where herd7 differs from every x86 (7.57, and 7.58 unless noted):
      xchg, lock      another thread's store may come between load and store of
                      one instruction; not in its x86 models since 2026-06-30,
                      but still in sc.cat
      dec, add, ...   neither results nor negative numbers are cut to the width
                      of the operand: decb of 0 gives -1, not 255
      add x, inc x    without lock: may read what depends on their own store
      js, jns, jlt    are taken as "greater"; there is never a carry
      sfence, lfence  order a store before a later load, under X86_64
      loops           are unrolled twice, and states are missing: "Loop No"

    \b
    Examples:
      pirace litmus SB.litmus
      pirace litmus --model sc SB.litmus MP.litmus
      pirace litmus --json states.jsonl @all
      pirace litmus --no-reduce SB.litmus      to compare with the reduction

    \b
    Exit status (of several the first of these):
      4   a fault of pirace               2   no answer within budget and memory
      64  a file that cannot be read      0   each test says Ok
      1   a test says No                  130 Ctrl-C (143 SIGTERM, 129 SIGHUP)
    """  # noqa: D301
    from hosts.cli.litmus import LitmusOptions, litmus_command

    debug = context.find_root().obj["debug"]
    return litmus_command(files, LitmusOptions(reduce=not no_reduce, debug=debug, **given))
