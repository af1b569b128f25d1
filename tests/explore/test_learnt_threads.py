"""What a search has learnt is kept for the next of the same, which comes to the same without asking anything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emu
import hosts
from emu.expected import by_name, policy_by_name
from emu.machine import USER
from hosts.explorer.build import Builder
from hosts.explorer.cache import learnt, serialize
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.learnt import Learning, key_of, packed, read
from hosts.explorer.cache.programs import ready_program
from hosts.explorer.cache.serialize import sources_now
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.counterexample.witness_file import text
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.refine import explore
from hosts.explorer.search import bfs
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program
from hosts.loader.user_code import code_of
from tests.choice import slow_but

pytestmark = pytest.mark.timeout(300)

TINY = "guest=hlt,timer | timers=1"
SMALL = "post:34 | guest=cpuid | timers=0"
LOST = "device device | guest=cpuid,hlt,now"
"""In which the rule of 2020 loses a wake-up."""
TWICE = "post:34 | post:34 | guest=hlt | timers=0"
"""Senders that do the same."""
SCOPES = {
    "clean": (SMALL, "elide-self-2022", None),
    "violated": (LOST, "skip-running-2020", None),
    "equal senders": (TWICE, "always-2021", None),
    "equal senders, violated": (TWICE, "always-2021", "no-wait-barrier"),
    "a guest that sends IPIs": ("guest=icr,hlt | timers=1", "elide-self-2022", None),
    "one pCPU": (TINY, "elide-self-2022", None),
}
Row = tuple[str, str, str | None]


@pytest.fixture
def learning(tmp_path: Path) -> Learning:
    """Return a folder in which nothing is kept yet."""
    return Learning(Files(tmp_path))


def builder_of(program: Program, row: Row = SCOPES["clean"]) -> Builder:
    """Make a builder that has learnt nothing."""
    scope, policy, mutation = row
    seeded = by_name(mutation) if mutation is not None else None
    return Builder(program, scope_of(None, scope), policy_by_name(policy).number, seeded)


def told(builder: Builder, found: tuple[Result, Search, Model], options: Options) -> tuple[Any, str]:
    """Return all that a search has found, and the way to it."""
    result, search, model = found
    witness: Witness | None = None
    if result.violation is not None and not search.pathless:
        moves = search.path()
        witness = explained_witness(builder, model, options, moves, result.violation, scenario="", policy="")
    hit = bytes(builder.protocol.lines.hit).hex()
    return (replace(result, seconds=0, restarts=0, layouts=0), hit), text(witness) if witness is not None else ""


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets an item whenever a thread's code is run."""
    times: list[int] = []
    settle = Automaton._settle

    def counted(self: Automaton, *arguments: Any, **more: Any) -> int:
        times.append(self.number)
        return settle(self, *arguments, **more)

    monkeypatch.setattr(Automaton, "_settle", counted)
    return times


@pytest.mark.parametrize(
    "name",
    slow_but(["clean", "violated", "equal senders", "one pCPU"], SCOPES),
)
def test_the_next_search_comes_to_the_same(program: Program, learning: Learning, name: str, ran: list[int]) -> None:
    """States, transitions, depth, verdict, windows, local states, lines reached, and the way; no code is run again."""
    options, row = Options(), SCOPES[name]
    first, second = builder_of(program, row), builder_of(program, row)
    cold = told(first, explore(first, options, None, learning), options)
    ran.clear()
    found = explore(second, options, None, learning)
    if row[2] is None:
        assert ran == [], "a thread was asked for what was known"
    assert told(second, found, options) == cold


PRIVATE = {
    "read": ("READ_ONCE(vcpu.apic.vppr)", {"local_write"}),
    "written": ("xchg(vcpu.guest.in_service, 0)", {"local_read", "local_write"}),
}


@pytest.mark.parametrize("use", slow_but(["read"], PRIVATE))
def test_threads_that_share_what_the_protocol_calls_private_are_kept_too(
    tmp_path: Path, learning: Learning, use: str, ran: list[int]
) -> None:
    """They are cut at more places than others; the next search finds that out before it reads them."""
    file, (operation, cut_at) = tmp_path / "rule.py", PRIVATE[use]
    file.write_text(
        "from emu.kvm_main import kvm_vcpu_kick\nfrom emu.waist import READ_ONCE, xchg\n\n\n"
        f"def trigger(vcpu, vec):\n    if {operation} >= 0:\n        kvm_vcpu_kick(vcpu)\n"
    )
    rule, options = load_program(code_of(f"{file}:trigger")), Options()
    first, second = (Builder(rule, scope_of(None, SMALL), USER) for _ in range(2))
    cold = told(first, explore(first, options, None, learning), options)
    ran.clear()
    found = explore(second, options, None, learning)
    assert ran == [], "a thread was asked for what was known"
    assert second.world.suspends == cut_at
    assert told(second, found, options) == cold


def test_the_number_of_workers_does_not_matter(program: Program, learning: Learning) -> None:
    """What one has learnt serves two."""
    alone = explore(builder_of(program), Options(), None, learning)[0]
    together = explore(builder_of(program), Options(workers=2, seconds=99, max_bytes=1 << 30), None, learning)[0]
    assert len(list(learning.files.folder.glob("[!.]*"))) == 1
    assert (together.states, together.transitions, together.depth) == (alone.states, alone.transitions, alone.depth)
    assert together.complete


def test_it_leans_on_no_more_than_before(program: Program, learning: Learning, monkeypatch: pytest.MonkeyPatch) -> None:
    """A big search does not begin anew for the reduction's sake; nor does the next, which knows more from the start."""
    row = ("post:34 | guest=cpuid,hlt | timers=0", "elide-self-2022", None)
    with monkeypatch.context() as patch:
        patch.setattr(bfs, "RESTART_WITHIN", 0)
        cold, search, _ = explore(builder_of(program, row), Options(), None, learning)
    assert search.learnt.assumptions.stronger_known
    warm, _, _ = explore(builder_of(program, row), Options(), None, learning)
    assert warm.restarts == 0
    assert (warm.states, warm.transitions, warm.depth) == (cold.states, cold.transitions, cold.depth)


def test_what_was_cut_short_is_not_kept(program: Program, learning: Learning) -> None:
    """It would lean on less than is known at the end."""
    result, _, _ = explore(builder_of(program), Options(max_states=50), None, learning)
    assert result.bounded_by == ("states",)
    assert not list(learning.files.folder.glob("[!.]*"))


def test_everything_is_kept(program: Program) -> None:
    """Whatever fields the parts of what is learnt have, they are there when it is read."""
    options = Options()
    builder = builder_of(program)
    _, search, model = explore(builder, options)
    content = packed(builder, model, search.learnt)
    other = builder_of(program)
    kept = read(content, program, other.protocol)
    pairs = [
        (builder.world, kept.world),
        (builder.world.words, kept.world.words),
        (builder.world.folds, kept.world.folds),
        (search.learnt, kept.learnt),
        (search.learnt.assumptions, kept.learnt.assumptions),
        (search.learnt.assumptions.independence, kept.learnt.assumptions.independence),
        (search.learnt.assumptions.footprints, kept.learnt.assumptions.footprints),
        (search.learnt.symmetry, kept.learnt.symmetry),
        *zip(model.threads, kept.model.threads, strict=True),
    ]
    for before, after in pairs:
        assert vars(after).keys() == vars(before).keys(), type(before)
    assert kept.learnt.model is kept.model
    for thread in kept.model.threads:
        assert thread.world is kept.world
        assert thread.slots is kept.world.slots[thread.number]
        assert thread.protocol is other.protocol
    assert kept.model.threads[0].edges == model.threads[0].edges
    assert kept.learnt.values[0].known == search.learnt.values[0].known


# --- what is damaged, or another's -------------------------------------------------------------------------------


def damaged_by(change: Callable[[bytes], bytes], learning: Learning) -> None:
    """Change the one file that there is."""
    (path,) = learning.files.folder.glob("[!.]*")
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        lambda old: old[: len(old) // 2],
        lambda old: b"",  # noqa: ARG005
        lambda old: old[: len(old) // 2] + bytes([old[len(old) // 2] ^ 1]) + old[len(old) // 2 + 1 :],
    ],
    ids=["cut off", "empty", "a flipped bit"],
)
def test_what_is_damaged_is_learnt_anew(
    program: Program, learning: Learning, change: Callable[[bytes], bytes], ran: list[int]
) -> None:
    """And kept anew."""
    cold = explore(builder_of(program, SCOPES["one pCPU"]), Options(), None, learning)[0]
    damaged_by(change, learning)
    ran.clear()
    again = explore(builder_of(program, SCOPES["one pCPU"]), Options(), None, learning)[0]
    assert ran
    assert (again.states, again.transitions, again.complete) == (cold.states, cold.transitions, True)
    ran.clear()
    explore(builder_of(program, SCOPES["one pCPU"]), Options(), None, learning)
    assert ran == []


class Foreign:
    """Would run a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Say how it is made."""
        return os.system, (self.command,)


def test_only_our_own_classes_are_read(program: Program, learning: Learning, tmp_path: Path) -> None:
    """Whatever else stands under the key is not even looked at."""
    builder, options = builder_of(program), Options()
    builder.world.eager = options.reduce
    foreign = pickle.dumps(Foreign(f"touch {tmp_path}/ran"))
    assert learning.files.write(key_of(builder, options), foreign)
    assert learning.find(builder, options) is None
    assert not (tmp_path / "ran").exists()
    assert learning.files.write(key_of(builder, options), pickle.dumps({1, 2}))
    assert learning.find(builder, options) is None


def test_a_folder_that_cannot_be_written_to_is_done_without(program: Program, tmp_path: Path) -> None:
    """The search does not depend on it."""
    (tmp_path / "taken").write_text("")
    learning = Learning(Files(tmp_path / "taken" / "folder"))
    assert explore(builder_of(program, SCOPES["one pCPU"]), Options(), None, learning)[0].complete


# --- keys --------------------------------------------------------------------------------------------------------


def test_another_question_has_another_key(program: Program) -> None:
    """Another scope, rule, seeded bug, reduction or option; not another budget."""
    options = Options()
    key = key_of(builder_of(program), options)
    others = [
        key_of(builder_of(program, (LOST, "elide-self-2022", None)), options),
        key_of(builder_of(program, (SMALL, "always-2021", None)), options),
        key_of(builder_of(program, (SMALL, "elide-self-2022", "no-entry-sync")), options),
        key_of(Builder(program, scope_of(None, SMALL), policy_by_name("elide-self-2022").number, fold=False), options),
        *(
            key_of(builder_of(program), replace(options, **{name: value}))
            for name, value in (
                ("buffer", 2),
                ("overtake", True),
                ("reduce", False),
                ("symmetry", False),
                ("fuse", False),
                ("stop_at_first", False),
                ("progress_check", False),
                ("keep_finals", True),
            )
        ),
    ]
    remembering = builder_of(program)
    remembering.world.forget = False
    others.append(key_of(remembering, options))
    assert len({key, *others}) == 1 + len(others)
    assert key_of(builder_of(program), replace(options, workers=7, seconds=3.0, max_bytes=5, max_states=9)) == key


RULE = """
from emu.cpu import apic_send_IPI
from emu.waist import READ_ONCE


def trigger(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), {vector})
"""


def test_another_rule_has_another_key(tmp_path: Path) -> None:
    """Also the same text in another file: places in it are told with its name."""
    keys = []
    for name, vector in (("mine", "vec"), ("mine", "0x41"), ("other", "vec")):
        path = tmp_path / f"{name}.py"
        path.write_text(RULE.format(vector=vector))
        builder = Builder(load_program(code_of(f"{path}:trigger")), scope_of(None, SMALL), USER)
        keys.append(key_of(builder, Options()))
    assert len(set(keys)) == len(keys)


def test_other_sources_and_versions_have_another_key(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the explorer, the protocol, Python and NumPy."""
    builder, options = builder_of(program), Options()
    keys = [key_of(builder, options)]
    with monkeypatch.context() as patch:
        patch.setattr(learnt, "explorer_sources", lambda: "changed")
        keys.append(key_of(builder, options))
    with monkeypatch.context() as patch:
        patch.setattr(np, "__version__", "0")
        keys.append(key_of(builder, options))
    keys.append(key_of(builder_of(replace(program, digest="changed")), options))
    assert len(set(keys)) == len(keys)


def test_the_sources_are_those_of_all_that_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed line of the explorer or of the loader is other sources."""
    for name in ("emu", "hosts", "hosts/explorer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    learner = tmp_path / "hosts" / "explorer" / "automaton.py"
    loader = tmp_path / "hosts" / "loader.py"
    for path in (learner, loader):
        path.write_text("one = 1\n")
    for package in (emu, hosts):
        monkeypatch.setattr(package, "__path__", [str(tmp_path / package.__name__)])
    keys = [sources_now()]
    for path in (learner, loader, tmp_path / "emu" / "__init__.py"):
        path.write_text("two = 2\n")
        keys.append(sources_now())
    assert len(set(keys)) == len(keys)


def test_nothing_is_kept_when_the_sources_have_been_edited(
    program: Program, learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since they were imported: what was learnt is of the old ones, and would be found by whoever has them again."""
    monkeypatch.setattr(serialize, "sources_now", lambda: "edited")
    assert explore(builder_of(program, SCOPES["one pCPU"]), Options(), None, learning)[0].complete
    assert not list(learning.files.folder.glob("[!.]*"))
    ready_program(None, learning.files)
    assert not list(learning.files.folder.glob("[!.]*"))
