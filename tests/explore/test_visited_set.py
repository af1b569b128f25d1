"""The memory of a search: it grows without losing a state, and asks for no more than the system gives."""

from __future__ import annotations

import mmap
from collections.abc import Callable

import numpy as np
import pytest

from hosts.explorer.search import visited
from hosts.explorer.search.visited import Store


def one_after_the_other(do: Callable[[int], int], _: int) -> None:
    """Do something for the one worker there is."""
    do(0)


def test_what_is_stored_stays_when_the_room_is_outgrown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is asked for in advance, so that the states have to be copied."""
    monkeypatch.setattr(visited, "SPARE", 1)
    states = Store(2, 1, one_after_the_other)
    states.begin(np.array([7, 8], np.int64))
    before = len(states.states)
    states.ensure(states.room + 1)
    assert len(states.states) > before
    assert states.at(0) == [7, 8]


def test_a_system_that_promises_no_more_than_it_has_is_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may come later is then asked for later."""
    asked: list[int] = []
    real = mmap.mmap

    def stingy(number: int, length: int, **options: int) -> mmap.mmap:
        """Map only the last size that was asked for."""
        asked.append(length)
        if len(asked) == 1:
            raise OSError("cannot allocate memory")
        return real(number, length, **options)

    monkeypatch.setattr(visited.mmap, "mmap", stingy)
    assert len(visited.reserved(1024)) == 1024
    assert asked == [8 * 1024 * visited.SPARE, 8 * 1024]


def test_no_memory_at_all_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller hears a MemoryError, as from any other array."""

    def none(number: int, length: int, **options: int) -> mmap.mmap:
        """Map nothing."""
        raise OSError("cannot allocate memory")

    monkeypatch.setattr(visited.mmap, "mmap", none)
    with pytest.raises(MemoryError, match="8 MB of states"):
        visited.reserved(1 << 20)
