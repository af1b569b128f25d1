"""What the audit finds in the protocol, and what it makes of it."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from emu import waist
from emu.observe import is_instrument
from hosts.explorer.audit.relax import Site, edited, is_barrier, sites, weakened
from hosts.explorer.audit.reorder import Pairs
from hosts.loader.primitives import LOCKED, SHARED
from hosts.loader.program import Program, load_program
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.language import walk
from hosts.loader.user_code import code_of


@pytest.fixture(scope="module")
def program() -> Program:
    """Return the protocol without mutations."""
    return load_program(mutations=())


@pytest.fixture(scope="module")
def found(program: Program) -> list[Site]:
    """Return its orderings."""
    return sites(program)


def _calls(tree: ast.AST) -> list[str]:
    return [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]


def _in(found: Sequence[Site], function: str, kind: str) -> list[Site]:
    return [site for site in found if site.function == function and site.kind == kind]


def test_every_barrier_and_locked_operation_is_listed_once(program: Program, found: list[Site]) -> None:
    """None is forgotten but those of instruments, and of functions that are a barrier and nothing else."""
    wanted = 0
    for name, tree in program.trees.items():
        if is_instrument(program.functions[name].__module__) or is_barrier(tree):
            continue
        wanted += sum(each in LOCKED or each == "smp_mb" for each in _calls(tree))
        wanted += sum(each in program.trees and is_barrier(program.trees[each]) for each in _calls(tree))
    assert wanted == sum(site.kind in ("barrier", "locked") for site in found)
    assert len({(site.function, site.line, site.text) for site in found}) == len(found)


def test_a_call_of_a_function_that_is_a_barrier_is_a_barrier(found: list[Site]) -> None:
    """The entry barrier goes where it is called, in the run loop."""
    (site,) = _in(found, "vcpu_enter_guest", "barrier")
    assert site.text == "smp_mb__after_srcu_read_unlock()"
    assert "smp_mb__after_srcu_read_unlock" not in _calls(site.relaxations[0].tree)


def test_instruments_rely_on_nothing(program: Program, found: list[Site]) -> None:
    """Checkers and counters have no orderings to audit."""
    assert not any(is_instrument(program.functions[site.function].__module__) for site in found)


def test_a_release_is_told_and_not_weakened(found: list[Site]) -> None:
    """On x86 it is a plain store."""
    releases = {each.function: each.relaxations for each in found if each.kind == "ordered"}
    assert releases["vcpu_enter_guest"] == releases["finish_task_switch"] == ()
    assert not any(releases.values())


def test_weakening_keeps_lines_and_points_and_gives_new_accesses_points(program: Program, found: list[Site]) -> None:
    """Nothing moves to another line of the file; before each shared access there is an interrupt point."""
    for site in found:
        before = program.trees[site.function]
        lines = {node.lineno for node in ast.walk(before) if isinstance(node, ast.stmt)}
        for way in site.relaxations:
            assert {node.lineno for node in ast.walk(way.tree) if isinstance(node, ast.stmt)} <= lines
            shared = [name for name in _calls(way.tree) if name.removeprefix("fenceless_") in SHARED]
            points = _calls(way.tree).count("interrupt_point")
            masked = _calls(way.tree).count("local_irq_disable")
            dropped = way.name == "dropped" and site.text == "smp_mb()"
            assert points == len(shared) + masked + dropped, (site, way.name)


def test_the_program_itself_stays_as_it_is(program: Program, found: list[Site]) -> None:
    """A weakening is a copy of one function."""
    before = {name: ast.dump(tree) for name, tree in program.trees.items()}
    for site in found:
        for way in site.relaxations:
            other = weakened(program, way)
            assert [name for name in before if ast.dump(other.trees[name]) != before[name]] == [site.function]
    assert before == {name: ast.dump(tree) for name, tree in program.trees.items()}


# --- what becomes of a locked operation --------------------------------------------------------------------------

OPERATIONS = {
    "xchg": "old = xchg(word, 5)",
    "cmpxchg": "old = cmpxchg(word, 2, 7)",
    "test_and_set_bit": "old = test_and_set_bit(1, word)",
    "test_and_clear_bit": "old = test_and_clear_bit(1, word)",
    "set_bit": "set_bit(1, word)",
    "clear_bit": "clear_bit(1, word)",
    "atomic_inc": "atomic_inc(word)",
    "take_half": "old = take_half(word, 0)",
}


def _word_host(memory: dict[int, int], log: list[str]) -> dict[str, Callable[..., Any]]:
    """Return primitives over a dictionary, which note what is called."""

    def put(word: int, new: int) -> int:
        old, memory[word] = memory[word], new
        return old

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: int) -> Any:
            log.append(name)
            return function(*arguments)

        return call

    plain: dict[str, Callable[..., Any]] = {
        "READ_ONCE": lambda word: memory[word],
        "WRITE_ONCE": lambda word, value: put(word, value) and None,
        "late_store": lambda word, value: put(word, value) and None,
        "smp_mb": lambda: None,
        "interrupt_point": lambda _number: None,
        "xchg": put,
        "cmpxchg": lambda word, old, new: put(word, new if memory[word] == old else memory[word]),
        "test_and_set_bit": lambda nr, word: put(word, memory[word] | 1 << nr) >> nr & 1,
        "test_and_clear_bit": lambda nr, word: put(word, memory[word] & ~(1 << nr)) >> nr & 1,
        "set_bit": lambda nr, word: put(word, memory[word] | 1 << nr) and None,
        "clear_bit": lambda nr, word: put(word, memory[word] & ~(1 << nr)) and None,
        "atomic_inc": lambda word: put(word, memory[word] + 1) and None,
        "take_half": lambda word, _half: put(word, memory[word] & -(1 << 32)) & 0xFFFFFFFF,
    }
    made = {name: noted(name, function) for name, function in plain.items()}
    made |= {f"fenceless_{name}": noted(f"fenceless_{name}", plain[name]) for name in OPERATIONS}
    return made | {"BIT": waist.BIT}


def _run(tree: ast.FunctionDef, value: int) -> tuple[Any, int, list[str]]:
    """Run a function over one word; give what it gives, the word, and what it called."""
    memory, log = {8: value}, list[str]()
    namespace: dict[str, Any] = _word_host(memory, log)
    exec(compile(ast.fix_missing_locations(ast.Module([tree], [])), "made", "exec"), namespace)  # noqa: S102
    return namespace["f"](8), memory[8], log


def _site(tmp_path: Path, text: str) -> Site:
    """Return the one locked site of a user's rule that does something to a word."""
    lines = "\n".join(f"    {line}" for line in ("word = vcpu.requests", text, "always_2021(vcpu, vec)"))
    file = tmp_path / "rule.py"
    names = ", ".join(sorted(LOCKED))
    file.write_text(
        f"from emu.policies import always_2021\nfrom emu.waist import {names}\n\ndef rule(vcpu, vec):\n{lines}\n"
    )
    program = load_program(code_of(f"{file}:rule"), mutations=())
    (site,) = [each for each in sites(program) if each.file == str(file) and each.kind == "locked"]
    return site


@pytest.mark.parametrize("name", OPERATIONS)
def test_alone_each_way_does_what_the_locked_operation_does(name: str, tmp_path: Path) -> None:
    """Torn, unfenced or late, it differs only in what others may do meanwhile."""
    site = _site(tmp_path, OPERATIONS[name])
    gives = "old" if OPERATIONS[name].startswith("old") else "None"
    whole = ast.parse(f"def f(word):\n    {OPERATIONS[name]}\n    return {gives}").body[0]
    assert isinstance(whole, ast.FunctionDef)
    for way, value in itertools.product(site.relaxations, (0, 1, 2, 3, 7)):
        body = [each for each in way.tree.body if called(each) not in ("always_2021", "")]
        rest = [each for each in way.tree.body if isinstance(each, ast.If) or "_pirace_old" in ast.unparse(each)]
        kept = [each for each in way.tree.body if each in body or each in rest]
        tree = edited(whole, {id(whole.body[0]): kept})
        given, left, log = _run(tree, value)
        assert (given, left) == _run(whole, value)[:2], way.name
        fences = log.count("smp_mb")
        assert fences == (2 if way.name == "no atomicity" else 0)
        assert (f"fenceless_{name}" in log) == (way.name == "no fence before")
        assert ("late_store" in log or left == value) or way.name != "no fence behind"


# --- pairs -------------------------------------------------------------------------------------------------------


def _pairs(text: str, *functions: str) -> list[tuple[str, str]]:
    trees = {tree.name: tree for tree in map(_function, functions)}
    body = _function(f"def f(v, w):\n{text}").body
    pairs = Pairs(trees).of(body)
    return [(ast.unparse(body[first[-1]]), ast.unparse(body[second[-1]])) for first, second in pairs]


def _function(text: str) -> ast.FunctionDef:
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def test_accesses_that_follow_each_other_are_a_pair() -> None:
    """Points and compiler barriers in between do not part them."""
    text = "    WRITE_ONCE(v.a, 1)\n    smp_wmb()\n    interrupt_point(1)\n    x = READ_ONCE(v.b)"
    assert _pairs(text) == [("WRITE_ONCE(v.a, 1)", "x = READ_ONCE(v.b)")]


@pytest.mark.parametrize(
    "text",
    [
        "    x = READ_ONCE(v.a)\n    WRITE_ONCE(v.b, x)",
        "    WRITE_ONCE(v.a, x)\n    x = READ_ONCE(v.b)",
        "    WRITE_ONCE(v.a, 1)\n    x = READ_ONCE(v.a)",
        "    set_bit(1, v.a)\n    x = READ_ONCE(v.a)",
        "    WRITE_ONCE(v.a, 1)\n    smp_mb()\n    x = READ_ONCE(v.b)",
        "    WRITE_ONCE(v.a, 1)\n    y = 1\n    x = READ_ONCE(v.b)",
        "    WRITE_ONCE(v.a, 1)\n    local_irq_enable()\n    x = READ_ONCE(v.b)",
    ],
)
def test_what_depends_or_is_parted_is_no_pair(text: str) -> None:
    """A result that is needed, one word, a barrier, a statement in between."""
    assert _pairs(text) == []


def test_a_call_that_only_accesses_may_be_one_of_a_pair() -> None:
    """A function with one access is one; one with several only beside one; one that waits never."""
    one = "def one(v):\n    WRITE_ONCE(v.c, 1)"
    several = "def several(v):\n    x = READ_ONCE(v.d)\n    y = READ_ONCE(v.e)"
    waits = "def waits(v):\n    wait_for_interrupt()\n    x = READ_ONCE(v.d)"
    assert _pairs("    one(v)\n    several(v)", one, several) == [("one(v)", "several(v)")]
    assert _pairs("    several(v)\n    several(w)", several) == []
    assert _pairs("    one(v)\n    waits(v)", one, waits) == []


def test_a_swap_moves_points_along_and_nothing_else(program: Program, found: list[Site]) -> None:
    """The statements are the same, in another order."""
    for site in found:
        if site.kind == "pair":
            before = [ast.unparse(each) for each in walk(program.trees[site.function]) if isinstance(each, ast.Expr)]
            after = [ast.unparse(each) for each in walk(site.relaxations[0].tree) if isinstance(each, ast.Expr)]
            assert sorted(before) == sorted(after)
