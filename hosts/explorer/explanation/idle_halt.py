"""A pCPU that halts although a task waits for it (C13): which request to look it has missed, or was never sent.

Whoever queues a task sets ``need_resched`` of the pCPU behind that, and then sends the reschedule IPI. The idle task
looks at ``need_resched`` with interrupts off before it halts; the scheduler clears it before it looks at the queue.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.vectors import RESCHEDULE_VECTOR
from hosts.explorer.explanation.query import EventLog, Test
from hosts.explorer.explanation.rows import EventRow
from hosts.kernel_names import vector_text, vectors_text


class IdleHalt:
    """What waits for the pCPU, and the step to blame, in clauses; empty if the steps do not show it."""

    def __init__(self, log: EventLog) -> None:
        self.log, self.rows = log, log.rows
        fired = log.last(lambda row: row.act.kind == "sighting")
        self.fires = log.witness.check == "C13" and fired >= 0
        self.idle = self.rows[fired].act.thread if self.fires else -1
        """The idle task of the pCPU that halts, as an actor."""
        self.cpu = self.idle - log.vcpus
        self.asked = log.last(self._flag("OR"))
        """The row that set its ``need_resched`` last."""
        self.queued = log.last(self._queues)
        """The row that put a task on its run queue last."""

    def _flag(self, *kinds: str) -> Test:
        word = f"pcpu{self.cpu}.rq.need_resched"
        return lambda row: row.act.word == word and row.act.kind in kinds

    def _queues(self, row: EventRow) -> bool:
        if not self.fires:
            return False
        return bool(set(row.view["queued"][self.cpu]) - set(row.before["queued"][self.cpu]))

    def outcome(self) -> str:
        """Say which pCPU halts, and what waits for it."""
        waits = self.log.end["queued"][self.cpu]
        who = ", ".join(f"vCPU {each}" for each in waits) or "no task"
        is_set = self.asked > self.log.last(self._flag("AND"))
        flag = "need_resched set" if is_set else "need_resched clear"
        coming = [vector for target, vector in self.log.end["flight"] if target == self.cpu]
        coming += self.log.end["pending"][self.cpu]
        ends = f"still to be taken: {vectors_text(coming)}" if coming else "no IPI that would end it is on its way"
        return f"pCPU {self.cpu} halts with {who} on its run queue and {flag}; {ends}."

    def history(self) -> Iterator[str]:
        """Say who queued the task that waits, and who asked for the pCPU."""
        put = f"{self._who(self.queued)} put the task there ({self.log.step(self.queued)})" if self.queued >= 0 else ""
        if self.asked < 0:
            yield from [f"{put}."] if put else ()
            return
        found = "found need_resched set already" if self.rows[self.asked].act.answer else "set need_resched"
        found += f" ({self.log.step(self.asked)})."
        who = self._who(self.asked)
        yield (
            f"{put} and {found}" if put.startswith(f"{who} ") else f"{put}. {who} {found}" if put else f"{who} {found}"
        )

    def _who(self, i: int) -> str:
        return self.log.who(self.rows[i].act.thread)

    def cause(self) -> str:
        """Name the step to blame."""
        return (self._taken_late() or self._untold() or self._looked_before()) if self.fires else ""

    def _taken_late(self) -> str:
        """The request to look was taken behind the look at the queue."""
        cleared = self.log.last(self._flag("AND"))
        word = f"pcpu{self.cpu}.rq.queued"
        mine = self.rows[cleared].act.thread if cleared >= 0 else -1
        look = self.log.last(lambda row: (row.act.thread, row.act.word, row.act.kind) == (mine, word, "LOAD"))
        if not 0 <= look < self.queued < cleared or not self.rows[cleared].act.answer:
            return ""
        return (
            f"{self.log.step(cleared)} cleared need_resched without a look at the queue behind it: the last one, "
            f"{self.log.told(look)}, came before {self.log.step(self.queued)} put the task there"
        )

    def _untold(self) -> str:
        """Another pCPU asked for this one and sent no IPI."""
        if self.asked < 0 or self.rows[self.asked].act.answer or self._here(self.asked):
            return ""
        t = self.rows[self.asked].act.thread
        sent = self.log.first(
            lambda row: (row.act.thread, row.act.kind, row.act.a) == (t, "SEND", self.cpu), self.asked
        )
        if sent >= 0:
            return ""
        ipi = vector_text(RESCHEDULE_VECTOR)
        return f"nobody sent pCPU {self.cpu} the reschedule IPI {ipi} behind {self.log.step(self.asked)}"

    def _here(self, i: int) -> bool:
        """Return whether a row is of the pCPU that halts."""
        t = self.rows[i].act.thread
        return t == self.idle or (t < self.log.vcpus and self.rows[i].before["runs"][self.cpu] == t)

    def _looked_before(self) -> str:
        """The idle task halts on a look that came before the request; an interrupt came in between."""
        look = self.log.last(lambda row: row.act.thread == self.idle and self._flag("LOAD")(row), self.asked)
        taken = self.log.first(lambda row: row.act.thread == self.idle and row.act.kind == "ACK", look)
        if not 0 <= look < taken < self.asked:
            return ""
        vector = vector_text(self.rows[taken].act.answer)
        return (
            f"the idle task looked too early, {self.log.told(look)}, with interrupts on behind it: {vector} was taken "
            f"({self.log.step(taken)}), and {self.log.step(self.asked)} asked for the pCPU before it halted"
        )
