"""What a thread's code has come to is remembered for other local states: they are the same as if it were run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emu.expected import policy_by_name
from hosts.explorer import refine
from hosts.explorer.build import Builder
from hosts.explorer.cache.programs import ready_program
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.harness import scope_of
from hosts.explorer.threads.run_cache import Runs

pytestmark = pytest.mark.timeout(300)

SCOPE = "guest=hlt,timer | timers=1"


def test_it_comes_to_the_same_with_less_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same local states, operations and edges, though less of the code is run."""
    monkeypatch.setattr(refine, "WALKS", 5)
    program, ran, count = ready_program(), Automaton._ran, 0
    made: Callable[..., Any] = ran

    def counted(self: Automaton, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        return made(self, *arguments)

    def learnt() -> list[tuple[Any, ...]]:
        nonlocal count
        count = 0
        builder = Builder(
            program, scope_of(None, "guest=hlt,timer | timers=1"), policy_by_name("elide-self-2022").number
        )
        result, _, model = explore(builder, Options())
        found: list[tuple[Any, ...]] = [(result.states, result.transitions, result.depth)]
        for thread in model.threads:
            assert isinstance(thread, Automaton)
            states = [(own, *[frame.number for frame in frames]) for frames, own in thread.states]
            found += [(states, thread.operations), (thread.edges, thread.passed, thread.between, thread.handlers)]
        return found

    monkeypatch.setattr(Automaton, "_ran", counted)
    remembered, few = learnt(), count
    monkeypatch.setattr(Runs, "find", lambda *_: None)
    assert learnt() == remembered
    assert 0 < few < 3 * count // 4
