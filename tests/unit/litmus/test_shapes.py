"""The classic shapes, and that of posted-interrupt delivery: each file says what x86 allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.litmus.outcome import Finals, run
from hosts.litmus.read import read_test
from hosts.litmus.unreduced import final_states
from tests.unit.litmus.breadth import finals

FILES = sorted((Path(__file__).parent / "files").glob("*.litmus"))
BUFFERED = {
    "PI",
    "PI+sfence",
    "R",
    "RWC",
    "SB",
    "SB+mfence+po",
    "SB+rfi-pos",
    "SB+unlocked-cmpxchgs",
    "SB-intel",
    "n6",
}
"""What only a store buffer makes possible; their files say `exists`."""
STATES = {
    "SB": 4,
    "SB+mfences": 3,
    "MP": 3,
    "LB": 3,
    "R": 4,
    "2+2W": 3,
    "IRIW": 15,
    "WRC": 7,
    "RWC": 8,
    "n5": 3,
    "n6": 5,
}
"""As many as herd7 7.57 shows."""

hosts = pytest.mark.parametrize("by", [finals, final_states, None], ids=["definition", "search", "reduced"])
files = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@hosts
@files
def test_every_shape_is_as_its_file_says(file: Path, by: Finals | None) -> None:
    """Under x86-TSO."""
    outcome = run(read_test(file.read_text()), "tso", by)
    assert outcome.ok
    assert outcome.test.name == file.stem
    assert len(outcome.states) == STATES.get(file.stem, len(outcome.states))


@hosts
@files
def test_without_buffers_the_weak_ones_are_not_seen(file: Path, by: Finals | None) -> None:
    """Under sequential consistency the rest stays as it is."""
    assert run(read_test(file.read_text()), "sc", by).ok == (file.stem not in BUFFERED)


def test_no_shape_is_missing() -> None:
    """The tables above speak of files that are there."""
    assert BUFFERED | set(STATES) <= {file.stem for file in FILES}
