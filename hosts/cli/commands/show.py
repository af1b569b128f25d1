"""The commands that only show: ``pirace list`` and ``pirace trace``."""

from __future__ import annotations

import click

from hosts.cli.commands.code_options import CodeOptions
from hosts.cli.commands.options import APPLIED, CONTEXT, code_options, debug_option, policy_option


@click.command(
    name="list", context_settings=CONTEXT, short_help="List everything that has a name, and what can be replaced."
)
@click.option("--patch", multiple=True, metavar="FILE.py", help="List first what this patch brings; may be repeated.")
@debug_option
def list_(patch: tuple[str, ...]) -> int:
    """List scenarios, policies, mutations and checkers, one line each, with the commit that each comes from.

    Then the functions of emu/ that --patch and --kernel replace, with their signatures and where they are.

    \b
    Examples:
      pirace list
      pirace list --patch my_doorbell.py
    """  # noqa: D301
    from hosts.cli.listing import declared_by_patches, listing
    from hosts.terminal import room, wide_console

    for line in listing(room(wide_console()), declared_by_patches(patch)):
        click.echo(line)
    return 0


@click.command(context_settings=CONTEXT, short_help="Print one post and its delivery as the kernel's call tree.")
@click.argument("scenario")
@policy_option
@click.option("--mutation", metavar="NAME", help="Apply this seeded bug.")
@click.option("--all", "everything", is_flag=True, help="Show helpers and instruments, too.")
@code_options(APPLIED)
@debug_option
def trace(*, scenario: str, policy: str | None, mutation: str | None, everything: bool, code: CodeOptions) -> int:
    """Print one post and its delivery as the kernel's call tree, the state beside each step.

    One pCPU, no races. IF is the interrupt flag, running what kvm_get_running_vcpu() returns, PIR the posted vectors.

    \b
    Examples:
      pirace trace timer-fastpath
      pirace trace tscdeadline-immed --policy always-2021
      pirace trace device-irq --policy skip-running-2020
      pirace trace timer-fastpath --mutation no-fastpath-sync
      pirace trace timer-slowpath --patch my_sync.py
      pirace trace timer-fastpath --kernel ~/linux
    """  # noqa: D301
    from hosts.cli.user_code import asked_to_show, code_spec, one_of

    spec = code_spec(code, one_of(policy))
    if code.show_diff:
        return asked_to_show(spec, one_of(policy))
    from hosts.cli.trace import trace_lines
    from hosts.terminal import room, wide_console

    width = room(wide_console())
    for line in trace_lines(scenario, policy, mutation, code=spec, everything=everything, width=width):
        click.echo(line)
    return 0
