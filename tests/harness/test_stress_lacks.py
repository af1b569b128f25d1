"""A limit that the shell or a batch system has set: stress says so in one line, with the status of an environment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.harness.driven import TOP, UP_SECONDS

pytestmark = pytest.mark.timeout(4 * UP_SECONDS)  # the machine may have to be compiled
ROW = ("--scenario", "remote-post", "--policy", "always-2021", "--controls", "none", "--seconds", "0.2", "--quiet")


@pytest.mark.parametrize(
    ("limit", "told"),
    [("--nofile=20", "cannot start a machine: "), ("--fsize=1000000", "no room for a machine: File too large")],
)
def test_a_limit_is_told_in_one_line(limit: str, told: str) -> None:
    """Not in libzmq's words, nor as a crash of a row."""
    command = ["prlimit", limit, sys.executable, "-m", "hosts.cli.main", "stress", *ROW]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TOP)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert done.stderr.startswith(f"pirace: {told}")
