"""SIGKILL of every part of a soak at random moments, a tenth of what ``scripts/bench/run kills`` does."""

from __future__ import annotations

import pytest
from bench.kills import KILLS, kill_again_and_again
from bench.soaking import PATIENCE

SHARE = 10


@pytest.mark.slow
@pytest.mark.timeout(10 * PATIENCE)
def test_whatever_is_killed_is_told_and_nothing_is_lost() -> None:
    """Each death is told and a further run follows; the file has all that was told, once; nothing is left behind."""
    seen = kill_again_and_again(KILLS // SHARE, 1)
    assert seen.wrong == []
    for role, seconds in seen.told.items():
        print(f"{role}: told after {', '.join(f'{each:.2f}' for each in sorted(seconds))} s")
        assert len(seconds) == KILLS // SHARE // 4
    assert seen.retried + seen.cut_off > 0
