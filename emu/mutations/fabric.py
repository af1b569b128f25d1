"""Seeded bugs of the host's fabric, which loses IPIs."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import NEW, Mutation, Row

MUTATIONS: Final = (
    Mutation(
        23,
        "ipi-lost-uncounted",
        "the fabric drops a notification before it is counted",
        "fabric",
        (),
        (Row("remote-post", NEW, "VIOLATION", ("C1",)),),
        fabric_fault=1,
    ),
    Mutation(
        24,
        "ipi-lost-counted",
        "the fabric drops a notification after it was counted",
        "fabric",
        (),
        (Row("remote-post", NEW, "VIOLATION", ("C10",)),),
        fabric_fault=2,
    ),
)
