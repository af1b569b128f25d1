"""Small protocols for the loader to load, and a host that notes what they ask."""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emu.waist import set_host
from hosts.loader.program import Program
from hosts.loader.syntax.names import PRIMITIVES

Load = Callable[..., Program]

HEADER = f"from emu.waist import {', '.join(sorted(PRIMITIVES))}\n"
_numbers = itertools.count()


class Stop(Exception):  # noqa: N818 - ends an endless loop, is no error
    """The host has answered often enough."""


@dataclass
class Recorder:
    """A host that notes what it is asked and answers from a list, then 0."""

    answers: Sequence[int] = ()
    selected: int = 0
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    points: bool = False
    answered: int = 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        def answer(*arguments: int) -> int:
            if name == "mutated":
                return int(arguments[0] == self.selected)
            if name in {"memory", "this_cpu"}:
                return 7
            if name != "interrupt_point":
                self.asked.append((name, *arguments))
                self.answered += 1
                if self.answered > 100:
                    raise Stop
                return self.answers[self.answered - 1] if self.answered <= len(self.answers) else 0
            if self.points:
                self.asked.append((name, *arguments))
            return 0

        return answer


def run(function: Callable[..., Any], *arguments: int, **settings: Any) -> tuple[Any, list[tuple[Any, ...]]]:
    """Call a function on a recording host; give its result and what the host was asked."""
    host = Recorder(**settings)
    before = set_host(host)  # type: ignore[arg-type]
    try:
        return function(*arguments), host.asked
    except Stop:
        return "stopped", host.asked
    finally:
        set_host(before)


def write(folder: Path, **modules: str) -> tuple[str, ...]:
    """Write a package of protocol modules that has not been seen before; give the modules' names."""
    package = f"protocol{next(_numbers)}"
    (folder / package).mkdir()
    (folder / package / "__init__.py").touch()
    for name, text in modules.items():
        source = HEADER + textwrap.dedent(text).replace("PACKAGE", package)
        path = folder.joinpath(package, *name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    return tuple(f"{package}.{name}" for name in modules if name != "mutations")


def body(program: Program, function: str = "f") -> str:
    """Return a transformed function's statements without its first line."""
    return textwrap.dedent(program.source(function).partition("\n")[2])


def indent(text: str) -> str:
    """Move a text to where a function's body is."""
    return textwrap.indent(text, "    ")


def same(text: str) -> str:
    """Return the text as the loader prints it."""
    return ast.unparse(ast.parse(textwrap.dedent(text)))
