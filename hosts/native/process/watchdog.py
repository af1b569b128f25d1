"""Tells a pCPU that makes no progress from one that the machine does not let run.

No verdict about a race rests on this. A pCPU is *hung* when it has been on a processor for so long without a heartbeat,
or asleep without one, though every sleep of a pCPU is bounded by a millisecond; or when all could have run and
nothing in the whole machine has moved. Time in which it was stopped (a signal, a debugger), waited for a processor, or
had its processor stolen by the host below, does not count, nor does time in which the watchdog itself did not run: then
the run is labelled, and that is all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hosts.native.memory.region import SharedMemory
from hosts.procfs import STOPPED, ThreadStat, main_thread, stolen_seconds

Advancing = Callable[[SharedMemory], int]
"""Gives a number that changes as long as anything in the machine goes on."""

STALL_SECONDS: Final = 1.0
"""A heartbeat that stands still for longer makes a run that has seen nothing untrustworthy, whatever the reason."""
LONGEST_STEP: Final = 0.2
"""Seconds that one look stands for at most: between two looks the watchdog may have been kept from running."""
ASLEEP: Final = 3
"""How many times as long a pCPU has to be asleep as it has to run, to be called hung."""
STILL: Final = 2
"""How many times as long nothing may move although every pCPU could have run: whom it is up to is not known."""
WAITED_SHARE: Final = 0.25
"""Share of a run that a pCPU waited for a processor, from which on the run is labelled with it."""


@dataclass
class _Watched:
    """One pCPU."""

    beat: int = -1
    since: float = 0.0
    """When the heartbeat was last seen to have moved."""
    last: ThreadStat | None = None
    """At the look before; None: not yet, or it was not silent then."""
    spun: float = 0.0
    """Seconds on a processor since the last heartbeat."""
    asleep: float = 0.0
    could: float = 0.0
    """Seconds that it ran, or could have, since anything in the machine has moved."""
    stopped: float = 0.0
    """Seconds that it was stopped, in the whole run."""
    waited_before: float = 0.0
    """Seconds that it had waited for a processor before the first look: to come up."""
    starved: float = 0.0
    """Seconds without a heartbeat in which it waited for a processor."""


class Watchdog:
    """Watches the pCPUs of one run; to be asked several times a second."""

    def __init__(self, memory: SharedMemory, hang_seconds: float, advancing: Advancing | None) -> None:
        """Say from how many seconds on a pCPU is hung (0: never), and how the machine shows that it goes on."""
        self._memory = memory
        self._hang_seconds = hang_seconds
        self._advancing = advancing
        self._watched: dict[int, _Watched] = {}
        self._looked: float | None = None
        self._stolen: Mapping[int, float] = {}
        self._moved: int | None = None
        self.stalled: set[int] = set()
        """pCPUs whose heartbeat stood still for longer than a second."""
        self.times: dict[int, tuple[float, float]] = {}
        """Seconds that each pCPU has run, and has waited for a processor."""
        self.away = 0.0
        """Seconds that the watchdog itself was kept from looking."""

    def look(self, now: float, pids: Mapping[int, int]) -> dict[int, str]:
        """Look at these pCPUs; give those that are hung, and how it was seen."""
        gap = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        if gap > STALL_SECONDS:
            self.away += gap
        step = min(gap, LONGEST_STEP)
        silent = [cpu for cpu, pid in pids.items() if self._look_at(cpu, pid, now, step)]
        self._stolen = stolen_seconds() if self._hang_seconds and (silent or self._advancing is not None) else {}
        hung = {cpu: text for cpu in silent if (text := self._hung(self._watched[cpu]))}
        return hung or self._all_hung(pids)

    def _look_at(self, cpu: int, pid: int, now: float, step: float) -> bool:
        """Look at one; tell whether it has been silent since the look before."""
        watched = self._watched.setdefault(cpu, _Watched(since=now))
        beat = self._memory.read(self._memory.host.cpus[cpu].heartbeat)
        moved, watched.beat = beat != watched.beat, beat
        seen, before = main_thread(pid), watched.last
        watched.last = seen
        if seen is None:
            return False
        if cpu not in self.times:
            watched.waited_before = seen.waited
        self.times[cpu] = (seen.ran, seen.waited)
        if moved:
            watched.since, watched.spun, watched.asleep = now, 0.0, 0.0
        elif now - watched.since > STALL_SECONDS:
            self.stalled.add(cpu)
        if before is not None:
            self._account(watched, before, seen, step, moved=moved)
        return not moved

    def _account(self, watched: _Watched, before: ThreadStat, seen: ThreadStat, step: float, *, moved: bool) -> None:
        """Say what the time since the look before was spent with."""
        ran, waited = seen.ran - before.ran, seen.waited - before.waited
        if seen.state in STOPPED:
            watched.stopped += step
            return
        stolen_meanwhile = self._stolen_since(seen.processor)
        if seen.state != "D":
            watched.could += max(0.0, step - waited - stolen_meanwhile)
        if moved:
            return
        if ran > 0:
            watched.spun += max(0.0, min(ran, step) - stolen_meanwhile)
        elif seen.state == "S" and waited == 0:
            watched.asleep += step
        elif waited > 0:
            watched.starved += step

    def _stolen_since(self, processor: int) -> float:
        before = self._stolen.get(processor)
        return stolen_seconds().get(processor, before) - before if before is not None else 0.0

    def _hung(self, watched: _Watched) -> str:
        limit = self._hang_seconds
        if limit and watched.spun >= limit:
            return f"ran for {watched.spun:.1f} s without a heartbeat"
        if limit and watched.asleep >= ASLEEP * limit:
            return f"slept for {watched.asleep:.1f} s without a heartbeat, and nobody had stopped it"
        return ""

    def _all_hung(self, pids: Iterable[int]) -> dict[int, str]:
        """Judge the machine as a whole: pCPUs that wait for each other for ever have a heartbeat."""
        if self._advancing is None or not self._hang_seconds:
            return {}
        watched = {cpu: self._watched[cpu] for cpu in pids}
        moved = self._advancing(self._memory)
        if moved != self._moved:
            self._moved = moved
            for each in watched.values():
                each.could = 0.0
            return {}
        least = min((each.could for each in watched.values()), default=0.0)
        if least < STILL * self._hang_seconds:
            return {}
        return dict.fromkeys(watched, f"nothing in the machine has moved for {least:.1f} s in which it could run")

    def stopped(self, pids: Mapping[int, int]) -> tuple[int, ...]:
        """Return those of these pCPUs that a signal has stopped, and that have been silent for it."""
        found = {cpu: main_thread(pid) for cpu, pid in pids.items() if cpu in self.stalled}
        return tuple(cpu for cpu, seen in found.items() if seen is not None and seen.state in STOPPED)

    def note_times(self, pids: Mapping[int, int]) -> None:
        """Note how long each of these pCPUs has run and waited so far."""
        for cpu, pid in pids.items():
            if (seen := main_thread(pid)) is not None:
                self.times[cpu] = (seen.ran, seen.waited)

    def kept(self, pids: Mapping[int, int]) -> dict[int, float]:
        """Return the seconds that each of these pCPUs was ready and not let run so far, or was stopped."""
        self.note_times(pids)
        stopped = {cpu: self._watched[cpu].stopped if cpu in self._watched else 0.0 for cpu in pids}
        return {cpu: stopped[cpu] + self.times.get(cpu, (0.0, 0.0))[1] for cpu in pids}

    def labels(self, seconds: float) -> tuple[str, ...]:
        """Say what the machine did to a run of so many seconds that its reader must know."""
        lines = []
        for cpu, watched in sorted(self._watched.items()):
            waited = self.times.get(cpu, (0.0, watched.waited_before))[1] - watched.waited_before
            if watched.stopped:
                lines.append(f"pCPU {cpu} was stopped for {watched.stopped:.1f} s")
            if cpu in self.stalled and watched.starved:
                lines.append(f"pCPU {cpu} got no processor for {watched.starved:.1f} s")
            if seconds and waited / seconds > WAITED_SHARE:
                lines.append(f"pCPU {cpu} waited {waited:.1f} s for a processor")
        if self.away:
            lines.append(f"the supervisor was kept from running for {self.away:.1f} s")
        return tuple(lines)
