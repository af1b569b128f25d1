"""Weak fairness of a repeated cycle, and whether its progress obligations stay unmet.

The cycle is unfair to a thread, a store buffer or an IPI under way that could move all the time and never did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emu.machine import MAX_PCPUS
from hosts.explorer.counterexample.witness import Step
from hosts.explorer.explanation.format import vectors_in
from hosts.kernel_names import vectors_text
from hosts.native.fabric.frame_kinds import KINDS, kind_of_vector
from hosts.replay.memory import Memory
from hosts.replay.messages import Report

PIR_WORDS: Final = 4

Agent = tuple[str, int, int]
"""``run`` or ``drain`` and the thread; ``arrive``, the target and the kind of vector."""


class Fairness:
    """Observes one round of the cycle."""

    def __init__(self, memory: Memory, last: Sequence[Report]) -> None:
        """``last``: the last report of each process; changes as the cycle goes on."""
        self._memory, self._last = memory, last
        self._vcpus = memory.read(memory.machine.config.vcpus)
        self._obligations = self._pir()
        threads = range(len(last))
        self._never_moved: set[Agent] = {(what, thread, -1) for thread in threads for what in ("run", "drain")}
        self._never_moved |= {("arrive", target, kind) for target in threads for kind in range(KINDS)}
        self._look()

    def moved(self, step: Step) -> None:
        """Record a step."""
        kind = kind_of_vector(step.vector) if step.agent == "arrive" else -1
        self._never_moved.discard((step.agent, step.thread, kind))
        self._look()

    def objection(self) -> str:
        """Return why the cycle is no violation, or the empty string."""
        if not self._obligations:
            return "what was owed has been taken"
        if not self._never_moved:
            return ""
        what, thread, _ = min(self._never_moved)
        named = {"run": "can move", "drain": "has a store in its buffer", "arrive": "has an IPI on its way"}[what]
        return f"pCPU {thread} {named} all the time and is left out"

    def obligations(self) -> str:
        """Return what stayed in the PIR, as text."""
        return ", ".join(
            f"{vectors_text(vectors_in([0] * i + [self._word(v, i)]))} in the PIR of vCPU {v}"
            for v, i in sorted(self._obligations)
        )

    def _look(self) -> None:
        self._obligations &= self._pir()
        self._never_moved -= {agent for agent in self._never_moved if not self._able(*agent)}

    def _able(self, what: str, thread: int, kind: int) -> bool:
        if what == "run":
            return self._last[thread].position == "before an operation"
        return self._last[thread].waiting > 0 if what == "drain" else self._under_way(thread, kind)

    def _under_way(self, target: int, kind: int) -> bool:
        cpus = [self._memory.host.cpus[i] for i in range(len(self._last))]
        sent = sum(self._memory.read(cpu.sent[kind * MAX_PCPUS + target]) for cpu in cpus)
        return sent > self._memory.read(cpus[target].taken[kind])

    def _pir(self) -> set[tuple[int, int]]:
        """Return the words of PIRs that are not empty."""
        return {(v, i) for v in range(self._vcpus) for i in range(PIR_WORDS) if self._word(v, i) != 0}

    def _word(self, vcpu: int, i: int) -> int:
        return self._memory.read(self._memory.machine.vcpus[vcpu].pi_desc.pir[i])
