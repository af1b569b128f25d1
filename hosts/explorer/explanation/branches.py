"""Branches of the rule that a thread took: a decision on private values leaves no operation in the counterexample."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import emu
from hosts.explorer.threads.coverage import Lines

_MACHINE: Final = Path(next(iter(emu.__path__)))
_RULES: Final = "policies.py"
_DISPATCH: Final = "kvm_vcpu_trigger_posted_interrupt"
"""Only calls the rule that was chosen."""


class Branches:
    """Records which lists of statements have run since it was asked last."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        first: dict[tuple[str, str], int] = {}
        for number, (file, _line, function) in enumerate(lines.spans):
            first.setdefault((file, function), number)
        bodies = set(first.values())
        self._numbers = [
            number
            for number, (file, _line, function) in enumerate(lines.spans)
            if number not in bodies and function != _DISPATCH and _is_rule(file)
        ]
        self._before = {number: lines.hit[number] for number in self._numbers}

    def begin(self) -> None:
        """Forget what has run so far."""
        for number in self._numbers:
            self._before[number] |= self._lines.hit[number]
            self._lines.hit[number] = 0

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield the branches of rules that have run since; what had run before counts as run again."""
        for number in self._numbers:
            if self._lines.hit[number]:
                file, line, function = self._lines.spans[number]
                yield {"function": function, "file": Path(file).name, "line": line, "text": _header(file, line)}
            self._lines.hit[number] |= self._before[number]


def _is_rule(file: str) -> bool:
    """Return whether a file holds rules: emu's, or a user's own."""
    path = Path(file)
    return not file.startswith("<") and (_MACHINE not in path.parents or path.name == _RULES)


def _header(file: str, line: int) -> str:
    """Return the header of a list of statements: ``if ...``, also that of an ``else``."""
    indent, header = _indent(linecache.getline(file, line)), ""
    for above in range(line - 1, 0, -1):
        text = linecache.getline(file, above)
        if text.strip() and _indent(text) < indent:
            header += text.strip().rstrip(":")
            if header != "else":
                return header
            indent, header = _indent(text) + 1, "else` of `"
    return header


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
