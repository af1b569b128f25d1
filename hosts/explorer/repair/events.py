"""The event that repairs a violation, from the shortest path to it: a VM-exit, a post, a kick, a device, a timer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emu.exits import EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_PREEMPTION_TIMER
from emu.vectors import DEVICE_VECTOR, RESCHEDULE_VECTOR
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.model.operations import Op
from hosts.explorer.model.semantics import Micro, Outcome
from hosts.explorer.model.system import Model
from hosts.explorer.repair.threads import Unrepaired
from hosts.kernel_names import EXITS, vector_text


@dataclass(frozen=True)
class RepairPath:
    """The shortest path from the violation to the step that meets its obligation."""

    model: Model
    threads: Sequence[Unrepaired]
    witness: Witness
    vcpu: int
    """The vCPU of the obligation."""
    outcomes: Sequence[Outcome]

    def event(self) -> str:
        """Name the last external event on the path, or the VM-exit; else it is the vCPU's own next look."""
        found = ""
        for outcome in self.outcomes:
            for micro in outcome.micros:
                found = self._sent(outcome, micro, found) or self._taken(outcome, micro, found) or found
                for event in self.threads[outcome.move.thread].along[micro.local, micro.answer]:
                    if event.kind == "exit" and event.vcpu == self.vcpu:
                        found = self._exit(event.new, found)
        return found or f"the next look of vCPU {self.vcpu}"

    def _runs_it(self, thread: int) -> bool:
        """Return whether a thread runs the vCPU, or any task, of which it is one."""
        runs = self.witness.states[0]["view"].get("runs")
        return thread == self.vcpu if runs is None else thread < len(runs)

    def _who(self, thread: int) -> str:
        view, name = self.witness.states[0]["view"], self.witness.threads[thread]
        return name if thread < len(view.get("runs", view["vcpus"])) else f"pCPU {thread} ({name})"

    def _sent(self, outcome: Outcome, micro: Micro, found: str) -> str:
        """Name what another thread begins; the IPI of a post belongs to the post."""
        operation, thread = micro.operation, outcome.move.thread
        if self._runs_it(thread):
            return ""
        if operation.kind == Op.OR and ".pi_desc.pir[" in self.model.words[operation.word]:
            return f"the next post of {self._who(thread)}"
        if operation.kind != Op.SEND or found == f"the next post of {self._who(thread)}":
            return ""
        sent = {DEVICE_VECTOR: "device interrupt", RESCHEDULE_VECTOR: "kick or wake-up"}
        name = sent.get(self.model.vectors[operation.b])
        return f"the next {name} of {self._who(thread)}" if name else ""

    def _taken(self, outcome: Outcome, micro: Micro, found: str) -> str:
        """Name an interrupt that was on its way already, or the own timer."""
        if not self._runs_it(outcome.move.thread) or found:
            return ""
        if micro.operation.kind == Op.ACK:
            return f"the {vector_text(self.model.vectors[micro.answer])} that is on its way"
        place = self.threads[outcome.move.thread].place(micro.operation.where)
        asked = micro.operation.kind == Op.CHOOSE and place.text.startswith("deadline_passed")
        return f"the timer of vCPU {self.vcpu}" if asked and micro.answer else ""

    def _exit(self, reason: int, found: str) -> str:
        if reason == EXIT_REASON_EXTERNAL_INTERRUPT:
            return found
        if reason == EXIT_REASON_PREEMPTION_TIMER:
            return f"the timer of vCPU {self.vcpu}"
        return f"the next VM-exit of vCPU {self.vcpu} ({EXITS.get(reason, reason)})"
