"""Many short configurations in one soak, a tenth of what ``scripts/bench/run leaks`` does: nothing grows.

Seen to fail with a supervisor that keeps the memory of each run.
"""

from __future__ import annotations

import pytest
from bench.leaks import QUICK_AT_MOST_KIB, QUICK_ROWS, WARM, counts, looks, slope
from bench.soaking import PATIENCE


@pytest.mark.slow
@pytest.mark.timeout(10 * PATIENCE)
def test_two_hundred_configurations_leave_everything_as_it_was() -> None:
    """Descriptors, threads, processes, sockets, memory and files, in coordinator and worker."""
    found = looks(QUICK_ROWS, 1, 0.02, ["remote-post", "kick"])
    assert len(found) >= QUICK_ROWS - 5  # none before there is a worker
    assert {name: values for name, values in counts(found[WARM:]).items() if len(values) > 1} == {}
    for who in ("coordinator", "worker"):
        gained = slope(found, who)
        print(f"{who}: {gained:.2f} KiB a configuration")
        assert gained < QUICK_AT_MOST_KIB
