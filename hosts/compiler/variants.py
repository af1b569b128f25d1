"""Function variants: the same functions once more, for a machine without a seeded bug.

Where a seeded bug has its place, compiled code asks which one is selected. Two instructions each time: the run loop of
an unmutated machine spends a twelfth of its instructions on them. So its functions are put into the program a second
time, with the question answered. They are the same pieces of LLVM's language, so nothing is translated twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final

SELECTED: Final = "pirace_selected"
"""The symbol of the word that holds the number of the seeded bug that is selected; 0: none is."""

CLONE_SUFFIX: Final = ".unmutated"
"""Appended to a symbol for its clone's."""

_ROOT: Final = "pirace_unmutated"
_SINGLE_VERSION: Final = "pirace_one_for_all"
_NONE: Final = "pirace_none_selected"
_ANSWER: Final = f"@{_NONE} = constant i64 0\n"
_NAMES: Final = re.compile(r'@("[^"]+"|[\w.$]+)')


def unmutated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the function call clones, in which no seeded bug is selected: it is called where none is."""
    setattr(function, _ROOT, True)
    return function


def single_version(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make no clone of the function: it tests for seeded bugs, whatever calls it."""
    setattr(function, _SINGLE_VERSION, True)
    return function


def with_clones(texts: Mapping[str, str], functions: Mapping[str, FunctionType], cold: set[str]) -> list[str]:
    """Return the texts, which come by symbol, and those of clones, in one order always; ``cold`` ones have no clone."""
    single = {symbol for symbol, function in functions.items() if hasattr(function, _SINGLE_VERSION)} | cold
    roots = [symbol for symbol, function in functions.items() if hasattr(function, _ROOT)]
    whole = dict(texts)
    for root in roots:
        cloned = _reached(root, texts, single)
        clone = _renaming(cloned)
        whole |= {symbol + CLONE_SUFFIX: _NAMES.sub(clone, text) for symbol, text in texts.items() if symbol in cloned}
        whole |= {root: _NAMES.sub(clone, texts[root]), _NONE: _ANSWER}
    return [*whole.values()]


def _reached(root: str, texts: Mapping[str, str], single: set[str]) -> set[str]:
    """Return what the root calls, and what that calls, but for what there is one of."""
    reached: set[str] = set()
    ahead = {root}
    while ahead:
        named = {name.strip('"') for symbol in ahead for name in _NAMES.findall(texts[symbol])}
        ahead = (named & texts.keys()) - single - reached - {root}
        reached |= ahead
    return reached


def _renaming(cloned: set[str]) -> Callable[[re.Match[str]], str]:
    def clone(match: re.Match[str]) -> str:
        name = match[1].strip('"')
        if name == SELECTED:
            return f"@{_NONE}"
        return f'@"{name}{CLONE_SUFFIX}"' if name in cloned else match[0]

    return clone
