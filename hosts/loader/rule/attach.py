"""Instruments of the user's functions, which are put in where emu's own functions call theirs."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from hosts.loader.syntax.names import Scope


def attached(
    functions: Mapping[str, ast.FunctionDef],
    former: Mapping[str, ast.FunctionDef],  # noqa: ARG001
    scope: Scope,  # noqa: ARG001
) -> dict[str, ast.FunctionDef]:
    """Return the user's functions with their instruments; ``former``: the protocol's functions that some replace."""
    return dict(functions)
