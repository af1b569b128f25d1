"""The interface of a host: it runs one configuration, lets it be watched, and returns how it ended."""

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
    """The fault of the user's rule, as ``file:line: reason``; it is the crash then."""
    cancelled: bool = False
    stalled: tuple[int, ...] = ()
    """pCPUs that were stalled by the machine."""
    undelivered: tuple[Undelivered, ...] = ()
    """Messages that were counted at one end of the fabric only; valid only if the run ended cleanly."""


class Watch(Protocol):
    """What watches a run."""

    def enough(self, words: MachineWords) -> bool:
        """Return whether the run may end now; asked all the time."""

    def progress(self, words: MachineWords, seconds: float) -> None:
        """Look at the run; called several times a second."""


class Runner(Protocol):
    """Something that runs configurations, one after another."""

    def run(self, request: Request, watch: Watch) -> Ended:
        """Run one configuration for its seconds, or until there is enough. Ctrl-C ends it: it is *cancelled*."""
