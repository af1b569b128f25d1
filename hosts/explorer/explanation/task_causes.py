"""Causes that the scheduler's half has: a post that SN suppressed, a notification that wakes nobody."""

from __future__ import annotations

from typing import Final

from emu.kvm_host import TASK_ASLEEP
from emu.posted_intr import POSTED_INTR_SN
from emu.vectors import POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR
from hosts.explorer.explanation.control_word import fields_of
from hosts.explorer.explanation.query import CONTROL, EventLog
from hosts.explorer.explanation.rows import EventRow
from hosts.kernel_names import vector_text, vectors_text

_UNSEEN: Final = ("C1", "C2", "C4", "C7")
"""Checks that fire when a vCPU does not look at what was posted."""


class TaskCauses:
    """Candidates for the step to blame where vCPUs are tasks, each a clause, or empty if the steps do not show it."""

    def __init__(self, log: EventLog) -> None:
        self.log, self.rows, self.end, self.v, self.vcpu = log, log.rows, log.end, log.v, log.vcpu
        self.check, self.has_tasks = log.witness.check, "runs" in log.end

    def suppressed(self) -> str:
        """SN was set when a device posted, so that nobody was notified, and nothing made up for it."""
        post = self.log.last(self.log.posts)
        if self.check not in _UNSEEN or not self.has_tasks or post < 0:
            return ""
        t = self.rows[post].act.thread
        found = self.log.first(self.log.does(t, CONTROL, "LOAD"), post)
        if found < 0 or not self.rows[found].act.answer >> POSTED_INTR_SN & 1:
            return ""
        on = self.log.first(self.log.turned("on", 1, 1), post)
        if on >= 0:
            return ""
        set_in = self.log.last(self.log.turned("sn", 1, 1), post)
        text = "SN was set from the start"
        if set_in >= 0:
            text = f"{self.log.who(self.rows[set_in].act.thread)} set SN ({self.log.step(set_in)})"
        text += f", so that the post of {self.log.step(post)} set no ON and notified nobody"
        cleared = self.log.first(self.log.turned("sn", 1, 0), found)
        if cleared < 0:
            return f"{text}, and nothing has cleared SN since{self._sleeps()}"
        pir = vectors_text(self.rows[cleared].view["vcpus"][self.v]["pir"])
        look = self.log.first(self.log.looks(CONTROL), cleared)
        missed = f", and the look of {self.log.step(look)} found ON clear" if look >= 0 else ""
        return f"{text}; {self.log.step(cleared)} cleared SN with {pir} in the PIR, and nothing set ON then{missed}"

    def _sleeps(self) -> str:
        """Say how a vCPU that sleeps is to be woken by whoever posts without KVM."""
        seen = self.end["vcpus"][self.v]
        if seen["task"] != TASK_ASLEEP:
            return ""
        lists = [cpu for cpu, vcpus in enumerate(self.end["listed"]) if self.v in vcpus]
        where = "the list of pCPU " + " ".join(map(str, lists)) if lists else "no wake-up list"
        return f": {self.vcpu} sleeps with NV {vector_text(fields_of(seen['control'])['NV'])}, on {where}"

    def unwoken(self) -> str:
        """A sleeper was notified by the ordinary vector, and nothing wakes it for that."""
        sent = self.log.last(lambda row: row.act.kind == "SEND" and row.act.b == POSTED_INTR_VECTOR)
        if self.check not in ("C2", "C7") or not self.has_tasks or sent < 0 or self.v in self.end["runs"]:
            return ""
        cpu = self.rows[sent].act.a
        taken = self.log.first(lambda row: row.act.kind == "ACK" and row.act.answer == POSTED_INTR_VECTOR, sent)
        if taken >= 0 and self.rows[taken].act.function == "external_interrupt":
            return ""
        told = f"{self.log.step(sent)} sent {vector_text(POSTED_INTR_VECTOR)} to pCPU {cpu}, as NV was then"
        told += f" (taken in {self.log.step(taken)})" if taken >= 0 else ""
        wakeup = self.log.last(lambda row: self._nv(row, before=True) != self._nv(row) == POSTED_INTR_WAKEUP_VECTOR)
        if wakeup > sent:
            return (
                f"{told}, which wakes nobody; {self.log.step(wakeup)} changed NV to "
                f"{vector_text(POSTED_INTR_WAKEUP_VECTOR)} with ON set already, and nothing sent that vector behind it"
            )
        return f"{told}, which wakes nobody{self._assigned()}"

    def _nv(self, row: EventRow, *, before: bool = False) -> int:
        view = row.before if before else row.view
        return fields_of(view["vcpus"][self.v]["control"])["NV"]

    def _assigned(self) -> str:
        """Say that a sleeper was not woken when a device was assigned, so that its NV stayed as it was."""
        put = self.log.last(lambda row: (row.act.thread, row.act.word, row.act.answer) == (self.v, "bypass", 0))
        assigned = self.log.first(lambda row: row.act.word == "bypass" and row.act.kind == "OR", put)
        if min(put, assigned) < 0:
            return ""
        return (
            f": {self.vcpu} had left its NV when it went to sleep, with no device assigned ({self.log.step(put)}), and "
            f"{self.log.who(self.rows[assigned].act.thread)}, which assigned one ({self.log.step(assigned)}), has not "
            "woken it to change it"
        )
