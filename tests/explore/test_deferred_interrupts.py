"""Interrupts that wait for the next point, as nothing in between meets a handler: the ends are those of all points."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import AbstractionRefuted, Model
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from hosts.explorer.threads.automaton import Automaton
from tests.explore.bodies import Tiny

LEFT = """
def right():
    send_IPI(0, DEVICE_VECTOR)
    WRITE_ONCE(Y(), 1)

def left():
    local_write(enabled(), 1)
    {between}
    out(0, READ_ONCE(X()) + 1)
    {last}

def common_interrupt():
    local_write(enabled(), 0)
    apic_ack()
    {handler}
    local_write(enabled(), 1)
"""
READS = "a = READ_ONCE(own())\n    b = READ_ONCE(own())"
"""Two words of the thread's own, so that the points before them have nothing behind them that others notice."""
WRITES = "WRITE_ONCE(own(), 1)\n    WRITE_ONCE(own(), 2)"


def explored(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch | None = None, *, always: bool = True
) -> tuple[Model, Result, Result]:
    """Search with the reduction and without. With a patch, interrupts wait always, or never."""
    if monkeypatch is not None:
        monkeypatch.setattr(Automaton, "may_wait", lambda _thread, _local: always)
    world = tiny.world()
    while True:
        try:
            model = tiny.model(world)
            reduced = Search(model, Options(keep_finals=True, progress_check=False)).run()
            whole = Search(model, Options(reduce=False, keep_finals=True, progress_check=False)).run()
        except AbstractionRefuted:
            continue
        assert reduced.complete
        assert whole.complete
        return model, reduced, whole


def waits(model: Model) -> list[bool]:
    """Tell of the points in front of the two accesses in between whether their interrupts may wait."""
    left = model.threads[0]
    points = [local for local in range(len(left)) if left.operation(local).kind == Op.POINT]
    places = {local: left.place(left.operation(local).where) for local in points}
    first = min(place.line for place in places.values() if place.function == "left")
    told = [left.may_wait(local) for local, place in places.items() if first <= place.line <= first + 1]
    assert len(told) > 1
    return told


@pytest.mark.parametrize("between", [READS, WRITES], ids=["reads", "writes"])
def test_an_interrupt_waits_where_nothing_in_between_meets_its_handler(
    folder: Path, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    """The handler touches another word: the first points are passed, and the ends are the same."""
    tiny = Tiny(folder, LEFT.format(between=between, last="", handler="WRITE_ONCE(X(), READ_ONCE(X()) + 4)"))
    model, reduced, whole = explored(tiny)
    assert reduced.finals == whole.finals
    assert all(waits(model))
    watched = LEFT.format(between=between.replace("own()", "Y()"), last="", handler="WRITE_ONCE(X(), 4)")
    other, _, _ = explored(Tiny(folder, watched))
    assert not any(waits(other))
    _, never, _ = explored(tiny, monkeypatch, always=False)
    assert reduced.states < never.states


MEETINGS = {
    "read before, written by the handler": (READS, "out(1, a + b)", "WRITE_ONCE(own(), READ_ONCE(own()) + 4)"),
    "written before, read by the handler": (WRITES, "", "out(1, READ_ONCE(own()))"),
    "written before and by the handler": (WRITES, "out(1, READ_ONCE(own()))", "WRITE_ONCE(own(), 8)"),
}


@pytest.mark.parametrize("meeting", MEETINGS)
def test_an_interrupt_does_not_wait_where_its_handler_is_met(
    folder: Path, monkeypatch: pytest.MonkeyPatch, meeting: str
) -> None:
    """Every moment counts then; the comparison of the ends would notice if it were passed."""
    between, last, handler = MEETINGS[meeting]
    tiny = Tiny(folder, LEFT.format(between=between, last=last, handler=handler))
    model, reduced, whole = explored(tiny)
    assert reduced.finals == whole.finals
    assert not any(waits(model))
    _, wrong, _ = explored(tiny, monkeypatch)
    assert {memory for _, memory in wrong.finals} < {memory for _, memory in whole.finals}


def test_what_a_handler_turns_out_to_do_later_is_not_overlooked(folder: Path) -> None:
    """It writes the word only if another thread was quicker: the search begins anew when that comes to light."""
    handler = "if READ_ONCE(Y()) == 1: WRITE_ONCE(own(), 4)"
    last = "out(1, a + b)\n    WRITE_ONCE(own(), 0)"
    model, reduced, whole = explored(Tiny(folder, LEFT.format(between=READS, last=last, handler=handler)))
    assert reduced.finals == whole.finals
    assert len({memory for _, memory in reduced.finals}) > 2
    assert reduced.restarts > 0
    assert not any(waits(model))
