"""The emulated kernel itself uses no word as a value: held to what a user's rule is held to, nothing in it changes."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from emu import PROTOCOL, reach
from emu.mutations import MUTATIONS
from hosts.loader.program import load_program
from hosts.loader.rule.context import Around
from hosts.loader.rule.inference import with_values
from hosts.loader.syntax.language import LoaderError, Origin
from hosts.loader.syntax.mutate import Patch
from hosts.loader.syntax.names import PRIMITIVES, Scope, struct_fields

MAKES_ADDRESSES = frozenset({"machine", "config", "this_pcpu", "smp_processor_id", "kvm_get_running_vcpu"})
"""The functions that turn numbers into structs, as no rule does."""


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    """Return what a rule stands in, with everything within its reach."""
    for name in ("WORDS", "BELOW", "MODULES", "FUNCTIONS"):
        monkeypatch.setattr(reach, name, {})
    monkeypatch.setattr(reach, "READ_ONLY", frozenset())
    monkeypatch.setattr(reach, "FREE_SOFTWARE", (0, 1, 2))
    monkeypatch.setattr(reach, "PRIMITIVES", frozenset(PRIMITIVES))
    program = load_program()
    values = {name: value for name, value in program.namespace.items() if name not in program.functions}
    trees: dict[str, ast.FunctionDef] = {}
    for module in PROTOCOL:
        source = Path(str(importlib.import_module(module).__file__)).read_bytes()
        trees |= {each.name: each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef)}
    scope = Scope(values, trees, struct_fields(values.values()))
    return Around(scope, {}, {}, frozenset(), defaultdict(lambda: Origin("emu")))


def held(around: Around, tree: ast.FunctionDef) -> str:
    """Return what becomes of the body of a function of the emulated kernel that is taken for a rule."""
    (new,) = with_values({tree.name: tree}, {tree.name: tree}, around).values()
    return body(new)


def body(tree: ast.FunctionDef) -> str:
    """Return the text of a function's statements."""
    return ast.unparse(ast.Module(tree.body, []))


def test_no_function_reads_a_word_without_saying_so(around: Around) -> None:
    """And none hands a number on where a word belongs."""
    trees = around.scope.functions
    same = {name for name in trees.keys() - MAKES_ADDRESSES if held(around, trees[name]) == body(trees[name])}
    assert trees.keys() - MAKES_ADDRESSES == same


def test_no_seeded_bug_does(around: Around) -> None:
    """Each by itself: a mutation that compared an address would be another bug than its name says."""
    for tree in around.scope.functions.values():
        patch = Patch(tree, MUTATIONS, Origin("mutations"))
        for number in patch.notes:
            mutant = patch.only(number)
            assert held(around, mutant) == body(mutant), (number, tree.name)


def test_it_would_be_seen(around: Around) -> None:
    """One that compares a field is changed, one that reads a struct refused."""
    compares, reads = (
        ast.parse(f"def f(vcpu: Vcpu) -> int:\n    return {text}\n").body[0]
        for text in ("vcpu.mode == 1", "READ_ONCE(vcpu)")
    )
    assert isinstance(compares, ast.FunctionDef)
    assert isinstance(reads, ast.FunctionDef)
    assert "READ_ONCE(vcpu.mode) == 1" in held(around, compares)
    with pytest.raises(LoaderError, match="takes a word"):
        held(replace(around), reads)
