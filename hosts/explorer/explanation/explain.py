"""Counterexample explanation: one paragraph that names the obligation, the missed sync and the step to blame.

Each sentence rests on a row of the witness, and names its step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from emu.kvm_host import IN_GUEST_MODE, KICKED_REQUESTS
from emu.mutations import Mutation
from emu.workload.scenarios import POLICIES
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.cause import Cause
from hosts.explorer.explanation.format import stored
from hosts.explorer.explanation.idle_halt import IdleHalt
from hosts.explorer.explanation.outcome import Outcome
from hosts.explorer.explanation.own_check import own_check_sentences
from hosts.explorer.explanation.query import CONTROL, EventLog
from hosts.explorer.explanation.repair_sentence import repair_sentences
from hosts.explorer.explanation.rows import EventRow
from hosts.kernel_names import SHORT_MODES, vector_text, vectors_text
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.policy_name import base_of

BUFFERS: Final = {
    "violates": (
        "Also without store buffers: this way is one of sequential consistency, where every store is seen at once.",
    ),
    "holds": ("Only with store buffers: under sequential consistency the same scope has no violation.",),
    "unknown": ("Whether a store buffer matters is not known: the search without them did not end in the time left.",),
}
"""What the same scope under sequential consistency has come to, of a witness that would blame a buffer."""
SHOWN: Final = 3
"""At most so many operations of a thread in a cycle are listed."""


def explanation_of(witness: Witness, mutation: Mutation | None, own: Own = NOTHING_OWN) -> str:
    """Return the explanation of a witness; ``own``: what the user's code declares, whose checks have fewer words."""
    log = EventLog(witness)
    if any(check.name == witness.check for check in own.own_checks):
        return " ".join([*own_check_sentences(log, own), *_origin(witness.policy, mutation)])
    cause = Cause(log)
    explanation = Explanation(log, cause)
    outcome = Outcome(log, cause).sentences()
    sentences = [*outcome, *explanation.how(), *_origin(witness.policy, mutation), *repair_sentences(log)]
    return " ".join(sentences)


def _origin(policy: str, mutation: Mutation | None) -> Iterator[str]:
    about = {each.name: each.about for each in POLICIES}
    rule = base_of(policy)
    brought = policy.removeprefix(f"{rule}+") if policy != rule else ""
    patched = f"; the machine has functions of {brought}" if brought else ""
    yield f"The rule is {rule}: {about[rule]}{patched}." if rule in about else f"The rule is {policy}, your own."
    if mutation is not None:
        yield f"The seeded bug is {mutation.name}: {mutation.about}."


class Explanation:
    """How the violation came about: the obligation, the sync that missed it, and the step to blame."""

    def __init__(self, log: EventLog, cause: Cause) -> None:
        self.log, self.cause, self.syncs = log, cause, cause.syncs
        self.witness, self.rows, self.end, self.v, self.vcpu = log.witness, log.rows, log.end, log.v, log.vcpu

    # --- how it came to it ---------------------------------------------------------------------------------------

    def how(self) -> Iterator[str]:
        """Name the obligation, the sync that missed it, and the step that is to blame."""
        if self.witness.check in ("C11", "C12"):
            yield from self.deadlines() if self.witness.check == "C11" else self.signal()
            return
        match self.witness.check:
            case "C9":
                yield from self.obligation("requests", KICKED_REQUESTS)
                yield from self.look("requests")
            case "C3":
                yield from self.registers()
            case "C8":
                yield from self.obligation("on", 1)
            case "no-progress":
                yield from self.posted()
                yield from self.obligation("on", 1)
                yield from self.look(CONTROL)
                yield from self.rounds()
            case "C4":
                yield from self.cleared()
                yield from self.posted()
            case "C5" | "C10":
                yield from self.history()
            case "C6" | "C13" | "C14":
                yield from IdleHalt(self.log).history()
            case "deadlock":
                yield from self.standing()
            case _:
                yield from self.posted()
                yield from self.obligation("on", 1)
                yield from self.look(CONTROL)
        yield from self.stale()
        yield from self.cause.broke()
        yield from BUFFERS.get(self.witness.without_buffers, ())

    def obligation(self, name: str, bit: int) -> Iterator[str]:
        """Name the step that created the obligation, and what its thread did about it."""
        i = self.log.last(self.log.turned(name, bit, 1))
        if i < 0:
            return
        t = self.rows[i].act.thread
        what = "turned ON on last" if name == "on" else "made the request"
        whom = "itself" if t == self.v else self.vcpu
        who = f"{self.log.who(t)}{self.log.in_handler(t, i)}"
        yield f"{who} {what} ({self.log.step(i)}) and from then on owed {whom} a look."
        yield f"It {self.reaction(t, i)}."
        if self.syncs.last_look() < i and (text := self.syncs.silence(t, i)):
            yield text
        if name == "on":
            yield from self.processed(i)

    def reaction(self, thread: int, i: int) -> str:
        """Describe what a sender did about the obligation that it had created."""
        start, until = self.log.delivery(thread, i)
        mode = self.log.first(lambda row: self.log.reads_mode(row, thread), start, until)
        sent = self.log.first(lambda row: row.act.thread == thread and row.act.kind == "SEND", i, until)
        waiter = self.log.first(self.log.does(thread, "wait.task", "LOAD"), start, until)
        woken = self.log.first(self.log.does(thread, "wait.state", "XCHG"), start, until)
        parts = []
        if mode >= 0:
            earlier = " before that" if mode < i else ""
            parts.append(
                f"read mode as {SHORT_MODES.get(self.rows[mode].act.answer, '?')}{earlier} ({self.log.step(mode)})"
            )
        if waiter >= 0:
            parts.append(f"found {'a' if self.rows[waiter].act.answer else 'no'} waiter ({self.log.step(waiter)})")
        if woken >= 0:
            parts.append(f"made the task runnable ({self.log.step(woken)})")
        if sent >= 0:
            act = self.rows[sent].act
            parts.append(f"sent {vector_text(act.b)} to pCPU {act.a} ({self.log.step(sent)})")
        elif mode >= 0 and thread == self.v and self.rows[mode].act.answer == IN_GUEST_MODE:
            parts.append("elided the notification to itself")
        elif woken < 0:
            parts += [*["did not read the mode"] * (mode < 0), "sent no IPI", *["woke nobody"] * (waiter < 0)]
        return _listed(parts)

    def processed(self, i: int) -> Iterator[str]:
        """Name the step that took the notification."""
        taken = self.log.first(self._takes_notification, i)
        if taken < 0:
            return
        row, vector = self.rows[taken], vector_text(self.rows[taken].act.answer)
        if row.act.function == "common_interrupt":
            yield f"{vector} was taken in root mode ({self.log.step(taken)}), where no descriptor is touched."
        elif self.end["vcpus"][self.v]["on"] and self.log.first(self.log.turned("on", 1, 0), taken) < 0:
            yield f"The processor took {vector} in non-root mode ({self.log.step(taken)}); ON stayed set."

    def _takes_notification(self, row: EventRow) -> bool:
        return row.act.thread == self.v and row.act.kind == "ACK" and row.act.answer >= 0xF0  # noqa: PLR2004 - the host's

    def posted(self) -> Iterator[str]:
        """Describe the last post, if it found ON set already and sent no notification of its own."""
        i = self.log.last(self.log.posts)
        if i < 0:
            return
        t = self.rows[i].act.thread
        on = self.log.first(self.log.does(t, CONTROL, "OR", "LOAD"), i)
        if on >= 0 and self.rows[on].act.answer & 1:
            which = vectors_text(
                vector
                for vector in self.rows[i].view["vcpus"][self.v]["pir"]
                if vector not in self.rows[i].before["vcpus"][self.v]["pir"]
            )
            yield (
                f"{self.log.who(t)} posted {which} ({self.log.step(i)}), found ON set already ({self.log.step(on)}), "
                "and left the look to whoever had set it."
            )

    def look(self, field: str) -> Iterator[str]:
        """Name the vCPU's last sync, and whether it came before the obligation."""
        name, bit = ("on", 1) if field == CONTROL else ("requests", KICKED_REQUESTS)
        i = self.log.last(self.log.turned(name, bit, 1))
        looked = self.log.last(self.log.looks(field))
        if looked < 0:
            yield f"{self.vcpu} never looked."
        elif i < 0:
            yield f"{self.vcpu} looked last in {self.log.told(looked)}."
        elif looked < i:
            yield f"{self.vcpu} had looked for the last time before that: {self.log.told(looked)}."
        else:
            yield f"The last look of {self.vcpu} came after that: {self.log.told(looked)}."

    def registers(self) -> Iterator[str]:
        """Describe the last changes of vIRR and RVI, and what the last sync found."""
        came, rvi = self.cause.came(), self.cause.rewritten()
        looked = self.log.last(self.log.does(self.v, CONTROL, "LOAD"))
        if came >= 0:
            highest = vectors_text(self.end["vcpus"][self.v]["virr"][-1:])
            yield f"{highest} came into the vIRR with {self.log.step(came)} ({self.rows[came].act.function})."
        if looked >= 0:
            found = "found ON set" if self.rows[looked].act.answer & 1 else "found ON clear"
            yield f"The last sync before VM-entry {found} ({self.log.step(looked)})."
        if rvi >= 0:
            old, new = (each["vcpus"][self.v]["rvi"] for each in (self.rows[rvi].before, self.rows[rvi].view))
            yield f"RVI changed last with {self.log.step(rvi)}, from {vector_text(old)} to {vector_text(new)}."
        else:
            yield "RVI never changed."

    def rounds(self) -> Iterator[str]:
        """Describe what each thread does in the cycle."""
        waits = self.log.waits()
        for thread in range(len(self.end["buffers"])):
            rows = [i for i in self.log.around() if self.rows[i].act.thread == thread]
            if thread in waits:
                read = _listed([self.log.told(i) for i in waits[thread]])
                yield f"In the cycle {self.log.who(thread)} reads {read} again and again, which no step of it changes."
            elif rows:
                done = _listed([self.log.told(i) for i in rows[:SHOWN]])
                more = " and more" if len(rows) > SHOWN else ""
                yield f"In the cycle {self.log.who(thread)} goes on: {done}{more}."

    def cleared(self) -> Iterator[str]:
        """Name the step that cleared ON last, and the one that had set it."""
        i = self.log.last(self.log.turned("on", 1, 0))
        if i < 0:
            return
        t = self.rows[i].act.thread
        how = "a plain store" if self.rows[i].act.kind in ("drain", "STORE") else "a locked operation"
        yield f"ON was turned off last by {self.log.who(t)}, by {how} ({self.log.step(i)})."
        read = self.log.last(self.log.does(t, CONTROL, "LOAD"), i)
        between = self.log.first(self.log.turned("on", 1, 1), read, i)
        if how == "a plain store" and read >= 0 and between >= 0:
            other = self.log.who(self.rows[between].act.thread)
            set_again = self.log.step(between)
            yield f"Between its load ({self.log.step(read)}) and its store {other} had set ON ({set_again})."

    def history(self) -> Iterator[str]:
        """List the registers that the vector went through."""
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

    def deadlines(self) -> Iterator[str]:
        """List what became of the guest's deadline, and where the check stands."""
        for row in self.rows:
            before, after = row.before["vcpus"][self.v]["timer"], row.view["vcpus"][self.v]["timer"]
            if before != after and row.act.kind != "sighting":
                yield f"Its deadline is {after} from step {row.number} on."
        fired = self.log.last(lambda row: row.act.kind == "sighting")
        yield f"The check fired in {self.log.step(fired)}."

    def signal(self) -> Iterator[str]:
        """Name the step that sent the signal, and the last look at it."""
        sent = self.log.last(lambda row: row.act.kind == "OR" and "signal_pending" in row.act.word)
        look = self.log.last(self.log.does(self.v, "signal_pending", "LOAD"))
        when = f"the last look for one was that of {self.log.step(look)}" if look >= 0 else "nobody looked for one"
        yield f"What broke it: the signal was sent in {self.log.step(sent)}, and {when}."

    def standing(self) -> Iterator[str]:
        """Name the last operation of each thread."""
        for thread in range(len(self.end["buffers"])):
            i = self.log.last(lambda row, thread=thread: row.act.thread == thread and row.act.function != "")  # type: ignore[misc]
            if i >= 0:
                act = self.rows[i].act
                seen = f"{act.function}, {act.file}:{act.line} ({self.log.step(i)})"
                yield f"{self.log.who(thread)} was last seen in {seen}."

    # --- store buffers -------------------------------------------------------------------------------------------

    def stale(self) -> Iterator[str]:
        """Name each store that was still in a buffer when a load read its word."""
        for j, i in () if self.syncs.early() or self.syncs.too_early() else self.cause.blamed():
            load, store = self.rows[j].act, self.rows[i].act
            text = (
                f"The store {stored(store.word, store.a)} of {self.log.who(store.thread)} ({self.log.step(i)}) was "
                f"still in its buffer when {self.log.who(load.thread)} read {self.log.told(j)}"
            )
            passed = self.log.last(
                lambda row, u=store.thread, word=store.word: (  # type: ignore[misc]
                    row.act.thread == u and row.act.kind == "LOAD" and row.act.word != word and not row.act.own
                ),
                j,
            )
            if passed > i:
                text += f"; a later load had gone past it: {self.log.told(passed)}"
            yield text + "."


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
