"""How the pCPUs of a run keep company: who has a core of his own, and what a figure measured so may be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from hosts.soak.placement.groups import MULTICORE

CoreSharing = Literal["multicore", "alone", "smt", "unpinned", "shared"]

TITLES: Final[dict[CoreSharing, str]] = {
    "multicore": "multicore: each pCPU on a core of its own",
    "alone": "one pCPU: no second processor takes part",
    "smt": "hardware threads of one core: not multicore figures",
    "unpinned": "left to the scheduler, which may let pCPUs share a processor: not multicore figures",
    "shared": "pCPUs share a processor: not multicore figures",
}
"""What each is called, best first."""


def core_sharing(place: str, pcpus: int, processors: Sequence[int]) -> CoreSharing:
    """Say how the pCPUs of a run were placed: by what they were given and kept, not by what was meant."""
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
    """Tell whether the pCPUs have store buffers of their own, so that every seeded bug can be asked for."""
    return pcpus == 1 or place != "shared"
