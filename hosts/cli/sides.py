"""The machines that a command runs its rows on: one, or with ``--diff`` two, as it was before the diff and with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from hosts.cli.replaced_show import code_lines
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.program import Program
from hosts.loader.source_file import SourceFile
from hosts.loader.user_code import CodeSpec, UserCode, code_among
from hosts.runs.own_code import OwnCode, own_code
from hosts.terminal import say

Load = Callable[[UserCode], Program | None]
"""Loads code; None if that can wait."""


@dataclass(frozen=True)
class Side:
    """A machine with a user's code in it, or without."""

    code: UserCode | None = None
    program: Program | None = None

    @property
    def own(self) -> OwnCode | None:
        """Return what a plan has to know of the code."""
        return own_code(self.code, self.program)

    @property
    def lines(self) -> list[str]:
        """Return what is replaced, for people."""
        return code_lines(self.code, self.program)


def sides_of(policies: Sequence[str], spec: CodeSpec | None, load: Load) -> list[Side]:
    """Read and load the user's code; with a diff the machine before it comes first. LoaderError, and Failure."""
    code = code_among(policies, spec)
    after = Side(code, load(code) if code is not None else None)
    if code is None or code.diff is None or after.program is None:
        return [after]
    was = UserCode(
        replace(code.spec, diff=None), code.rule, code.rule_file, code.patches, code.unpatched, code.kernel_label
    )
    before = Side(was, load(was))
    if not changed_functions(before, after):
        raise Failure(_touches_nothing(code, code.diff, after.program), EXIT_USAGE)
    return [before, after]


def changed_functions(before: Side, after: Side) -> list[str]:
    """Return the functions that are not the same after a diff, among those that the user's code brings."""
    old, new = (side.program.texts if side.program is not None else {} for side in (before, after))
    return [name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name)]


def tell_sides(console: Console, sides: Sequence[Side]) -> None:
    """Say what is replaced, and what a diff changes."""
    tell_lines(console, sides[-1].lines)
    code, program = sides[-1].code, sides[-1].program
    if len(sides) > 1 and code is not None and code.diff is not None and program is not None:
        changed = changed_functions(sides[0], sides[-1])
        there = [f"{name} ({_place(program, name)})" if name in program.replaced else name for name in changed]
        tell_lines(console, [f"{Path(code.diff.path).name} changes {', '.join(there)}"])


def tell_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines before a run."""
    for line in lines:
        say(console, line)


def _place(program: Program, name: str) -> str:
    where = program.replaced[name]
    return f"{Path(where.file).name}:{where.line}"


def _touches_nothing(code: UserCode, diff: SourceFile, program: Program) -> str:
    """Return why there is nothing to compare."""
    from hosts.loader.kernel.patchfile import applied_to  # reads mails, which few need

    applied = applied_to(code.unpatched, diff, code.kernel_label)
    files = ", ".join([*(Path(path).name for path in applied.changed), *applied.absent])
    taken = ", ".join(program.replaced)
    return f"{diff.path}: changes no function that is taken (of {code.kernel_label}: {taken}); it changes {files}"
