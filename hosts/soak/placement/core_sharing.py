"""Core sharing between the pCPUs of a run, and what figures measured so may be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from hosts.soak.placement.classes import MULTICORE

CoreSharing = Literal["multicore", "alone", "smt", "unpinned", "shared"]

TITLES: Final[dict[CoreSharing, str]] = {
    "multicore": "multicore: each pCPU on a core of its own",
    "alone": "one pCPU: no second processor takes part",
    "smt": "hardware threads of one core: not multicore figures",
    "unpinned": "left to the scheduler, which may let pCPUs share a processor: not multicore figures",
    "shared": "pCPUs share a processor: not multicore figures",
}
"""The title of each, best first."""


def core_sharing(place: str, pcpus: int, processors: Sequence[int]) -> CoreSharing:
    """Return how the pCPUs of a run shared cores: by the processors that they had and kept, not by those asked for."""
    if pcpus == 1:
        return "alone"
    if place == "shared" or (processors and len(set(processors)) < pcpus):
        return "shared"
    if not processors:
        return "unpinned"
    if place == "smt":
        return "smt"
    return "multicore" if place in MULTICORE else "unpinned"


def races_on_store_buffers(place: str, pcpus: int) -> bool:
    """Return whether every pCPU has a store buffer of its own, so that every seeded bug can show."""
    return pcpus == 1 or place != "shared"
