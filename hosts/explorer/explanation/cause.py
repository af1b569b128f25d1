"""The step that broke it, found in the rows of a witness."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.explorer.explanation.format import field_of, name_of
from hosts.explorer.explanation.missed_syncs import Looks
from hosts.explorer.explanation.overwrites import overwritten, overwritten_text
from hosts.explorer.explanation.rows import Line
from hosts.kernel_names import vector_text


class Cause(Looks):
    """Causes, each a sentence or nothing."""

    def broke(self) -> Iterator[str]:
        """Name the step that broke it: the first of these that the steps show."""
        causes = (
            *(self._unwritten, self._notified, self._waiting, self._overwritten, self.early, self.too_early),
            *(self._missed, self.consumed, self._kept, self._uncovered, self.passed_over, self.in_root, self.unlooked),
        )
        for cause in causes:
            text = cause()
            if text:
                yield f"What broke it: {text}."
                return
        yield self._unknown()

    def entered(self) -> int:
        """Give the row of the VM-entry that a check fired at, or -1."""
        return self.last(lambda row: row.act.thread == self.v and row.act.kind == "entry")

    def came(self) -> int:
        """Give the row with which the highest vector of the vIRR got there, or -1."""
        highest = self.end["vcpus"][self.v]["virr"][-1:]

        def comes(row: Line) -> bool:
            before, after = row.before["vcpus"][self.v]["virr"], row.view["vcpus"][self.v]["virr"]
            return highest[0] in after and highest[0] not in before

        return self.last(comes) if highest else -1

    def rewritten(self) -> int:
        """Give the row with which RVI changed last, or -1."""
        return self.last(lambda row: bool(row.before["vcpus"][self.v]["rvi"] != row.view["vcpus"][self.v]["rvi"]))

    def _unwritten(self) -> str:
        """RVI was not written behind the last change of the vIRR, or written wrong."""
        came, entry, rvi = self.came(), self.entered(), self.rewritten()
        if self.witness.check != "C3" or min(came, entry) < 0:
            return ""
        if rvi > came:
            now, there = vector_text(self.end["vcpus"][self.v]["rvi"]), self.step(entry)
            return f"RVI became {now} with {self.step(rvi)}, and nothing raised it before the VM-entry of {there}"
        return f"RVI was not written between {self.step(came)} and the VM-entry of {self.step(entry)}"

    def told_itself(self) -> int:
        """Give the row with which the vCPU notified itself behind its last post, or -1."""
        i = self.last(self.turned("on", 1, 1))
        return self.first(
            lambda row: (row.act.thread, row.act.kind, row.act.a) == (self.v, "SEND", self.v), i, len(self.rows)
        )

    def _notified(self) -> str:
        """A self-post sent what it should not have sent, or nothing."""
        i, sent = self.last(self.turned("on", 1, 1)), self.told_itself()
        if self.witness.check != "C8" or i < 0:
            return ""
        if sent >= 0:
            return f"{self.step(sent)} sent the notification that the rule leaves out"
        mode = self.first(lambda row: self.reads_mode(row, self.v), i)
        read = f", though it read IN_GUEST in {self.step(mode)}" if mode >= 0 else ""
        return f"behind {self.step(i)} {self.vcpu} sent no notification to itself{read}"

    def _waiting(self) -> str:
        """Who owes the look waits, before it has told anybody, for what nothing changes."""
        i = self.last(self.turned("on", 1, 1))
        if self.witness.check != "no-progress" or i < 0:
            return ""
        t = self.rows[i].act.thread
        waits = self.waits().get(t, [])
        if not waits or self.first(lambda row: row.act.thread == t and row.act.kind == "SEND", i) >= 0:
            return ""
        name = name_of(field_of(self.rows[waits[0]].act.word)[1])
        return (
            f"{self.who(t)} waits in {self.step(waits[0])} for another {name} before it has told {self.vcpu} anything, "
            f"and nothing else makes {self.vcpu} look"
        )

    def _overwritten(self) -> str:
        """A word was changed by a plain store that undid what somebody else had done to it."""
        found = overwritten(self)
        return overwritten_text(self, found) if found is not None else ""

    def blamed(self) -> list[tuple[int, int]]:
        """Give the stores that waited and the loads that missed them: those on which the debt hangs, else all."""
        missed = self.overlooked()
        i, _what = self.promise()
        decide = {self.last_look(), self.last_read(self.rows[i].act.thread, i)} if i >= 0 else set()
        return [each for each in missed if each[0] in decide] or missed

    def blames_a_buffer(self) -> bool:
        """Tell whether the story would be another if no store waited."""
        found = overwritten(self)
        return bool(self.overlooked()) or (found is not None and found.arrived != found.store)

    def _missed(self) -> str:
        """A load did not see a store that waited in a buffer."""
        missed = self.blamed()
        return f"{self.step(max(missed)[0])} did not see the store of {self.step(max(missed)[1])}" if missed else ""

    def _kept(self) -> str:
        """The processor took the notification and left ON set."""
        i, _what = self.promise()
        taken = self.first(lambda row: row.act.thread == self.v and row.act.function == "external_interrupt", i)
        if self.witness.check != "C1" or i < 0 or taken < 0 or self.first(self.turned("on", 1, 0), taken) >= 0:
            return ""
        return f"the processing of {self.step(taken)} left ON set, so that who posted behind it told nobody"

    def _uncovered(self) -> str:
        """ON was cleared behind the last look at the PIR."""
        cleared = self.last(self.turned("on", 1, 0))
        posted = self.last(self.posts)
        if self.witness.check != "C4" or min(cleared, posted) < 0:
            return ""
        looks = (self.does(self.v, f"pi_desc.pir[{i}]", "LOAD", "XCHG") for i in range(4))
        looked = max(self.last(test, cleared) for test in looks)
        if not 0 <= looked < posted < cleared:
            return ""
        read = f"the PIR had been read in {self.step(looked)}, before {self.step(posted)}"
        return f"{self.step(cleared)} cleared ON, though {read}"

    def _unknown(self) -> str:
        """Say that nothing above was found, and what the steps show of looks and posts."""
        post, look = self.last(self.posts), self.last_look()
        last = [f"the last post is that of {self.step(post)}"] if post >= 0 else ["nothing was posted"]
        last += [f"the last look that of {self.step(look)}"] if look >= 0 else [f"{self.vcpu} never looked"]
        return f"What broke it is not known; {', '.join(last)}."
