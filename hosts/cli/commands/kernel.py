"""The command that shows how a kernel's C is read: ``pirace kernel``."""

from __future__ import annotations

import click

from hosts.cli.commands.options import CONTEXT, debug_option, json_option


@click.command(context_settings=CONTEXT, short_help="Show how a kernel's C functions are read.")
@click.argument("path")
@click.option("--only", multiple=True, metavar="NAME,...", help="Only these functions; may be repeated.")
@click.option("--stub", multiple=True, metavar="NAME=VALUE", help="Let calls of NAME give VALUE; may be repeated.")
@click.option("--python", "as_python", is_flag=True, help="Print the translation beside the C, line by line.")
@json_option("the environment, then each function")
@debug_option
def kernel(
    path: str,
    only: tuple[str, ...],
    stub: tuple[str, ...],
    as_python: bool,  # noqa: FBT001
    json_file: str | None,
) -> int:
    """Show what is understood of KVM's own C functions in a kernel's files.

    PATH is a kernel's tree, its arch/x86/kvm, or .c and .h files with colons between. For each function that can take
    the place of one of this machine's: where it is, which of its calls became which function of emu/, what was left
    out and why, which way each #if went, and what has one answer on this machine. What cannot be taken is listed with
    the line that prevents it.

    \b
    Examples:
      pirace kernel ~/linux
      pirace kernel ~/linux --only __kvm_apic_update_irr --python
      pirace kernel lapic.c:vmx.c --stub kvm_foo=0
      pirace kernel ~/linux --json -
    """  # noqa: D301
    from hosts.cli.kernel import kernel_command

    names = tuple(name for each in only for name in each.split(",") if name)
    return kernel_command(path, only=names, stubs=stub, as_python=as_python, json_file=json_file)
