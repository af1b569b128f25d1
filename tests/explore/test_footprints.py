"""What a thread may still do: words that nobody else will use need no rest, and what was not known is found out."""

from __future__ import annotations

import pytest

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.reduce.footprints import later_first
from hosts.explorer.search import bfs
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from tests.explore.models import Table, op, straight

END = Operation(Op.END)


def both(*threads: Table, words: int) -> tuple[Result, Result]:
    """Search with the reduction and without."""
    names = [f"w{word}" for word in range(words)]
    model = Model(threads, [f"T{number}" for number in range(len(threads))], names, [0] * words)
    with_it, without = (Search(model, Options(reduce=reduce, keep_finals=True)).run() for reduce in (True, False))
    assert with_it.complete
    assert with_it.finals == without.finals
    return with_it, without


def test_a_word_that_the_others_are_done_with_needs_no_rest() -> None:
    """Behind the other's only use of a word, what is left of both is one step each; before it, each has its own."""
    worker = straight(*(op(Op.ADD, 0, 1) for _ in range(10)))
    other = straight(op(Op.ADD, 0, 100), *(op(Op.ADD, 1, 1) for _ in range(3)))
    reduced, whole = both(worker, other, words=2)
    assert (whole.states, whole.transitions) == (11 * 5, 10 * 5 + 11 * 4)
    assert (reduced.states, reduced.transitions) == (11 * 2, 10 + 11 + 10)


def test_a_word_that_the_others_only_read_may_be_read_without_a_rest() -> None:
    """Two readers of one word are one step each; a writer of it makes each look count."""
    reader = straight(*(op(Op.LOAD, 0) for _ in range(5)))
    readers, _ = both(reader, reader, words=1)
    watched, whole = both(reader, straight(op(Op.XCHG, 0, 1)), words=1)
    assert readers.states < 8
    assert readers.states < watched.states <= whole.states


def test_more_to_lean_on_is_worth_only_so_many_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left for it counts, over all attempts: with no room for that the search goes on with what it leans on."""
    worker = straight(*(op(Op.ADD, 0, 1) for _ in range(10)))
    other = straight(op(Op.ADD, 0, 100), *(op(Op.ADD, 1, 1) for _ in range(3)))
    usual, _ = both(worker, other, words=2)
    searched = Search(Model([worker, other], ["T0", "T1"], ["w0", "w1"], [0, 0]), Options())
    searched.run()
    assert 0 < searched.searched_again <= bfs.RESTART_WITHIN
    monkeypatch.setattr(bfs, "RESTART_WITHIN", 0)
    never, whole = both(worker, other, words=2)
    assert usual.restarts > never.restarts == 0
    assert usual.states < never.states <= whole.states


def test_what_comes_to_light_later_is_not_overlooked() -> None:
    """A thread uses the word again, but only if it has read a value that another thread writes at the very end."""
    rare = Table(
        [op(Op.LOAD, 1), op(Op.XCHG, 0, 7), Operation(Op.END)],
        [{None: Transition(2), 9: Transition(1)}, {None: Transition(2)}, {}],
    )
    writer = straight(*(op(Op.ADD, 0, 1) for _ in range(4)), op(Op.XCHG, 1, 9), op(Op.ADD, 0, 1))
    reduced, _ = both(rare, writer, words=2)
    assert {memory[0] for _, memory in reduced.finals} == {5, 7, 8}
    assert reduced.restarts > 0


def test_an_order_of_what_comes_later_first_or_none_if_there_is_a_way_round() -> None:
    """Each behind all that it leads to."""
    after = {1: [2, 3], 2: [3], 3: [], 4: [1]}
    assert later_first(after, after.__getitem__) == [3, 2, 1, 4]
    after[3] = [4]
    assert later_first(after, after.__getitem__) is None


@pytest.mark.parametrize("buffer", [0, 2])
def test_an_interrupt_that_comes_to_light_late_is_not_overlooked(buffer: int) -> None:
    """Nobody was known to send an IPI when the points were first passed: under either memory model they are not.

    Who sends waits for the target to be at its point. Both go round, so that only the IPI makes the search begin anew.
    """
    target = Table(
        [
            op(Op.CHOOSE, a=2),
            op(Op.ADD, 0, 1),
            op(Op.POINT),
            Operation(Op.ACK),
            op(Op.XCHG, 0, 50),
            op(Op.ADD, 0, 1),
            END,
        ],
        [
            {0: Transition(0), 1: Transition(1)},
            {None: Transition(2)},
            {0: Transition(5), 1: Transition(3)},
            *({None: Transition(n)} for n in (4, 5, 6)),
            {},
        ],
    )
    sender = Table(
        [op(Op.LOAD, 0), op(Op.SEND, a=0, b=0), END],
        [{None: Transition(0), 1: Transition(1)}, {None: Transition(2)}, {}],
    )
    model = Model((target, sender), ("T0", "T1"), ["w0", "w1"], [0, 0], (0xEC,))
    ends = [Search(model, Options(buffer, reduce=each, keep_finals=True)).run().finals for each in (True, False)]
    assert ends[0] == ends[1]
    assert {memory[0] for _, memory in ends[0]} == {2, 51}
