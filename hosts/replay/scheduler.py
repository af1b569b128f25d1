"""The scheduler of a replay: has the processes execute a witness step by step, and reads what the checkers recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from emu.machine import MAX_PCPUS
from hosts.explorer.counterexample.witness import Step, Witness
from hosts.kernel_names import on_vector
from hosts.native.fabric.frame_kinds import KINDS
from hosts.replay.conformance import Comparison
from hosts.replay.fairness import Fairness
from hosts.replay.messages import Arrive, Command, Drain, Report, Run
from hosts.replay.processes import Died, ReplayProcesses
from hosts.replay.program import ReplayProgram
from hosts.runs.collect import Violation, violations_in

DEADLOCK: Final = "deadlock"
NO_PROGRESS: Final = "no-progress"
ROUNDS: Final = 3
"""Times that the cycle of a no-progress violation is repeated."""

Ending = Literal["shown", "other", "none", "diverged", "crash"]


@dataclass(frozen=True)
class Replayed:
    """The result of one replay."""

    ending: Ending
    why: str
    """What was seen, or why it was not the witness's violation."""
    steps: int
    """Steps taken as the witness has them."""
    violations: tuple[Violation, ...] = ()

    @property
    def shown(self) -> bool:
        """Return whether the witness's violation showed."""
        return self.ending == "shown"


def replay(witness: Witness, code: ReplayProgram) -> Replayed:
    """Replay a witness once, on fresh processes; EnvironmentLacks if they cannot be started."""
    try:
        with ReplayProcesses(witness, code) as processes:
            return _Replay(witness, processes, code).run()
    except Died as error:
        return Replayed("crash", str(error), 0)


class Failed(Exception):  # noqa: N818 - not an error of this program
    """A process's code has failed; the message says where."""


class _Replay:
    """One execution of the steps."""

    def __init__(self, witness: Witness, processes: ReplayProcesses, code: ReplayProgram) -> None:
        self.witness = witness
        self.processes = processes
        self.comparison = Comparison(witness, code.contexts)
        self.own = code.own
        self.last = [Report() for _ in witness.threads]

    def run(self) -> Replayed:
        """Execute the steps; repeat the cycle of a no-progress violation."""
        if self.witness.check != NO_PROGRESS:
            return self._walk(self.witness.steps, 0) or self._end()
        stem, taken = self.witness.stem, self.witness.stem
        ended = self._walk(self.witness.steps[:stem], 0)
        obligations = ""
        for number in range(1, ROUNDS + 1):
            fairness = Fairness(self.processes.memory, self.last)
            ended = ended or self._walk(self.witness.steps[stem:], stem, fairness)
            if ended:
                return ended if number == 1 else replace(ended, why=f"{ended.why} (round {number})")
            taken += self.witness.cycle
            if wrong := fairness.objection():
                return Replayed("none", wrong, taken)
            obligations = fairness.obligations()
        return Replayed("shown", f"{ROUNDS} times round with {obligations}, nobody left out", taken)

    def _walk(self, steps: Sequence[Step], before: int, fairness: Fairness | None = None) -> Replayed | None:
        """Execute some steps, after the first ``before`` of the witness; return how the replay ended if it did."""
        endless = self.witness.check == NO_PROGRESS
        for number, step in enumerate(steps, before + 1):
            try:
                wrong = self._step(step)
            except (Died, Failed) as error:
                return Replayed("crash", f"at step {number}: {error}", number - 1)
            if wrong:
                return Replayed("diverged", f"diverged at step {number}: {wrong}", number - 1)
            seen = self._violations()
            if seen and (endless or number < len(self.witness.steps)):
                has = "the witness has none" if endless else "which the witness has at its end"
                return Replayed("diverged", f"diverged at step {number}: {_fired(seen)} already, {has}", number, seen)
            if fairness is not None:
                fairness.moved(step)
        return None

    def _step(self, step: Step) -> str:
        """Execute one step; return how it differs from the witness's, or the empty string."""
        report = self.last[step.thread] = self.processes.execute(step.thread, _command(step))
        if report.error:
            raise Failed(report.error)
        if report.diverged:
            # If what came before differs already, that tells more.
            return self.comparison.step(step, report.done, cut_short=True) or report.diverged
        if step.agent == "drain":
            return self.comparison.drained(step, report.drained)
        return self.comparison.step(step, report.done)

    def _violations(self) -> tuple[Violation, ...]:
        return violations_in(self.processes.memory.words, len(self.witness.threads), self.own)

    def _end(self) -> Replayed:
        """Return the result after the last step."""
        seen, steps = self._violations(), len(self.witness.steps)
        if self.witness.check == DEADLOCK:
            return self._deadlock(seen)
        if not seen:
            return Replayed("none", "no check fired", steps)
        for violation in seen:
            vector = violation.first["vector"]
            if violation.check == self.witness.check and (-1 if vector is None else vector) == self.witness.vector:
                return Replayed("shown", _fired((violation,)), steps, seen)
        return Replayed("other", f"{_fired(seen)} instead", steps, seen)

    def _deadlock(self, seen: tuple[Violation, ...]) -> Replayed:
        """Return whether this is a deadlock: no thread can move and one has not ended."""
        steps = len(self.witness.steps)
        able = any(report.position == "before an operation" for report in self.last)
        if able or any(report.waiting for report in self.last) or self._under_way():
            return Replayed("none", "somebody can still move", steps, seen)
        if all(report.position == "at its end" for report in self.last):
            return Replayed("none", "all threads have come to their ends", steps, seen)
        return Replayed("shown", "nobody can move", steps, seen)

    def _under_way(self) -> int:
        """Count the IPIs that were sent and have not arrived."""
        memory = self.processes.memory
        cpus = [memory.host.cpus[i] for i in range(len(self.witness.threads))]
        sent = sum(memory.read(cpu.sent[i]) for cpu in cpus for i in range(KINDS * MAX_PCPUS))
        return sent - sum(memory.read(cpu.taken[i]) for cpu in cpus for i in range(KINDS))


def _command(step: Step) -> Command:
    if step.agent == "run":
        return Run(step.answers)
    return Arrive(step.vector) if step.agent == "arrive" else Drain()


def _fired(violations: Sequence[Violation]) -> str:
    """Return the checks that fired, with their vectors, as text."""
    named = []
    for each in violations:
        vector = each.first["vector"]
        named.append(each.check if vector is None else each.check + on_vector(vector))
    return ", ".join(named)
