"""The witnesses that several tests take again."""

from __future__ import annotations

import pytest

from hosts.explorer.counterexample.witness import Witness
from tests.replay.witnesses import Case


@pytest.fixture(scope="session")
def lost_wakeup() -> Witness:
    """The lost wake-up of 2021: a device interrupt on the target's own pCPU, before it goes to sleep."""
    return Case("device-irq", "skip-running-2020", None, "device | guest=hlt").shortest()


@pytest.fixture(scope="session")
def store_buffered() -> Witness:
    """A remote post that the entry misses, because the mode store still waits in its buffer."""
    return Case("remote-post", "elide-self-2022", "no-entry-barrier", "post:34").shortest()


@pytest.fixture(scope="session")
def missed_on_the_fastpath() -> Witness:
    """A timer's self-post that nobody syncs, as one choice in the way has it."""
    return Case("tscdeadline-immed", "elide-self-2022", "no-fastpath-sync", None).shortest()
