"""Where a vCPU is notified, against where it is (C6): what of SN, NV, NDST and the wake-up lists is wrong, and why.

While a vCPU runs its notifications come to its pCPU, and it is on no list. Asleep it is on the list of NDST's pCPU if
NV is the wake-up vector, and else on none. Its own task writes all of this when it comes to a pCPU and when it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from hosts.explorer.explanation.act import View
from hosts.explorer.explanation.control_word import fields_of
from hosts.explorer.explanation.query import CONTROL, EventLog
from hosts.explorer.explanation.rows import EventRow
from hosts.kernel_names import vector_text


class Placement:
    """What does not fit at the end, in clauses."""

    def __init__(self, log: EventLog) -> None:
        self.log, self.rows, self.end, self.v, self.vcpu = log, log.rows, log.end, log.v, log.vcpu
        self.fields = self._fields(log.end)
        self.lists = [cpu for cpu, vcpus in enumerate(log.end.get("listed", ())) if self.v in vcpus]
        self.came = log.last(self._comes)
        """The row with which it came to the pCPU on which it runs, or has run last; -1: none."""
        self.ran = self._pcpu(self.rows[self.came].view) if self.came >= 0 else -1
        """That pCPU."""
        self.runs = self._pcpu(log.end) >= 0

    def outcome(self) -> str:
        """Say where the vCPU is, and what does not fit."""
        where = f"enters the guest on pCPU {self.ran}" if self.runs else "sleeps"
        listed = [f"it is on the wake-up list of pCPU {cpu}" for cpu in self.lists]
        if self.runs:
            wrong = [f"{self._value(name)}, so that {self._follows(name)}" for name in self._wrong()] + listed
            return f"{self.vcpu} {where}, but {' and '.join(wrong)}."
        nv, ndst = vector_text(self.fields["NV"]), self.fields["NDST"]
        text = (
            f"{self.vcpu} {where}, but NV is {nv}, NDST pCPU {ndst} and {' and '.join(listed or ['it is on no list'])}"
        )
        unfound = self.fields["NV"] == POSTED_INTR_WAKEUP_VECTOR and ndst not in self.lists
        return f"{text}: the handler of {nv} on pCPU {ndst} does not find it." if unfound else f"{text}."

    def _follows(self, name: str) -> str:
        """Say what becomes of a post of the device, which reads SN, NV and NDST alone."""
        vector, ndst = vector_text(self.fields["NV"]), self.fields["NDST"]
        return {
            "SN": "a device's post sets no ON and notifies nobody",
            "NV": f"a device's post sends {vector}, for which no processor looks at the descriptor",
            "NDST": f"a device's post notifies pCPU {ndst}",
        }[name]

    def cause(self) -> str:
        """Name the step that wrote a wrong place, or the one behind which nobody wrote the right one."""
        if self.log.witness.check != "C6" or self.came < 0:
            return ""
        return "; ".join(self._running() if self.runs else self._asleep())

    def _pcpu(self, view: View) -> int:
        """Return the pCPU on which the vCPU runs, or -1."""
        runs = view.get("runs", [])
        return runs.index(self.v) if self.v in runs else -1

    def _comes(self, row: EventRow) -> bool:
        return self._pcpu(row.before) < 0 <= self._pcpu(row.view)

    def _fields(self, view: View) -> dict[str, int]:
        return fields_of(view["vcpus"][self.v]["control"])

    # --- while it runs -------------------------------------------------------------------------------------------

    def _running(self) -> Iterator[str]:
        wrote = self.log.last(self._writes)
        for name in self._wrong():
            if wrote > self.came:
                there = f"though {self.vcpu} had come to pCPU {self.ran} ({self.log.step(self.came)})"
                yield f"{self.log.step(wrote)} ({self.rows[wrote].act.function}) wrote it: {self._value(name)}, {there}"
            else:
                yield f"nothing has changed it since {self._since()}: {self._value(name)}{self._as_of(name)}"
        for cpu in self.lists:
            yield f"nothing took it off the list of pCPU {cpu}{self._put(cpu)}, when {self._since()}{self._astray(cpu)}"

    def _since(self) -> str:
        return f"{self.vcpu} came to pCPU {self.ran} ({self.log.step(self.came)})"

    def _wrong(self) -> list[str]:
        """Return the fields of the control word that are not those of a vCPU that runs where it does."""
        wrong = {
            "SN": self.fields["SN"] != 0,
            "NV": self.fields["NV"] == POSTED_INTR_WAKEUP_VECTOR,
            "NDST": self.fields["NDST"] != self.ran,
        }
        return [name for name, is_wrong in wrong.items() if is_wrong]

    def _value(self, name: str) -> str:
        number = self.fields[name]
        return {"SN": "SN is set", "NV": f"NV is {vector_text(number)}", "NDST": f"NDST is pCPU {number}"}[name]

    def _writes(self, row: EventRow) -> bool:
        """Return whether the vCPU's task writes its control word as a whole."""
        return self.log.does(self.v, CONTROL, "CMPXCHG")(row) and row.act.answer == row.act.a

    def _as_of(self, name: str) -> str:
        """Say since when a field is what it is."""
        changed = self.log.last(lambda row: self._fields(row.before)[name] != self._fields(row.view)[name])
        return f" since {self.log.step(changed)}" if changed >= 0 else " from the start"

    def _put(self, cpu: int) -> str:
        """Name the step that put it on a list."""
        put = self.log.last(lambda row: self.v in row.view["listed"][cpu] and self.v not in row.before["listed"][cpu])
        return f", on which {self.log.step(put)} had put it" if put >= 0 else ""

    def _astray(self, cpu: int) -> str:
        """Name the step that took it off another list."""
        off = self.log.last(lambda row: row.act.thread == self.v and row.act.function == "list_del")
        word = self.rows[off].act.word if off > self.came else f"pcpu{cpu}."
        other = word.partition(".")[0].removeprefix("pcpu")
        return f": {self.log.step(off)} took it off that of pCPU {other}, on which it was not" * (other != str(cpu))

    # --- asleep --------------------------------------------------------------------------------------------------

    def _asleep(self) -> Iterator[str]:
        ran = f"though it had last come to pCPU {self.ran} ({self.log.step(self.came)})"
        stored = self.log.last(self.log.does(self.v, "cpu", "STORE")) > self.came
        unsaid = "" if stored else ", and nothing had stored its vcpu->cpu behind that, which names the list"
        for cpu in self.lists:
            yield f"it is on the list of pCPU {cpu}{self._put(cpu)}, {ran}{unsaid}"
        if not self.lists:
            yield f"nothing has put it on the list of pCPU {self.fields['NDST']}, {ran}"
