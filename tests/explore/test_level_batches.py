"""A level's states are handed to the workers in pieces, so that none of them waits long for the others."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from hosts.explorer.search.workers import LEAST, NOWHERE, SMALLEST, Job, Rounds


def rounds_of(workers: int, chunk: int, jobs: list[Job]) -> Rounds:
    """Return rounds in which there is that to do."""
    made = Rounds(cast(Any, None), workers)
    made._chunk = chunk
    made.jobs.extend(jobs)
    return made


def states_of(jobs: Any) -> list[tuple[int, int]]:
    """Return what is expanded, state by state."""
    return [(job.source, number) for job in jobs for number in range(job.start, job.stop)]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("chunk", [256, 1_000, 100_000])
def test_each_state_is_in_one_piece(workers: int, chunk: int) -> None:
    """In the order in which they stood, and those of this round first."""
    jobs = [Job(NOWHERE, 0, 7, 900), Job(NOWHERE, 1, 0, 3), Job(np.arange(40), 0, 0, 40), Job(NOWHERE, 1, 3, 30_000)]
    rounds = rounds_of(workers, chunk, jobs)
    pieces = rounds._pieces()
    assert states_of([*pieces, *rounds.jobs]) == states_of(jobs)
    assert sum(piece.size for piece in pieces) == min(workers * chunk, sum(job.size for job in jobs))
    assert all(piece.size > 0 for piece in pieces)


def test_the_last_pieces_are_small() -> None:
    """Whoever begins the last one makes the others wait for no more than a small part of the round."""
    rounds = rounds_of(2, 1 << 16, [Job(NOWHERE, 0, 0, 1 << 20)])
    sizes = [piece.size for piece in rounds._pieces()]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= (1 << 17) // SMALLEST
    assert len(sizes) <= 2 * SMALLEST
    assert sizes[0] <= sum(sizes) // 4


def test_one_worker_is_given_no_pieces() -> None:
    """There is nobody to wait for."""
    rounds = rounds_of(1, 1 << 16, [Job(NOWHERE, 0, 0, 1 << 20)])
    assert [piece.size for piece in rounds._pieces()] == [1 << 16]


def test_a_piece_is_worth_a_call() -> None:
    """However little there is to do."""
    rounds = rounds_of(4, LEAST, [Job(NOWHERE, 0, 0, 3 * LEAST)])
    assert [piece.size for piece in rounds._pieces()] == [LEAST] * 3
