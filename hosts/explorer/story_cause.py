"""The step that broke it, found in the rows of a witness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from emu.kvm_main import KICKED_REQUESTS
from hosts.explorer.story import Line
from hosts.explorer.story_acts import Act
from hosts.explorer.story_track import CONTROL, Track
from hosts.explorer.story_words import field_of, name_of
from hosts.vectors import vector_text

DEBTS: Final = ("C1", "C2", "C7", "C9")
"""Checks that fire when a look that was owed was not taken."""


class Cause(Track):
    """Causes, each a sentence or nothing."""

    def broke(self) -> Iterator[str]:
        """Name the step that broke it: the first of these that the steps show."""
        causes = (
            *(self._unwritten, self._notified, self._waiting, self._torn, self.early, self._missed, self._kept),
            *(self._uncovered, self._unlooked),
        )
        for cause in causes:
            text = cause()
            if text:
                yield f"What broke it: {text}."
                return

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

    def _torn(self) -> str:
        """A word was changed by load and store, and somebody else did something to it in between."""
        for i in reversed(range(len(self.rows))):
            act = self.rows[i].act
            if act.kind != "STORE" or act.own or not field_of(act.word)[1].startswith("pi_desc."):
                continue
            read = self.last(lambda row, act=act: _touches(row, act) and row.act.kind == "LOAD", i)  # type: ignore[misc]
            end = self.first(lambda row, act=act: _touches(row, act) and row.act.kind == "drain", i)  # type: ignore[misc]
            between = self.first(lambda row, act=act: _disturbs(row, act), read, end if end >= 0 else None)  # type: ignore[misc]
            if read >= 0 and between >= 0:
                arrives = f", in memory with {self.step(end)}" if end >= 0 else ", still in its buffer"
                other = self.who(self.rows[between].act.thread)
                name = name_of(field_of(act.word)[1])
                return (
                    f"{self.who(act.thread)} changed {name} by a load ({self.step(read)}) and a store ({self.step(i)}"
                    f"{arrives}), and {other} got in between ({self.step(between)})"
                )
        return ""

    def _missed(self) -> str:
        """A load did not see a store that waited in a buffer."""
        missed = self.overlooked()
        return f"{self.step(max(missed)[0])} did not see the store of {self.step(max(missed)[1])}" if missed else ""

    def _promise(self) -> tuple[int, str]:
        """Give the row by which somebody came to owe the vCPU a look, and what that row did."""
        if self.witness.check == "C9":
            return self.last(self.turned("requests", KICKED_REQUESTS, 1)), "the request was made"
        return self.last(self.turned("on", 1, 1)), "ON was set"

    def early(self) -> str:
        """The mode was read before the promise; one that waited in a buffer is another cause."""
        i, what = self._promise()
        if i < 0 or self.witness.check not in DEBTS or self.rows[i].act.kind == "drain":
            return ""
        t = self.rows[i].act.thread
        mode = self.within(self.delivery(t, i)[0], i, lambda row: self.reads_mode(row, t))
        return f"the mode was read in {self.step(mode)}, before {what} in {self.step(i)}" if mode >= 0 else ""

    def _kept(self) -> str:
        """The processor took the notification and left ON set."""
        i, _what = self._promise()
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

    def _unlooked(self) -> str:
        """There was no look between the promise and the entry or the sleep, or the promise came too late for one."""
        i, _what = self._promise()
        end = self.last(lambda row: row.act.thread == self.v and (row.act.kind == "entry" or self.sleeps(row)))
        field, missing = ("requests", "look at the requests") if self.witness.check == "C9" else (CONTROL, "sync")
        looked = self.first(self.does(self.v, field, "LOAD"), i)
        if self.witness.check not in DEBTS or min(i, end) < 0 or looked >= 0:
            return ""
        what = "VM-entry" if self.rows[end].act.kind == "entry" else "sleep"
        if end > i:
            return f"there is no {missing} between {self.step(i)} and the {what} of {self.step(end)}"
        return f"{self.step(i)} came after the {what} of {self.step(end)}, and nobody made {self.vcpu} look"


def _touches(row: Line, act: Act) -> bool:
    return row.act.thread == act.thread and row.act.word == act.word


def _disturbs(row: Line, act: Act) -> bool:
    return row.act.thread != act.thread and row.act.word == act.word and row.act.kind not in ("LOAD", "STORE")
