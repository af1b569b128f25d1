"""Who owed what to whom, and which step broke it: one paragraph, made of what the steps of a witness show.

No sentence is written that some row does not bear out: a row is looked for, and the sentence names its step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from emu.kvm_host import IN_GUEST_MODE, KICKED_REQUESTS, TASK_ASLEEP
from emu.mutations import Mutation
from emu.workload.scenarios import POLICIES
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.cause import Cause
from hosts.explorer.explanation.format import stored
from hosts.explorer.explanation.query import CONTROL
from hosts.explorer.explanation.repair_sentence import fate_text
from hosts.kernel_names import SHORT_MODES, vector_text, vectors_text

BUFFERS: Final = {
    "violates": (
        "Also without store buffers: this way is one of sequential consistency, where every store is seen at once.",
    ),
    "holds": ("Only with store buffers: under sequential consistency the same scope has no violation.",),
    "unknown": ("Whether a store buffer matters is not known: the search without them did not end in the time left.",),
}
"""What the same scope under sequential consistency has come to, of a witness that would blame a buffer."""
SHOWN: Final = 3
"""Things that a thread does in a cycle are told up to so many."""


def story_of(witness: Witness, mutation: Mutation | None) -> str:
    """Write the paragraph."""
    tale = Tale(witness)
    sentences = [*tale.outcome(), *tale.how(), *_origin(witness.policy, mutation), *fate_text(tale)]
    return " ".join(sentences)


def _origin(policy: str, mutation: Mutation | None) -> Iterator[str]:
    about = {each.name: each.about for each in POLICIES}
    yield f"The rule is {policy}: {about[policy]}." if policy in about else f"The rule is {policy}, your own."
    if mutation is not None:
        yield f"The seeded bug is {mutation.name}: {mutation.about}."


class Tale(Cause):
    """The sentences."""

    # --- what is wrong -------------------------------------------------------------------------------------------

    def outcome(self) -> Iterator[str]:
        """Say what the check that fired has seen."""
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
            case "C5" | "C10":
                yield self.lost(vector)
            case "C7":
                what = "sleeps" if seen["task"] == TASK_ASLEEP else "enters the guest"
                yield f"{self.vcpu} {what} while an ON is set of which nobody was told; {self.nobody()}."
            case "C8":
                yield self.self_post()
            case "C9":
                yield f"{self.vcpu} runs in non-root mode with a kicked request unserved; {self.nobody()}."
            case "no-progress":
                yield self.endless(vectors_text(seen["pir"]))
            case _:
                yield "Nothing can move any more, and not all threads have ended."

    def apart(self) -> Iterator[str]:
        """Say that RVI is not the highest vIRR, and who owes that it be."""
        seen = self.end["vcpus"][self.v]
        where = "enters the guest" if self.witness.check == "C3" else "runs in non-root mode"
        highest = vectors_text(seen["virr"][-1:]) or "empty"
        yield f"{self.vcpu} {where} with RVI {vector_text(seen['rvi'])}, but the highest vIRR is {highest}."
        if self.witness.check == "C3":
            yield "Whoever changes the vIRR in root mode owes the processor the RVI to go with it before VM-entry."

    def lost(self, vector: str) -> str:
        """Say that a vector's books do not balance, or at the end its mailbox was not read."""
        if self.witness.check == "C10":
            return f"The run is over, and a mailbox of {vector} has not been read to the end: an interrupt was lost."
        return f"The books of {vector} do not balance: a post was lost or made up, or its mailbox was not read."

    def self_post(self) -> str:
        """Say what a vCPU did about a post of its own, and what its rule promises."""
        if self.told_itself() >= 0:
            done, wants = "sent itself a notification", "leaves that to the run loop's sync"
        else:
            done, wants = "sent itself no notification", "promises one to the own vCPU too"
        return f"{self.vcpu} has {done} of its own post in guest mode; {self.witness.policy} {wants}."

    def nobody(self) -> str:
        """Say that nothing is left that would make the vCPU look, as far as the last state shows it."""
        coming = [vector for target, vector in self.end["flight"] if target == self.v] + self.end["pending"][self.v]
        return f"still to be taken: {vectors_text(coming)}" if coming else "no IPI to it is on its way or pending"

    # --- how it came to it ---------------------------------------------------------------------------------------

    def how(self) -> Iterator[str]:
        """Tell who owed what, what was overlooked, and the step that broke it."""
        match self.witness.check:
            case "C9":
                yield from self.debt("requests", KICKED_REQUESTS)
                yield from self.look("requests")
            case "C3":
                yield from self.registers()
            case "C8":
                yield from self.debt("on", 1)
            case "no-progress":
                yield from self.posted()
                yield from self.debt("on", 1)
                yield from self.look(CONTROL)
                yield from self.rounds()
            case "C4":
                yield from self.cleared()
                yield from self.posted()
            case "C5" | "C10":
                yield from self.history()
            case "deadlock":
                yield from self.standing()
            case _:
                yield from self.posted()
                yield from self.debt("on", 1)
                yield from self.look(CONTROL)
        yield from self.stale()
        yield from self.broke()
        yield from BUFFERS.get(self.witness.without_buffers, ())

    def debt(self, name: str, bit: int) -> Iterator[str]:
        """Tell who made the last promise, and whom it told."""
        i = self.last(self.turned(name, bit, 1))
        if i < 0:
            return
        t = self.rows[i].act.thread
        what = "turned ON on last" if name == "on" else "made the request"
        whom = "itself" if t == self.v else self.vcpu
        yield f"{self.who(t)}{self.in_handler(t, i)} {what} ({self.step(i)}) and from then on owed {whom} a look."
        yield f"It {self.reaction(t, i)}."
        if self.last_look() < i and (text := self.silence(t, i)):
            yield text
        if name == "on":
            yield from self.processed(i)

    def reaction(self, thread: int, i: int) -> str:
        """Tell what a thread did about the debt that it had taken on."""
        start, until = self.delivery(thread, i)
        mode = self.first(lambda row: self.reads_mode(row, thread), start, until)
        sent = self.first(lambda row: row.act.thread == thread and row.act.kind == "SEND", i, until)
        waiter = self.first(self.does(thread, "wait.task", "LOAD"), start, until)
        woken = self.first(self.does(thread, "wait.state", "XCHG"), start, until)
        parts = []
        if mode >= 0:
            earlier = " before that" if mode < i else ""
            parts.append(
                f"read mode as {SHORT_MODES.get(self.rows[mode].act.answer, '?')}{earlier} ({self.step(mode)})"
            )
        if waiter >= 0:
            parts.append(f"found {'a' if self.rows[waiter].act.answer else 'no'} waiter ({self.step(waiter)})")
        if woken >= 0:
            parts.append(f"made the task runnable ({self.step(woken)})")
        if sent >= 0:
            act = self.rows[sent].act
            parts.append(f"sent {vector_text(act.b)} to pCPU {act.a} ({self.step(sent)})")
        elif mode >= 0 and thread == self.v and self.rows[mode].act.answer == IN_GUEST_MODE:
            parts.append("elided the notification to itself")
        elif woken < 0:
            parts += [*["did not read the mode"] * (mode < 0), "sent no IPI", *["woke nobody"] * (waiter < 0)]
        return _listed(parts)

    def processed(self, i: int) -> Iterator[str]:
        """Tell where the notification that was sent was taken."""
        taken = self.first(lambda row: row.act.thread == self.v and row.act.kind == "ACK" and row.act.answer >= 0xF0, i)  # noqa: PLR2004
        if taken < 0:
            return
        row, vector = self.rows[taken], vector_text(self.rows[taken].act.answer)
        if row.act.function == "common_interrupt":
            yield f"{vector} was taken in root mode ({self.step(taken)}), where no descriptor is touched."
        elif self.end["vcpus"][self.v]["on"] and self.first(self.turned("on", 1, 0), taken) < 0:
            yield f"The processor took {vector} in non-root mode ({self.step(taken)}); ON stayed set."

    def posted(self) -> Iterator[str]:
        """Tell of the last post, if it found ON set and left the look to somebody before it."""
        i = self.last(self.posts)
        if i < 0:
            return
        t = self.rows[i].act.thread
        on = self.first(self.does(t, CONTROL, "OR", "LOAD"), i)
        if on >= 0 and self.rows[on].act.answer & 1:
            which = vectors_text(
                vector
                for vector in self.rows[i].view["vcpus"][self.v]["pir"]
                if vector not in self.rows[i].before["vcpus"][self.v]["pir"]
            )
            yield (
                f"{self.who(t)} posted {which} ({self.step(i)}), found ON set already ({self.step(on)}), and left the "
                "look to whoever had set it."
            )

    def look(self, field: str) -> Iterator[str]:
        """Tell when the vCPU looked last, and what it did instead of looking again."""
        name, bit = ("on", 1) if field == CONTROL else ("requests", KICKED_REQUESTS)
        i = self.last(self.turned(name, bit, 1))
        looked = self.last(self.does(self.v, field, "LOAD"))
        if looked < 0:
            yield f"{self.vcpu} never looked."
        elif looked < i:
            yield f"{self.vcpu} had looked for the last time before that: {self.told(looked)}."
        else:
            yield f"The last look of {self.vcpu} came after that: {self.told(looked)}."

    def registers(self) -> Iterator[str]:
        """Tell how RVI and the vIRR came apart, and what the last sync found."""
        came, rvi, looked = self.came(), self.rewritten(), self.last(self.does(self.v, CONTROL, "LOAD"))
        if came >= 0:
            highest = vectors_text(self.end["vcpus"][self.v]["virr"][-1:])
            yield f"{highest} came into the vIRR with {self.step(came)} ({self.rows[came].act.function})."
        if looked >= 0:
            found = "found ON set" if self.rows[looked].act.answer & 1 else "found ON clear"
            yield f"The last sync before VM-entry {found} ({self.step(looked)})."
        if rvi >= 0:
            old, new = (each["vcpus"][self.v]["rvi"] for each in (self.rows[rvi].before, self.rows[rvi].view))
            yield f"RVI changed last with {self.step(rvi)}, from {vector_text(old)} to {vector_text(new)}."
        else:
            yield "RVI never changed."

    def endless(self, owed: str) -> str:
        """Say that what is owed may stay owed for ever."""
        still = f"{owed} can stay in the PIR of {self.vcpu} for ever"
        if not self.witness.cycle:
            return f"From here {still}, with all threads, store buffers and IPIs taking their turns."
        return (
            f"{still}: {self.witness.round} lead back to where they begin, and in them each thread, store buffer and "
            "IPI moves or has nothing to do."
        )

    def rounds(self) -> Iterator[str]:
        """Tell what each thread does in the cycle."""
        waits = self.waits()
        for thread in range(len(self.witness.threads)):
            rows = [i for i in self.around() if self.rows[i].act.thread == thread]
            if thread in waits:
                read = _listed([self.told(i) for i in waits[thread]])
                yield f"In the cycle {self.who(thread)} reads {read} again and again, which no step of it changes."
            elif rows:
                done = _listed([self.told(i) for i in rows[:SHOWN]])
                more = " and more" if len(rows) > SHOWN else ""
                yield f"In the cycle {self.who(thread)} goes on: {done}{more}."

    def cleared(self) -> Iterator[str]:
        """Tell who turned ON off last, and when it had been set."""
        i = self.last(self.turned("on", 1, 0))
        if i < 0:
            return
        t = self.rows[i].act.thread
        how = "a plain store" if self.rows[i].act.kind in ("drain", "STORE") else "a locked operation"
        yield f"ON was turned off last by {self.who(t)}, by {how} ({self.step(i)})."
        read = self.last(self.does(t, CONTROL, "LOAD"), i)
        between = self.first(self.turned("on", 1, 1), read, i)
        if how == "a plain store" and read >= 0 and between >= 0:
            other = self.who(self.rows[between].act.thread)
            yield f"Between its load ({self.step(read)}) and its store {other} had set ON ({self.step(between)})."

    def history(self) -> Iterator[str]:
        """Tell where the vector was."""
        vector = self.witness.vector
        parts = []
        for row in self.rows:
            before, after = row.before["vcpus"][self.v], row.view["vcpus"][self.v]
            for name, where in (("pir", "the PIR"), ("virr", "the vIRR")):
                if (vector in before[name]) != (vector in after[name]):
                    parts.append(f"{'into' if vector in after[name] else 'out of'} {where} (step {row.number})")
            if row.act.kind == "deliver" and row.act.a == vector and row.act.thread == self.v:
                parts.append(f"to the guest's handler (step {row.number})")
        if parts:
            yield f"{vector_text(vector)} went {', '.join(parts)}."

    def standing(self) -> Iterator[str]:
        """Tell where each thread was seen last."""
        for thread in range(len(self.witness.threads)):
            i = self.last(lambda row, thread=thread: row.act.thread == thread and row.act.function != "")  # type: ignore[misc]
            if i >= 0:
                act = self.rows[i].act
                yield f"{self.who(thread)} was last seen in {act.function}, {act.file}:{act.line} ({self.step(i)})."

    # --- store buffers -------------------------------------------------------------------------------------------

    def stale(self) -> Iterator[str]:
        """Tell which store was still in the buffer when which load read."""
        for j, i in () if self.early() or self.too_early() else self.blamed():
            load, store = self.rows[j].act, self.rows[i].act
            text = (
                f"The store {stored(store.word, store.a)} of {self.who(store.thread)} ({self.step(i)}) was still in "
                f"its buffer when {self.who(load.thread)} read {self.told(j)}"
            )
            passed = self.last(
                lambda row, u=store.thread, word=store.word: (  # type: ignore[misc]
                    row.act.thread == u and row.act.kind == "LOAD" and row.act.word != word and not row.act.own
                ),
                j,
            )
            if passed > i:
                text += f"; a later load had gone past it: {self.told(passed)}"
            yield text + "."


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
