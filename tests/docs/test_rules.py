"""The README's list of what a rule may be written with and may call is what the loader takes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from emu import reach
from hosts.loader.syntax.language import LoaderError, Origin, check_language
from hosts.loader.syntax.names import PURE_BUILTINS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WRITTEN_WITH = """
def rule(vcpu, vec):
    a = 1
    while a < 3 and not vec or a == 2:
        a += 1
        if a != 2:
            break
        continue
    for i in range(3):
        a = a - i * 2 // 3 % 4 & 5 | 6 ^ ~7 >> 1
    match a:
        case 1:
            return None
    b = (1, 2)
    a = 1 << 3
    return a if vec else b
"""
NOT_WITH = {
    "strings": "a = 'x'",
    "floats": "a = 1.5",
    "lists": "a = [1]",
    "dicts": "a = {}",
    "sets": "a = {1}",
    "slices": "a = vcpu[1:2]",
    "comprehensions": "a = tuple(i for i in range(3))",
    "lambda": "a = lambda: 1",
    "try": "try:\n        a = 1\n    finally:\n        a = 2",
    "raise": "raise",
    "assert": "assert vec",
    "with": "with vcpu:\n        a = 1",
    "global": "global a",
    "is": "a = vec is None",
    ":=": "a = (b := 1)",
    "/": "a = vec / 2",
    "**": "a = vec ** 2",
}


def row(title: str) -> str:
    """Return what stands beside a title in the table of the README."""
    (found,) = re.findall(rf"^\| {re.escape(title)} \| (.*) \|$", README, re.MULTILINE)
    return str(found)


def named(text: str) -> set[str]:
    """Return the names that stand between backticks."""
    return set(re.findall(r"`([^`]+)`", text))


def test_what_a_rule_may_call() -> None:
    """Each name, and no other."""
    assert named(row("calls of `emu.waist`")) == reach.PRIMITIVES
    assert named(row("calls of Python")) == PURE_BUILTINS
    may, never = row("calls of `emu`").split("; nothing of ")
    packages = {"emu/observe/", "emu/workload/"}
    assert named(never) == packages | {f"{module.replace('.', '/')}.py" for module in reach.MODULES}
    assert all(reach.owner("f", f"{package.replace('/', '.')}some") for package in packages)
    assert not named(may) & set(reach.FUNCTIONS)


def test_what_a_rule_may_be_written_with() -> None:
    """One function with all of it is taken."""
    for word in ("while", "for", "match", "break", "continue", "return", "and", "or", "not"):
        assert f"`{word}`" in row("is written with")
        assert word in WRITTEN_WITH
    check_language(ast.parse(WRITTEN_WITH).body[0], Origin("rule.py"))  # type: ignore[arg-type]


@pytest.mark.parametrize("what", NOT_WITH)
def test_what_a_rule_may_not_be_written_with(what: str) -> None:
    """Each is named, and refused."""
    assert what in row("not with").replace("`", "").split(", ")
    source = ast.parse(f"def rule(vcpu, vec):\n    {NOT_WITH[what]}\n").body[0]
    with pytest.raises(LoaderError):
        check_language(source, Origin("rule.py"))  # type: ignore[arg-type]


def test_each_part_that_is_named_is_tried() -> None:
    """Recursion is refused later, with the way round (tests of the loader)."""
    assert set(row("not with").replace("`", "").split(", ")) == {*NOT_WITH, "recursion"}
