"""Equivalence of a user's rule with another rule: their threads make the same operations in the explored part.

A search asks each thread only for the steps that can happen. If under another rule the thread, from its first local
state on, makes the same operation in each of these local states and reports the same on each transition, then both
models have the same moves in the same order, and what holds of one search holds of the other. So the other rule need
not be searched: its threads are asked for the steps of this search and nothing else.

The converse does not hold. Two rules may do different things to the same end; then nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from hosts.explorer.build import Builder
from hosts.explorer.model.system import AbstractionRefuted, Model, Thread
from hosts.explorer.search.thread_tables import ThreadTables
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.machine_words import World

PAIRS_BETWEEN_LOOKS: Final = 128

Asked = Mapping[int, Sequence[int]]
"""Of one thread: for each local state the answers that a search has given it there."""


def same_as(
    builder: Builder,
    model: Model,
    learnt: ThreadTables,
    policies: Sequence[tuple[str, int]],
    goes_on: Callable[[], bool],
) -> tuple[str, ...]:
    """Return the names of the policies, given by name and number, under which the search would have been the same.

    ``model`` and ``learnt`` are those of a complete search. ``goes_on`` is asked again and again; when it says no, what
    is not decided is not said.
    """
    asked = _asked(learnt)
    return tuple(name for name, number in policies if _is_same(builder, model, asked, number, goes_on))


def _asked(learnt: ThreadTables) -> list[dict[int, list[int]]]:
    found: list[dict[int, list[int]]] = [{} for _ in learnt.model.threads]
    for thread, local, answer in learnt.asked():
        found[thread].setdefault(local, []).append(answer)
    return found


def _is_same(builder: Builder, model: Model, asked: Sequence[Asked], policy: int, goes_on: Callable[[], bool]) -> bool:
    world = _under(builder.world, policy)
    try:
        # Those that post come first: they call the rule soon.
        return all(
            _agree(mine, Automaton(number, builder.protocol, f"thread_{number}", world), asked[number], goes_on)
            for number, mine in reversed(list(enumerate(model.threads)))
        )
    except AbstractionRefuted:  # it uses a word as no thread of this rule does
        return False


def _agree(mine: Thread, other: Thread, asked: Asked, goes_on: Callable[[], bool]) -> bool:
    """Return whether the other thread makes the same operations in every explored local state of this one."""
    for looked, (local, its) in enumerate(_pairs(mine, other, asked)):
        if mine.operation(local)._replace(where=0) != other.operation(its)._replace(where=0):
            return False
        if any(_told(mine, local, answer) != _told(other, its, answer) for answer in asked.get(local, ())):
            return False
        if looked % PAIRS_BETWEEN_LOOKS == 0 and not goes_on():
            return False
    return True


def _pairs(mine: Thread, other: Thread, asked: Asked) -> Iterator[tuple[int, int]]:
    """Yield the local states that the same answers lead to in both, the first ones first.

    What is read of a pair before the next is asked for decides whether one goes on behind it.
    """
    seen = {(0, 0)}
    queue = [(0, 0)]
    for local, its in queue:
        yield local, its
        for answer in asked.get(local, ()):
            pair = mine.step(local, answer).local, other.step(its, answer).local
            if pair not in seen:
                seen.add(pair)
                queue.append(pair)


def _told(thread: Thread, local: int, answer: int) -> tuple[int, int]:
    """Return what a transition reports besides its target."""
    edge = thread.step(local, answer)
    return edge.windows, edge.sighting


def _under(world: World, policy: int) -> World:
    """Return a world with the same knowledge and another rule."""
    words = world.words.copied({world.machine.config.policy: policy})
    return replace(
        world,
        words=words,
        interrupted=set(world.interrupted),
        uninterrupted=set(world.uninterrupted),
        slots=[dict(slots) for slots in world.slots],
        spots=dict(world.spots),
        renewers=[set(threads) for threads in world.renewers],
    )
