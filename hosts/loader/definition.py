"""One function on its way from source to program."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from hosts.loader.syntax.language import Origin


@dataclass(frozen=True)
class Definition:
    """A function's tree, where it stands, and the module that it belongs to."""

    tree: ast.FunctionDef
    origin: Origin
    module: str
