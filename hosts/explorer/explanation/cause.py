"""The cause of a violation: the first of the known patterns that the events of the witness show."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.explorer.explanation.early_resume import EarlyResume
from hosts.explorer.explanation.format import field_of, name_of
from hosts.explorer.explanation.idle_halt import IdleHalt
from hosts.explorer.explanation.missed_syncs import MissedSyncs
from hosts.explorer.explanation.overwrites import overwritten, overwritten_text
from hosts.explorer.explanation.placement import Placement
from hosts.explorer.explanation.query import EventLog
from hosts.explorer.explanation.rows import EventRow
from hosts.explorer.explanation.task_causes import TaskCauses
from hosts.kernel_names import vector_text


class Cause:
    """Candidates for the step to blame, each a clause, or empty if the steps do not show it."""

    def __init__(self, log: EventLog) -> None:
        self.log, self.syncs = log, MissedSyncs(log)
        self.witness, self.rows, self.end, self.v, self.vcpu = log.witness, log.rows, log.end, log.v, log.vcpu

    def broke(self) -> Iterator[str]:
        """Name the step to blame: the first of the candidates that the steps show."""
        syncs, tasks = self.syncs, TaskCauses(self.log)
        causes = (
            *(Placement(self.log).cause, IdleHalt(self.log).cause, EarlyResume(self.log).cause),
            *(tasks.suppressed, tasks.unwoken),
            *(self._unwritten, self._notified, self._waiting, self._overwritten, syncs.early, syncs.too_early),
            *(self._missed, syncs.consumed, self._kept, self._uncovered, syncs.passed_over, syncs.in_root),
            syncs.unlooked,
        )
        for cause in causes:
            text = cause()
            if text:
                yield f"What broke it: {text}."
                return
        yield self._unknown()

    def entered(self) -> int:
        """Return the row of the VM-entry that a check fired at, or -1."""
        return self.log.last(lambda row: row.act.thread == self.v and row.act.kind == "entry")

    def came(self) -> int:
        """Return the row that put the highest vector into the vIRR, or -1."""
        highest = self.end["vcpus"][self.v]["virr"][-1:]

        def comes(row: EventRow) -> bool:
            before, after = row.before["vcpus"][self.v]["virr"], row.view["vcpus"][self.v]["virr"]
            return highest[0] in after and highest[0] not in before

        return self.log.last(comes) if highest else -1

    def rewritten(self) -> int:
        """Return the row that changed RVI last, or -1."""
        return self.log.last(lambda row: bool(row.before["vcpus"][self.v]["rvi"] != row.view["vcpus"][self.v]["rvi"]))

    def _unwritten(self) -> str:
        """RVI was not written behind the last change of the vIRR, or written wrong."""
        came, entry, rvi = self.came(), self.entered(), self.rewritten()
        if self.witness.check != "C3" or min(came, entry) < 0:
            return ""
        if rvi > came:
            now, there = vector_text(self.end["vcpus"][self.v]["rvi"]), self.log.step(entry)
            return f"RVI became {now} with {self.log.step(rvi)}, and nothing raised it before the VM-entry of {there}"
        return f"RVI was not written between {self.log.step(came)} and the VM-entry of {self.log.step(entry)}"

    def told_itself(self) -> int:
        """Return the row by which the vCPU notified itself behind its last post, or -1."""
        i = self.log.last(self.log.turned("on", 1, 1))
        return self.log.first(
            lambda row: (row.act.thread, row.act.kind, row.act.a) == (self.v, "SEND", self.v), i, len(self.rows)
        )

    def _notified(self) -> str:
        """A self-post sent what it should not have sent, or nothing."""
        i, sent = self.log.last(self.log.turned("on", 1, 1)), self.told_itself()
        if self.witness.check != "C8" or i < 0:
            return ""
        if sent >= 0:
            return f"{self.log.step(sent)} sent the notification that the rule leaves out"
        mode = self.log.first(lambda row: self.log.reads_mode(row, self.v), i)
        read = f", though it read IN_GUEST in {self.log.step(mode)}" if mode >= 0 else ""
        return f"behind {self.log.step(i)} {self.vcpu} sent no notification to itself{read}"

    def _waiting(self) -> str:
        """The thread that owes a notification waits, before it sends one, for a word that nothing changes."""
        i = self.log.last(self.log.turned("on", 1, 1))
        if self.witness.check != "no-progress" or i < 0:
            return ""
        t = self.rows[i].act.thread
        waits = self.log.waits().get(t, [])
        if not waits or self.log.first(lambda row: row.act.thread == t and row.act.kind == "SEND", i) >= 0:
            return ""
        name = name_of(field_of(self.rows[waits[0]].act.word)[1])
        return (
            f"{self.log.who(t)} waits in {self.log.step(waits[0])} for another {name} before it has told {self.vcpu} "
            f"anything, and nothing else makes {self.vcpu} look"
        )

    def _overwritten(self) -> str:
        """A plain store overwrote another thread's change of the word."""
        found = overwritten(self.log)
        return overwritten_text(self.log, found) if found is not None else ""

    def blamed(self) -> list[tuple[int, int]]:
        """Return the buffered stores and the loads that missed them: those the obligation depends on, else all."""
        missed = self.log.overlooked()
        i, _what = self.syncs.obligation()
        decide = {self.syncs.last_look(), self.syncs.last_read(self.rows[i].act.thread, i)} if i >= 0 else set()
        return [each for each in missed if each[0] in decide] or missed

    def blames_a_buffer(self) -> bool:
        """Return whether the explanation blames a store buffer."""
        found = overwritten(self.log)
        return bool(self.log.overlooked()) or (found is not None and found.arrived != found.store)

    def _missed(self) -> str:
        """A load did not see a store that waited in a buffer."""
        missed = self.blamed()
        return (
            f"{self.log.step(max(missed)[0])} did not see the store of {self.log.step(max(missed)[1])}"
            if missed
            else ""
        )

    def _kept(self) -> str:
        """The processor took the notification and left ON set."""
        i, _what = self.syncs.obligation()
        taken = self.log.first(lambda row: row.act.thread == self.v and row.act.function == "external_interrupt", i)
        if self.witness.check != "C1" or i < 0 or taken < 0 or self.log.first(self.log.turned("on", 1, 0), taken) >= 0:
            return ""
        return f"the processing of {self.log.step(taken)} left ON set, so that who posted behind it told nobody"

    def _uncovered(self) -> str:
        """ON was cleared behind the last look at the PIR."""
        cleared = self.log.last(self.log.turned("on", 1, 0))
        posted = self.log.last(self.log.posts)
        if self.witness.check != "C4" or min(cleared, posted) < 0:
            return ""
        looks = (self.log.does(self.v, f"pi_desc.pir[{i}]", "LOAD", "XCHG") for i in range(4))
        looked = max(self.log.last(test, cleared) for test in looks)
        if not 0 <= looked < posted < cleared:
            return ""
        read = f"the PIR had been read in {self.log.step(looked)}, before {self.log.step(posted)}"
        return f"{self.log.step(cleared)} cleared ON, though {read}"

    def _unknown(self) -> str:
        """Say that no candidate was found, and name the last post and the last look."""
        post, look = self.log.last(self.log.posts), self.syncs.last_look()
        last = [f"the last post is that of {self.log.step(post)}"] if post >= 0 else ["nothing was posted"]
        last += [f"the last look that of {self.log.step(look)}"] if look >= 0 else [f"{self.vcpu} never looked"]
        return f"What broke it is not known; {', '.join(last)}."
