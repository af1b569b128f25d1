"""Missed syncs: which obligation was created, why no notification was sent, and which sync came too early or never.

An *obligation* is created by setting ON, or by a request with a kick: from then on the vCPU has to look at its PIR, or
at its requests. A *look* is its read of the control word, or of ``requests``.
"""

from __future__ import annotations

from typing import Any, Final

from emu.kvm_host import KICKED_REQUESTS, TASK_RUNNING
from emu.vectors import POSTED_INTR_VECTOR
from hosts.explorer.explanation.act import Act, View
from hosts.explorer.explanation.format import field_of
from hosts.explorer.explanation.query import CONTROL, EventLog
from hosts.explorer.explanation.rows import EventRow
from hosts.kernel_names import vector_text

DEBTS: Final = ("C1", "C2", "C7", "C9")
"""Checks that fire when an obligation was not met."""
_ASKED: Final = ("mode", "wait.task", "wait.state")
"""Words by which a vCPU publishes how it is to be notified."""


class MissedSyncs:
    """Obligations and the syncs that should have met them. Texts are a clause, or empty if the steps do not show it."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.witness, self.rows, self.end, self.v = log.witness, log.rows, log.end, log.v

    def obligation(self) -> tuple[int, str]:
        """Return the row that created the obligation, or -1, and what that row did."""
        if self.witness.check == "C9":
            return self.log.last(self.log.turned("requests", KICKED_REQUESTS, 1)), "the request was made"
        return self.log.last(self.log.turned("on", 1, 1)), "ON was set"

    @property
    def looked_at(self) -> str:
        """The word that the vCPU reads to find an obligation."""
        return "requests" if self.witness.check == "C9" else CONTROL

    def last_look(self, before: int | None = None) -> int:
        """Return the row of the vCPU's last look, or -1."""
        return self.log.last(self.log.looks(self.looked_at), before)

    def end_of_root(self) -> int:
        """Return the row of the last VM-entry or of going to sleep, or -1."""
        return self.log.last(lambda row: row.act.thread == self.v and (row.act.kind == "entry" or self.log.sleeps(row)))

    # --- the sender ----------------------------------------------------------------------------------------------

    def reads(self, thread: int, i: int) -> list[int]:
        """Return the rows with which a sender has read what its delivery or request depends on, the last one last."""
        start, until = self.log.delivery(thread, i)
        return [k for k in range(max(start, 0), until) if self._decides(thread, self.rows[k], self.rows[i].act.word)]

    def _decides(self, thread: int, row: EventRow, announced: str) -> bool:
        act = row.act
        field = field_of(act.word)[1]
        own = act.thread != thread or act.function == "kvm_vcpu_exit_request"
        if own or act.word == announced or field.startswith("pi_desc.pir"):
            return False
        return act.kind == "LOAD" or (field in _ASKED and act.kind in ("CMPXCHG", "XCHG"))

    def last_read(self, thread: int, i: int) -> int:
        """Return the last of these rows, or -1."""
        return max(self.reads(thread, i), default=-1)

    def is_silent(self, thread: int, i: int) -> bool:
        """Return whether a sender has neither sent an IPI nor woken the task for an obligation."""
        start, until = self.log.delivery(thread, i)
        woken = self.log.first(lambda row: self._wakes(thread, row), start, until)
        return woken < 0 and self.log.first(lambda row: _sends(thread, row), start, until) < 0

    def _wakes(self, thread: int, row: EventRow) -> bool:
        return self.log.does(thread, "wait.state", "XCHG")(row) and row.act.answer != TASK_RUNNING

    def silence(self, thread: int, i: int) -> str:
        """Name the branch by which a sender sent no notification, and the value that it had read."""
        if not self.is_silent(thread, i):
            return ""
        start, until = self.log.delivery(thread, i)
        branches = self.log.branches(thread, max(start, 0), until)
        read = self.last_read(thread, i)
        parts = [f"what it read last, {self.log.told(read)} in {self.rows[read].act.function}"] if read >= 0 else []
        if branches:
            last = branches[-1]
            parts.append(f"the branch `{last['text']}` of {last['function']}, {last['file']}:{last['line']}")
        if not parts:
            return ""
        return f"What kept it silent: {' and '.join(parts)}."

    def early(self) -> str:
        """The mode was read before the obligation was created; a store that waited in a buffer is another cause."""
        i, what = self.obligation()
        if i < 0 or self.witness.check not in DEBTS or self.rows[i].act.kind == "drain":
            return ""
        t = self.rows[i].act.thread
        mode = self.log.first(lambda row: self.log.reads_mode(row, t), self.log.delivery(t, i)[0], i)
        if mode < 0:
            return ""
        return f"the mode was read before {what} in {self.log.step(i)}: it was found {self.log.found(mode)}"

    # --- the look ------------------------------------------------------------------------------------------------

    def too_early(self) -> str:
        """The vCPU looked before it published its mode, so that a sender in between sent no notification."""
        i, _what = self.obligation()
        look = self.last_look()
        if self.witness.check not in DEBTS or not 0 <= look < i or not self.is_silent(self.rows[i].act.thread, i):
            return ""
        t = self.rows[i].act.thread
        for read in self.reads(t, i):
            act = self.rows[read].act
            says = self.log.first(lambda row, act=act: _says(row, self.v, act), look)  # type: ignore[misc]
            exits = self.log.first(lambda row: (row.act.thread, row.act.kind) == (self.v, "exit"), look, says)
            if field_of(act.word)[1] in _ASKED and says >= 0 > exits and not self._seen_before(read, says):
                return (
                    f"the look of {self.log.step(look)} came too early, before {self.log.told(says)}: "
                    f"{self.log.who(t)}, which came in between, still found {self.log.found(read)}"
                )
        return ""

    def _seen_before(self, read: int, says: int) -> bool:
        """Return whether the published value was in memory when it was read."""
        act = self.rows[says].act
        arrived = says
        if self.witness.buffer and act.kind == "STORE":
            drained = self.log.first(
                lambda row: (row.act.thread, row.act.kind, row.act.word) == (self.v, "drain", act.word), says
            )
            arrived = drained if drained >= 0 else len(self.rows)
        return arrived < read

    def consumed(self) -> str:
        """ON was set, seen and cleared before the bit that it announces was in the PIR."""
        post = self.log.last(self.log.posts)
        if post < 0:
            return ""
        t = self.rows[post].act.thread
        begun = self.log.last(self.log.does(t, CONTROL, "OR"), post)
        cleared = self.log.first(self.log.turned("on", 1, 0), begun, post) if begun >= 0 else -1
        again = self.log.first(self.log.does(t, CONTROL, "OR"), post)
        if cleared < 0 or again >= 0 or self.end["vcpus"][self.v]["on"]:
            return ""
        return (
            f"{self.log.step(cleared)} consumed the ON that {self.log.who(t)} had set or found set in "
            f"{self.log.step(begun)}, before the bit that it announces was in the PIR "
            f"({self.log.step(post)}): the look came too early"
        )

    def passed_over(self) -> str:
        """The vector had been moved to the vIRR, and the vCPU went to sleep on it: the block check did not count it."""
        seen = self.end["vcpus"][self.v]
        vector, look = self.witness.vector, self.last_look()
        if self.witness.check != "C2" or look < 0 or vector not in seen["virr"] or vector in seen["pir"]:
            return ""
        came = self.log.last(
            lambda row: vector in self._of(row.view, "virr") and vector not in self._of(row.before, "virr")
        )
        text = f"{vector_text(vector)} was in the vIRR" + (f" since {self.log.step(came)}" if came >= 0 else "")
        text += f", and the block check with the look of {self.log.step(look)} did not count it"
        stale, now = self._of(self.rows[look].view, "ppr"), self._of(self.rows[look].view, "visr")
        if stale & 0xF0 >= vector & 0xF0 and not now:
            served = self.log.last(
                lambda row: bool(self._of(row.before, "visr")) and not self._of(row.view, "visr"), look
            )
            since = f" (since {self.log.step(served)})" if served >= 0 else ""
            return f"{text}: PPR was stale, {vector_text(stale)} with nothing in service{since}"
        other = self.log.last(self._odd_read)
        read = f" and {self.log.told(other)}" if other > came else ""
        return f"{text}, though PPR was {vector_text(stale)}: it read {self.log.told(look)}{read}"

    def _odd_read(self, row: EventRow) -> bool:
        """Return whether the vCPU reads a word that a block check does not read in KVM."""
        field = field_of(row.act.word)[1]
        known = field in (*_ASKED, "requests", CONTROL) or field.startswith("pi_desc.pir")
        return row.act.thread == self.v and row.act.kind == "LOAD" and not known

    def _of(self, view: View, name: str) -> Any:
        return view["vcpus"][self.v][name]

    def in_root(self) -> str:
        """The notification was taken in root mode, behind the last look."""
        i, _what = self.obligation()
        end = self.end_of_root()
        sent = (
            self.log.first(lambda row: row.act.kind == "SEND" and row.act.b == POSTED_INTR_VECTOR, i) if i >= 0 else -1
        )
        taken = self.log.first(lambda row: _takes(self.v, row), sent) if sent >= 0 else -1
        if self.witness.check not in DEBTS or taken < 0 or self.rows[taken].act.function == "external_interrupt":
            return ""
        if self.last_look() > taken:
            return ""
        where = f"in root mode ({self.log.step(taken)})"
        text = f"the notification of {self.log.step(sent)} was taken {where}, where it touches "
        if end < taken:
            return f"{text}no descriptor, and there is no sync behind that"
        what = "VM-entry" if self.rows[end].act.kind == "entry" else "sleep"
        return f"{text}no descriptor, and there is no sync between that and the {what} of {self.log.step(end)}"

    def unlooked(self) -> str:
        """No look came between the obligation and the VM-entry or sleep, or the obligation came too late for one."""
        i, _what = self.obligation()
        end = self.end_of_root()
        missing = "look at the requests" if self.witness.check == "C9" else "sync"
        looked = self.log.first(self.log.looks(self.looked_at), i)
        if self.witness.check not in DEBTS or min(i, end) < 0 or looked >= 0:
            return ""
        what = "VM-entry" if self.rows[end].act.kind == "entry" else "sleep"
        if end > i:
            return f"there is no {missing} between {self.log.step(i)} and the {what} of {self.log.step(end)}"
        t = self.rows[i].act.thread
        if not self.is_silent(t, i):
            return ""
        read = self.last_read(t, i)
        why = f", which had read {self.log.told(read)}," if read >= 0 else ""
        return (
            f"{self.log.step(i)} came after the {what} of {self.log.step(end)}, and {self.log.who(t)}{why} told nobody"
        )


def _sends(thread: int, row: EventRow) -> bool:
    return row.act.thread == thread and row.act.kind == "SEND"


def _takes(thread: int, row: EventRow) -> bool:
    return (row.act.thread, row.act.kind, row.act.answer) == (thread, "ACK", POSTED_INTR_VECTOR)


def _says(row: EventRow, thread: int, read: Act) -> bool:
    """Return whether a thread stores to a word another value than a sender has read."""
    act = row.act
    return (act.thread, act.kind, act.word) == (thread, "STORE", read.word) and act.a != read.answer
