"""What a race without the expected violation leaves open, and how long it would have to run.

Not seen is not absent: a rare bug on a busy machine may take any time. So such a row proves nothing of the bug, however
long it was raced; only a search of every interleaving refutes the table.
"""

from __future__ import annotations

import shlex
from typing import Final

from hosts.runs.collect import Measured
from hosts.runs.own_code import words_of
from hosts.runs.plan import Planned

PATIENCE: Final = 5.0
"""Shortest time, in seconds, to wait for an expected sighting."""
TIMES_AS_LONG: Final = 4
"""Of a rate that nothing is known of, but that nothing came in so many seconds, this is the rule of succession: within
the next k times as many seconds something comes with a probability of k / (1 + k). So four in five of those rows that
were not seen are, when they are raced anew for four times as long."""


def enough_seconds(measured: Measured) -> float:
    """Return how long the row would likely have to be raced by itself, in seconds."""
    return max(PATIENCE, round(TIMES_AS_LONG * measured.seconds))


def unseen(planned: Planned, measured: Measured) -> str:
    """Return what was seen in a row whose expected check has not fired, and the command that races it longer."""
    entered = sum(measured.windows[window] for window in planned.scenario.windows)
    what = f"{' or '.join(planned.sought)} not seen" if planned.sought else "no check is expected by name; nothing seen"
    ways = f" and {entered:,} entries of its windows" if planned.scenario.windows else ""
    return f"{what} in {measured.seconds:.1f} s{ways}; longer: {_command(planned, enough_seconds(measured))}"


def _command(planned: Planned, seconds: float) -> str:
    words = ["pirace", "stress", "--scenario", planned.scenario.name, *words_of(planned.policy.name, planned.code)]
    if planned.mutation is not None:
        words += ["--mutation", planned.mutation.name]
    if planned.scenario.grows:
        words += ["--cpus", str(planned.pcpus)]
    return shlex.join([*words, "--seconds", f"{seconds:.0f}"])
