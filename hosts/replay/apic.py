"""The local APIC of one process: IPIs as ZeroMQ messages, which are delivered when the witness says so.

A message that libzmq has received and whose delivery has not come is still under way.
"""

from __future__ import annotations

from typing import Final

from emu.machine import MAX_PCPUS
from emu.waist import BIT, fls64
from hosts.native.fabric import wire
from hosts.native.fabric.frame_kinds import KINDS, kind_of_vector
from hosts.native.fabric.sockets import Fabric
from hosts.replay.memory import Memory

_WORDS: Final = 4


class Apic:
    """Sockets, counters and the pending set."""

    def __init__(self, memory: Memory, fabric: Fabric, token: int) -> None:
        """``fabric`` is connected."""
        self._memory, self._fabric, self._token = memory, fabric, token
        self._own = memory.host.cpus[fabric.cpu]
        self._sent = [1] * fabric.pcpus
        """The sequence number of the next frame to each; 0 was the hello."""
        self._expected = [1] * fabric.pcpus
        self._arrived: list[int] = []
        """Vectors that were received and not yet delivered."""

    def send(self, target: int, vector: int) -> None:
        """Count an IPI, then send it."""
        memory = self._memory
        counter = self._own.sent[kind_of_vector(vector) * MAX_PCPUS + target]
        memory.write(counter, memory.read(counter) + 1)
        frame = wire.Frame(self._token, self._fabric.cpu, target, vector, self._sent[target])
        self._sent[target] += 1
        self._fabric.push[target].send(wire.encode(frame))

    def in_flight(self, kind: int | None = None) -> int:
        """Count the IPIs to this pCPU that were sent and have not arrived, all or of one kind."""
        memory, me = self._memory, self._fabric.cpu
        kinds = range(KINDS) if kind is None else (kind,)
        cpus = [memory.host.cpus[cpu] for cpu in range(self._fabric.pcpus)]
        sent = sum(memory.read(cpu.sent[each * MAX_PCPUS + me]) for cpu in cpus for each in kinds)
        return sent - sum(memory.read(self._own.taken[each]) for each in kinds)

    def arrive(self, vector: int) -> bool:
        """Deliver an IPI; False if none is under way. One that was counted comes, so there is no time limit."""
        kind = kind_of_vector(vector)
        if self.in_flight(kind) == 0:
            return False
        while vector not in self._arrived:
            self._arrived.append(self._received())
        self._arrived.remove(vector)
        memory, taken = self._memory, self._own.taken[kind]
        word = self._own.pending[vector >> 6]
        memory.write(word, memory.read(word) | BIT(vector & 63))
        memory.write(taken, memory.read(taken) + 1)
        return True

    def _received(self) -> int:
        """Return the vector of the next frame that is one of ours."""
        while True:
            data = self._fabric.pull.recv()
            if wire.flaw(data, self._token, self._fabric.cpu, self._fabric.pcpus, self._expected) is None:
                frame = wire.decode(data)
                assert frame is not None  # noqa: S101 - it has no flaw
                self._expected[frame.sender] += 1
                return frame.vector

    def pending(self, deferrable: frozenset[int] = frozenset()) -> bool:
        """Return whether a vector is pending, apart from those that are deferrable."""
        return self._highest(deferrable) >= 0

    def acknowledge(self, deferrable: frozenset[int] = frozenset()) -> int:
        """Take the highest pending vector, apart from those that are deferrable."""
        highest = self._highest(deferrable)
        if highest < 0:
            raise RuntimeError("a vector was acknowledged and none was pending")
        word = self._own.pending[highest >> 6]
        self._memory.write(word, self._memory.read(word) & ~BIT(highest & 63))
        return highest

    def _highest(self, deferrable: frozenset[int]) -> int:
        """Return the highest pending vector that is not deferrable, or -1."""
        for i in reversed(range(_WORDS)):
            left_out = sum(1 << (vector & 63) for vector in deferrable if vector >> 6 == i)
            bits = self._memory.read(self._own.pending[i]) & ~left_out
            if bits != 0:
                return i * 64 + fls64(bits) - 1
        return -1
