"""The outcome of a counterexample in words: what the check that fired has seen."""

from __future__ import annotations

from collections.abc import Iterator

from emu.kvm_host import TASK_ASLEEP
from emu.posted_intr import pi_ndst
from hosts.explorer.explanation.cause import Cause
from hosts.explorer.explanation.early_resume import EarlyResume
from hosts.explorer.explanation.idle_halt import IdleHalt
from hosts.explorer.explanation.placement import Placement
from hosts.explorer.explanation.query import EventLog
from hosts.kernel_names import vector_text, vectors_text


class Outcome:
    """What is wrong at the end, in sentences."""

    def __init__(self, log: EventLog, cause: Cause) -> None:
        self.log, self.cause = log, cause
        self.witness, self.end, self.v, self.vcpu = log.witness, log.end, log.v, log.vcpu

    def sentences(self) -> Iterator[str]:
        """Say what the check that fired has found."""
        check, seen = self.witness.check, self.end["vcpus"][self.v]
        vector = vector_text(self.witness.vector) if self.witness.vector >= 0 else "an interrupt"
        on = "ON set" if seen["on"] else "ON clear"
        match check:
            case "C1" if seen["pir"]:
                pir = vectors_text(seen["pir"])
                yield f"{self.vcpu} runs in non-root mode with {pir} in its PIR and {on}; {self.nobody()}."
            case "C1" | "C3":
                yield from self.apart()
            case "C2":
                yield f"{self.vcpu} has gone to sleep although {vector} could be delivered; {self.nobody()}."
            case "C4":
                yield f"The PIR of {self.vcpu} holds {vectors_text(seen['pir'])} with {on}: no sync will look."
            case "C5" | "C10" | "C11":
                yield self.lost(vector)
            case "C7":
                what = "sleeps" if seen["task"] == TASK_ASLEEP else "enters the guest"
                yield f"{self.vcpu} {what} while an ON is set of which nobody was told; {self.nobody()}."
            case "C8":
                yield self.self_post()
            case "C9" | "C12":
                what = "a kicked request unserved" if check == "C9" else "a signal unheeded"
                where = "sleeps" if seen["task"] == TASK_ASLEEP else "runs in non-root mode"
                yield f"{self.vcpu} {where} with {what}; {self.nobody()}."
            case "no-progress":
                yield self.endless(vectors_text(seen["pir"]))
            case _:
                yield self.of_tasks()

    def of_tasks(self) -> str:
        """Say what is wrong about a vCPU's task, or about a pCPU that runs tasks; or that nothing moves."""
        if self.witness.check == "C6":
            return Placement(self.log).outcome()
        if self.witness.check == "C13":
            return IdleHalt(self.log).outcome()
        if self.witness.check == "C14":
            return EarlyResume(self.log).outcome()
        return "Nothing can move any more, and not all threads have ended."

    def apart(self) -> Iterator[str]:
        """Say that RVI is not the highest vIRR, and which code has to write it."""
        seen = self.end["vcpus"][self.v]
        where = "enters the guest" if self.witness.check == "C3" else "runs in non-root mode"
        highest = vectors_text(seen["virr"][-1:]) or "empty"
        yield f"{self.vcpu} {where} with RVI {vector_text(seen['rvi'])}, but the highest vIRR is {highest}."
        if self.witness.check == "C3":
            yield "Whoever changes the vIRR in root mode owes the processor the RVI to go with it before VM-entry."

    def lost(self, vector: str) -> str:
        """Say that posts of a vector are not accounted for, that a mailbox was not read, or what is with the timer."""
        if self.witness.check == "C11":
            return self.timer()
        if self.witness.check == "C10":
            return f"The run is over, and a mailbox of {vector} has not been read to the end: an interrupt was lost."
        sums = f"Of {vector}, accepted posts are not those delivered, merged and waiting"
        return f"{sums}: a post was lost or made up, or its mailbox was not read."

    def timer(self) -> str:
        """Say that the guest's deadline and what stands behind it do not go together."""
        return (
            f"The timer of {self.vcpu}: a deadline was lost, or one was injected that was not due or not open, or "
            "something is armed for none."
        )

    def self_post(self) -> str:
        """Say what a vCPU did about a post of its own, and what its rule promises."""
        if self.cause.told_itself() >= 0:
            done, wants = "sent itself a notification", "leaves that to the run loop's sync"
        else:
            done, wants = "sent itself no notification", "promises one to the own vCPU too"
        return f"{self.vcpu} has {done} of its own post in guest mode; {self.witness.policy} {wants}."

    def endless(self, owed: str) -> str:
        """Say that the obligation may stay unmet for ever."""
        still = f"{owed} can stay in the PIR of {self.vcpu} for ever"
        if not self.witness.cycle:
            return f"From here {still}, with all threads, store buffers and IPIs taking their turns."
        return (
            f"{still}: {self.witness.round} lead back to where they begin, and in them each thread, store buffer and "
            "IPI moves or has nothing to do."
        )

    def nobody(self) -> str:
        """List the IPIs that are still to be taken by the vCPU, as far as the last state shows them."""
        pcpu = self.pcpu()
        coming = [vector for target, vector in self.end["flight"] if target == pcpu] + self.end["pending"][pcpu]
        return f"still to be taken: {vectors_text(coming)}" if coming else "no IPI to it is on its way or pending"

    def pcpu(self) -> int:
        """Return the pCPU on which the vCPU runs, or which its notifications go to."""
        runs = self.end.get("runs")
        if runs is None:
            return self.v
        return runs.index(self.v) if self.v in runs else pi_ndst(self.end["vcpus"][self.v]["control"])
