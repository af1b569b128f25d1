"""What this package asks of a host: run one configuration, let it be watched, say how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from hosts.runs.collect import MachineWords, Undelivered
from hosts.runs.plan import Planned

Placement = Literal["pinned", "shared", "unpinned"]
PLACEMENTS: tuple[Placement, ...] = ("pinned", "shared", "unpinned")

Regime = Literal["calm", "delays", "starvation"]
REGIMES: tuple[Regime, ...] = ("calm", "delays", "starvation")
"""Disturbance: none; frequent short delays at the race points; rare long starvation."""


@dataclass(frozen=True)
class Request:
    """One run."""

    planned: Planned
    seconds: float
    seed: int
    regime: Regime
    placement: Placement


@dataclass(frozen=True)
class Ended:
    """How a run ended. Whatever happened, the words are those of its last moment."""

    words: MachineWords
    seconds: float
    overhead: float = 0.0
    crash: str | None = None
    fault: str | None = None
    """What the user's rule did that no machine can, as ``file:line: reason``; it is the crash then."""
    cancelled: bool = False
    stalled: tuple[int, ...] = ()
    """pCPUs that the machine did not let run."""
    undelivered: tuple[Undelivered, ...] = ()
    """What the fabric's two ends disagree about; means something only if the run ended cleanly."""


class Watch(Protocol):
    """What a run is watched by."""

    def enough(self, words: MachineWords) -> bool:
        """Return whether the run may end now; asked all the time."""

    def progress(self, words: MachineWords, seconds: float) -> None:
        """Look at the run; called several times a second."""


class Runner(Protocol):
    """Something that runs configurations, one after another."""

    def run(self, request: Request, watch: Watch) -> Ended:
        """Run one configuration for its seconds, or until there is enough. Ctrl-C ends it: it is *cancelled*."""
