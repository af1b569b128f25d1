"""Queries over the events of a witness: which one set ON last, which read the mode after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final

from emu import halt, lapic_irr, nonroot, vmx, x86
from emu.kvm_host import TASK_ASLEEP
from emu.observe.attach import CHAIN, POSTERS
from emu.workload import program
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.actors import actor_name, by_actor
from hosts.explorer.explanation.format import field_of, operation_text, usual_ndst, value_text
from hosts.explorer.explanation.rows import EventRow, about, rows_of
from hosts.kernel_names import vector_text

CONTROL: Final = "pi_desc.control"
Test = Callable[[EventRow], bool]
_RUN_LOOP: Final = (
    *("x86.py", "vmx.py", "halt.py", "nonroot.py", "lapic_irr.py", "program.py"),
    *("fastpath.py", "pir_sync.py", "guest.py"),  # what they were called: witness files keep the name
)
"""Files of what a vCPU's own thread does apart from delivering."""
_SLEEPER: Final = ("set_current_state", "prepare_to_rcuwait", "finish_rcuwait")
"""Functions of which that is true, too, in a file that has others."""
RUN_LOOP: Final = frozenset(
    {
        *_SLEEPER,
        *(
            name
            for module in (x86, vmx, halt, nonroot, lapic_irr, program)
            for name, value in vars(module).items()
            if isinstance(value, FunctionType) and value.__module__ == module.__name__
        ),
    }
)
"""The functions of these files, whatever file they stand in if a user's code replaces them."""
_CALLERS: Final = frozenset({*CHAIN, *POSTERS})
"""The functions that a post goes through before it comes to the rule."""
_PLACING: Final = frozenset({"vmx_vcpu_pi_load", "pi_redirect", "pi_enable_wakeup_handler"})
"""Functions that read the control word to change SN, NV and NDST: that is no look at what was posted."""
_WRITING: Final = ("STORE", "XCHG", "CMPXCHG", "OR")
_READING: Final = ("LOAD", "XCHG", "CMPXCHG", "OR", "AND", "ADD")


def _in_run_loop(row: EventRow) -> bool:
    return row.act.file in _RUN_LOOP or row.act.function in RUN_LOOP


class EventLog:
    """The rows of a witness, with queries over them."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.rows: Sequence[EventRow] = by_actor(rows_of(witness))
        self.end = self.rows[-1].view if self.rows else witness.states[-1]["view"]
        self.vcpus = len(self.end["vcpus"])
        self.tasks = len(self.end.get("runs", ()))
        """How many pCPUs run vCPUs as tasks; 0: each its own."""
        owed = next((i for i, each in enumerate(self.end["vcpus"]) if each["pir"]), 0)
        seen = any(row.act.kind == "sighting" for row in self.rows)
        vcpu = about(self.rows) if seen else owed
        self.v = vcpu if vcpu < self.vcpus else 0
        """The vCPU that the violation is about."""
        self.vcpu = f"vCPU {self.v}"

    def last(self, test: Test, before: int | None = None) -> int:
        """Return the last row that passes a test, or -1."""
        return next((i for i in reversed(range(len(self.rows))[:before]) if test(self.rows[i])), -1)

    def first(self, test: Test, after: int, before: int | None = None) -> int:
        """Return the first row behind another that passes a test, or -1."""
        return next((i for i in range(len(self.rows))[after + 1 : before] if test(self.rows[i])), -1)

    def does(self, thread: int, field: str, *kinds: str) -> Test:
        """Return a test for operations of a thread on a word of the vCPU."""

        def test(row: EventRow) -> bool:
            act = row.act
            mine = act.thread == thread and act.kind in kinds
            return mine and field_of(act.word) == (self.v, field)

        return test

    def looks(self, field: str) -> Test:
        """Return a test for the vCPU's looks at what it is owed, in its control word or its requests."""
        reads = self.does(self.v, field, "LOAD")
        return lambda row: reads(row) and row.act.function not in _PLACING

    def turned(self, name: str, bit: int, on: int) -> Test:
        """Return a test for rows that set (or clear) a bit in the view of the vCPU."""

        def test(row: EventRow) -> bool:
            before, after = row.before["vcpus"][self.v][name], row.view["vcpus"][self.v][name]
            was, now = before & bit != 0, after & bit != 0
            return bool(was != now and now == bool(on))

        return test

    def step(self, i: int) -> str:
        """Name a row's step."""
        return f"step {self.rows[i].number}"

    def told(self, i: int) -> str:
        """Return what a row does, and in which step."""
        return f"{operation_text(self.rows[i].act, self.vcpus, self.tasks)} ({self.step(i)})"

    def found(self, i: int) -> str:
        """Return what a row found in its word, and in which step."""
        act = self.rows[i].act
        number, field = field_of(act.word)
        return f"{value_text(field, act.answer, usual_ndst(number, self.tasks))} ({self.step(i)})"

    def who(self, thread: int) -> str:
        """Name a thread; where there are tasks, an actor (:func:`hosts.explorer.explanation.actors.by_actor`)."""
        if "runs" in self.end:
            return actor_name(self.witness.threads, self.end, thread)
        name = self.witness.threads[thread]
        return name if thread < self.vcpus else f"pCPU {thread} ({name})"

    # --- what threads do -----------------------------------------------------------------------------------------

    def in_handler(self, thread: int, i: int) -> str:
        """Say that a thread is in an interrupt's handler."""
        taken = self.last(lambda row: row.act.thread == thread and row.act.kind == "ACK", i)
        if taken < 0 or any(row.act.thread == thread and _in_run_loop(row) for row in self.rows[taken + 1 : i]):
            return ""
        return f", in the handler of {vector_text(self.rows[taken].act.answer)} (taken in {self.step(taken)}),"

    def delivery(self, thread: int, i: int) -> tuple[int, int]:
        """Return the rows between which a thread's delivery or request lies of which one row is known."""

        def begins(row: EventRow) -> bool:
            if row.act.thread != thread or _in_run_loop(row):
                return False
            begun = row.act.function in ("pi_test_and_set_pir", "kvm_make_request")
            return begun or (row.act.kind in _WRITING and field_of(row.act.word)[1].startswith("pi_desc.pir"))

        def over_with(row: EventRow) -> bool:
            return begins(row) or (row.act.thread == thread and _in_run_loop(row))

        start = self.last(begins, i)
        over = self.first(over_with, i)
        return start, over if over >= 0 else len(self.rows)

    def reads_mode(self, row: EventRow, thread: int) -> bool:
        """Return whether a sender reads the mode; the run loop's own read of it does not count."""
        own = row.act.function == "kvm_vcpu_exit_request"
        return not own and self.does(thread, "mode", "LOAD", "CMPXCHG")(row)

    def posts(self, row: EventRow) -> bool:
        """Return whether a vector gets into the PIR."""
        return bool(set(row.view["vcpus"][self.v]["pir"]) - set(row.before["vcpus"][self.v]["pir"]))

    def around(self) -> list[int]:
        """Return the rows of the cycle that a no-progress goes round."""
        return [i for i, row in enumerate(self.rows) if self.witness.cycle and row.step > self.witness.stem]

    def waits(self) -> dict[int, list[int]]:
        """Return for each thread the rows of the cycle that read a word which nothing in the cycle changes."""
        rows = [(i, self.rows[i].act) for i in self.around()]
        changed = {act.word for _, act in rows if act.kind not in ("LOAD", "STORE")} | {
            act.word for _, act in rows if act.kind == "drain"
        }
        found: dict[int, list[int]] = {}
        seen: set[tuple[int, str]] = set()
        for i, act in rows:
            if act.kind == "LOAD" and not act.own and act.word not in changed and (act.thread, act.word) not in seen:
                seen.add((act.thread, act.word))
                found.setdefault(act.thread, []).append(i)
        return found

    def overlooked(self) -> list[tuple[int, int]]:
        """Return the loads that missed a store because it waited in another thread's buffer: (load, store).

        A locked operation loads, too.
        """
        found: dict[tuple[int, int, str], tuple[int, int]] = {}
        for j, row in enumerate(self.rows):
            act = row.act
            if act.kind not in _READING or act.own:
                continue
            for u, buffer in enumerate(row.before["buffers"]):
                values = [value for word, value in buffer if word == act.word]
                if u != act.thread and values and values[-1] != act.answer:
                    i = self.last(_stores(u, act.word), j)
                    found[act.thread, u, act.word] = (j, i)
        return [(j, i) for j, i in found.values() if i >= 0]

    def branches(self, thread: int, after: int, before: int) -> list[dict[str, Any]]:
        """Return the branches that a thread took in the steps from one row to right before another.

        Those of the rule come last; a user's code may have others, in what calls the rule.
        """
        last = self.rows[before].step if before < len(self.rows) else len(self.witness.steps)
        steps = self.witness.states[self.rows[after].step : last + 1]
        taken = [each for state in steps for each in state.get("branches", ()) if each["thread"] == thread]
        own = [each for each in taken if each["function"] not in RUN_LOOP]
        return sorted(own, key=lambda each: each["function"] not in _CALLERS)

    def sleeps(self, row: EventRow) -> bool:
        """Return whether a row takes the task off the run queue."""
        act = row.act
        field = field_of(act.word)[1]
        return field == "wait.state" and act.kind == "CMPXCHG" and act.b == TASK_ASLEEP and act.answer == act.a


def _stores(thread: int, word: str) -> Test:
    """Return a test for a thread's stores to a shared word."""
    return lambda row: (row.act.thread, row.act.kind, row.act.word, row.act.own) == (thread, "STORE", word, False)
