"""What the look for endless cycles leaves out, and what it must not."""

from __future__ import annotations

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.fair_cycles import over_on_cycles
from tests.explore.models import Table, op, straight

POLLS = Table([op(Op.PENDING)], [{None: Transition(0)}])
SENDS_TO_ITSELF = Table(
    [op(Op.SEND, a=0, b=0), op(Op.PENDING), Operation(Op.ACK, a=1)],
    [{None: Transition(1)}, {0: Transition(1), None: Transition(2)}, {None: Transition(0)}],
)


def searched(*threads: Table) -> Search:
    """Search a model in which a debt is never paid."""
    names = [f"P{number}" for number in range(len(threads))]
    search = Search(Model(threads, names, ["x", "debt"], [0, 1], (0xF2,), obligations=[1]), Options(buffer=1))
    search.run()
    return search


def conditions(search: Search) -> list[list[int]]:
    """Return the rows of what holds on every fair cycle."""
    rows = over_on_cycles(search.learnt)
    return [rows[at : at + 4] for at in range(0, len(rows), 4)]


def test_what_only_ended_threads_send_has_arrived() -> None:
    """The poller goes round with the debt unpaid, behind the arrival: that is found, and states before it are left."""
    search = searched(POLLS, straight(op(Op.SEND, a=0, b=0)))
    assert [*search.learnt.layout["slot", 0], 0] in conditions(search)
    assert search.result.violation is not None
    assert search.result.violation.what == "no-progress"


def test_what_is_sent_again_and_again_may_be_in_flight() -> None:
    """The only cycle leads past states in which it flies: they must be walked, or the cycle is not seen."""
    search = searched(SENDS_TO_ITSELF)
    assert [*search.learnt.layout["slot", 0], 0] not in conditions(search)
    assert search.result.violation is not None
    assert search.result.violation.what == "no-progress"


def test_the_states_are_gathered_by_all_workers() -> None:
    """As many workers, the same answer."""
    model = Model([POLLS, POLLS], ["A", "B"], ["x", "debt"], [0, 1], (0xF2,), obligations=[1])
    found = [Search(model, Options(buffer=1, workers=workers)).run().violation for workers in (1, 3)]
    assert found[0] == found[1] is not None
