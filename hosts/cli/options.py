"""What several commands have in common on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

LARGEST_SEED: Final = (1 << 62) - 1

C = TypeVar("C", bound=Callable[..., Any])

CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
"""Given to each command: click keeps a command's help option from the first context it is seen in."""


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and isinstance(context.find_root().obj, dict):
        context.find_root().obj["debug"] = True


def debug_option(command: C) -> C:
    """Give a command the option that every command has."""
    text = "Show the traceback of an internal error."
    option = click.option(
        "--debug", is_flag=True, is_eager=True, expose_value=False, callback=_remember_debug, help=text
    )
    return option(command)
