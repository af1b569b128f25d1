"""A seeded bug that a user brings as a patch is caught on real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emu.expected import by_name, expected
from hosts.runs.native_runner import built, native_runner
from hosts.runs.runner import Runner
from tests.race.conftest import LONGEST_SECONDS, Race, two_processors
from tests.unit.loader.patches import code_of, edited

# The machine is compiled anew, which takes 10 s of processor time; tests/explore/test_attached.py has fast ones.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 2 * LONGEST_SECONDS)]

BUG = "pir-set-plainly"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Race the patch."""
    code = code_of(tmp_path_factory.mktemp("bug"), *edited(by_name(BUG)))
    with native_runner(built(code, lambda *_: None)) as runner:
        yield runner


@pytest.mark.skipif(not two_processors(), reason="these races need two processors")
def test_a_bug_that_a_user_brings_is_caught(race: Race) -> None:
    """By a check that the table names of it, though its operations are plain ones."""
    wanted = expected("remote-post", "elide-self-2022", BUG)
    assert wanted is not None
    raced = race("remote-post", "elide-self-2022", seconds=LONGEST_SECONDS, sought=wanted.checks)
    assert raced.checks & set(wanted.checks)
