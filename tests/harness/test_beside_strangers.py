"""A run beside other processes that compute, on as many processors as there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import roots
from tests.harness.driven import UP_SECONDS
from tests.harness.test_processes import assert_sound, outcome

pytestmark = pytest.mark.timeout(2 * UP_SECONDS)


def test_a_run_comes_to_its_end_beside_strangers_who_compute(root: Path) -> None:
    """Whoever gives up the processor in every wait would have a microsecond for each of their time slices."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        result = outcome(root, roots.TURNS, 3, 0.5)
        assert_sound(result)
        assert min(result["results"]) > 100
    finally:
        for process in busy:
            process.kill()
            process.wait()
