"""Options that several commands have, each declared once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import click

from hosts.cli.commands.code_options import CodeOptions
from hosts.cli.commands.numbers import PCPUS, SECONDS, SIZE

LARGEST_SEED: Final = (1 << 62) - 1

C = TypeVar("C", bound=Callable[..., Any])


class Option(Protocol):
    """A decorator that adds an option to a command."""

    def __call__(self, command: C, /) -> C:
        """Add it."""


CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
"""Passed to each command: click takes a command's help option from the first context it is seen in."""


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and isinstance(context.find_root().obj, dict):
        context.find_root().obj["debug"] = True


def debug_option(command: C) -> C:
    """Add the option that every command has."""
    text = "Print the traceback of an internal error."
    option = click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=_remember_debug, help=text
    )
    return option(command)


def scenario_option(text: str = "Only this scenario; may be repeated.") -> Option:
    """Return the option that chooses scenarios."""
    return click.option("--scenario", multiple=True, metavar="NAME", help=text)


def policies_option(command: C) -> C:
    """Add the option that chooses policies."""
    text = "Only this policy, or a rule of your own as file.py:function or file.c:function; may be repeated."
    return click.option("--policy", multiple=True, metavar="NAME", help=text)(command)


def policy_option(command: C) -> C:
    """Add the option that chooses one policy."""
    text = "A policy, or a rule of your own as file.py:function or file.c:function."
    option = click.option("--policy", show_default="elide-self-2022", metavar="NAME", help=text)
    return option(command)


def mutation_option(text: str = "Apply this seeded bug; may be repeated.") -> Option:
    """Return the option that chooses seeded bugs."""
    return click.option("--mutation", multiple=True, metavar="NAME", help=text)


def model_option(command: C) -> C:
    """Add the option that chooses the memory model."""
    text = "Memory model: x86-TSO, with store buffers, or sequential consistency."
    choice = click.Choice(["tso", "sc"])
    return click.option("--model", type=choice, default="tso", show_default=True, help=text)(command)


def budget_option(text: str, default: str = "60s", name: str = "budget") -> Option:
    """Return the option that limits the time of a search."""
    return click.option("--budget", name, type=SECONDS, default=default, show_default=True, metavar="TIME", help=text)


def memory_option(text: str, name: str = "memory") -> Option:
    """Return the option that limits the memory of a search."""
    return click.option("--memory", name, type=SIZE, default="4GB", show_default=True, metavar="SIZE", help=text)


def seed_option(text: str) -> Option:
    """Return the option that sets the seed of a run."""
    return click.option("--seed", type=click.IntRange(0, LARGEST_SEED), help=text)


def cpus_option(command: C) -> C:
    """Add the option that sets the number of pCPUs."""
    text = "Number of pCPUs in the scenarios that can use more than they need."
    return click.option("--cpus", type=PCPUS, metavar="N", help=text)(command)


def json_option(records: str) -> Option:
    """Return the option that names a file for JSON lines; ``records``: what they are."""
    text = f"Write JSON lines to FILE (-: standard output): {records} (hosts/report/schema.json)."
    return click.option("--json", "json_file", metavar="FILE", help=text)


APPLIED: Final = "Apply this patch, as it stands in a mail, to the files of --kernel."
COMPARED: Final = f"{APPLIED[:-1]}, and run each row before and after it."


def code_options(diff: str) -> Option:
    """Return the options that bring code of the user's, given to the command as one: ``code``.

    ``diff``: what the command does with a diff, for its help.
    """
    options = (
        click.option(
            "--patch",
            multiple=True,
            metavar="FILE.py",
            help="Functions of this file stand in the place of those of emu/ that have the same names (pirace list); "
            "may be repeated.",
        ),
        click.option(
            "--kernel",
            metavar="PATH",
            help="Take the functions that a kernel tree has, or its arch/x86/kvm, or .c and .h files, separated by "
            "colons.",
        ),
        click.option("--only", multiple=True, metavar="NAME,...", help="Take only these functions of --kernel."),
        click.option(
            "--stub",
            multiple=True,
            metavar="NAME=VALUE",
            help="What a call of this function of the kernel gives, if it cannot be translated; may be repeated.",
        ),
        click.option("--diff", metavar="FIX.patch", help=diff),
        click.option(
            "--show-diff",
            is_flag=True,
            help="Print what is replaced as a unified diff against the functions of emu/, and end.",
        ),
    )

    def add(command: C) -> C:
        @functools.wraps(command)
        def with_code(*arguments: Any, **given: Any) -> Any:
            code = CodeOptions(**{name: given.pop(name) for name in CodeOptions.NAMES})
            return command(*arguments, code=code, **given)

        for option in reversed(options):
            option(with_code)
        return with_code  # type: ignore[return-value]  # the same command, called as click calls it

    return add
