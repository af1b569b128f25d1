"""A task that is resumed while another pCPU still runs on its stack (C14): who let it go there with no look at it.

A pCPU clears ``on_cpu`` of a task when it has switched away from it. Until then the task waits on no other pCPU's run
queue: who wakes it leaves it where it is, who wants to pull it to another pCPU leaves it alone.
"""

from __future__ import annotations

from hosts.explorer.explanation.act import View
from hosts.explorer.explanation.query import EventLog
from hosts.explorer.explanation.rows import EventRow


class EarlyResume:
    """Where the task is, and the step to blame; the latter is empty if the steps do not show it."""

    def __init__(self, log: EventLog) -> None:
        self.log, self.rows, self.v, self.vcpu = log, log.rows, log.v, log.vcpu
        self.on = [cpu for cpu, runs in enumerate(log.end.get("runs", ())) if runs == log.v]
        self.came = log.last(self._comes)
        """The row with which it came to the second pCPU."""

    def _comes(self, row: EventRow) -> bool:
        before, after = self._runs(row.before), self._runs(row.view)
        return before != after and after.count(self.v) > before.count(self.v)

    def _runs(self, view: View) -> list[int]:
        return list(view.get("runs", ()))

    def _pcpus(self) -> tuple[int, int]:
        """Return the pCPU that resumes it, and the one that it has not left."""
        row = self.rows[self.came]
        new = next(cpu for cpu in self.on if self._runs(row.before)[cpu] != self.v)
        return new, next(cpu for cpu in self.on if cpu != new)

    def outcome(self) -> str:
        """Say where it is resumed, and where it still is."""
        if len(self.on) < 2 or self.came < 0:  # noqa: PLR2004 - it runs twice
            return f"The task of {self.vcpu} is resumed on one pCPU before another one has put it away."
        new, old = self._pcpus()
        return f"The task of {self.vcpu} is resumed on pCPU {new} while pCPU {old} has not yet switched away from it."

    def cause(self) -> str:
        """Name the steps that put it on a run queue and took it out, and what they had read of on_cpu."""
        if self.log.witness.check != "C14" or self.came < 0:
            return ""
        taken = self.log.last(lambda row: self._queued(row.before) and not self._queued(row.view), self.came)
        put = self.log.last(lambda row: not self._queued(row.before) and self._queued(row.view), taken)
        if min(put, taken) < 0:
            return ""
        woken = self.log.last(self._wakes, put)
        word = f"vcpu{self.v}.sched.on_cpu"
        look = self.log.last(lambda row: (row.act.word, row.act.kind) == (word, "LOAD"), taken)
        text = f"{self.log.step(put)} put the task on a run queue, {self.log.step(taken)} took it out for another pCPU"
        if look > woken:
            return f"{text}, though its stack was in use: {self.log.told(look)}"
        since = f" since it was woken ({self.log.step(woken)})" if woken >= 0 else ""
        return f"{text}, and nobody had looked at on_cpu{since}: its stack was still in use"

    def _queued(self, view: View) -> bool:
        return any(self.v in queue for queue in view.get("queued", ()))

    def _wakes(self, row: EventRow) -> bool:
        return (row.act.word, row.act.kind) == (f"vcpu{self.v}.wait.state", "XCHG")
