"""Thread automata whose checks do not repair what they find, so that it shows what the machine makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from emu.observe.accounting import VM_EXITS
from hosts.explorer.model.operations import Operation
from hosts.explorer.model.system import Transition
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.frames import Frames
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.protocol import Protocol

_REPAIRS: Final = (
    *("sighting", "put_right", "drop_requests", "balance", "wake_the_overlooked"),
    "put_sleeper_right",  # the idle task's driver
)
"""Instruments that record what was seen and put it right."""


class Event(NamedTuple):
    """Something that a thread does by itself: ``exit`` with its reason, or ``own``: a word of its own is written."""

    kind: str
    word: int = 0
    old: int = 0
    new: int = 0
    vcpu: int = 0
    """Of an exit: the vCPU."""


class Unrepaired(Automaton):
    """An automaton whose transitions list what the thread does to words of its own."""

    ALWAYS_RUNS = True

    def __init__(self, number: int, protocol: Protocol, driver: str, world: World) -> None:
        self.events: list[Event] = []
        self.along: dict[tuple[int, int], tuple[Event, ...]] = {}
        """What is done along an edge, by local state and answer."""
        self.frames: Frames = []
        self._exits = world.machine.pcpus[number].counters[VM_EXITS]
        self._rvis = {world.machine.vcpus[i].vmcs.rvi for i in range(world.vcpus)}
        super().__init__(number, protocol, driver, world)

    def step(self, local: int, answer: int) -> Transition:
        """Return where an answer leads."""
        known = (local, answer) in self.along
        if not known:
            self.events = []
        edge = super().step(local, answer)
        if not known:
            self.along[local, answer] = tuple(self.events)
        return edge

    def _run(self, frames: Frames) -> Operation:
        self.frames = frames
        return super()._run(frames)

    def _table(self) -> dict[str, Callable[..., Operation | None]]:
        return super()._table() | dict.fromkeys(_REPAIRS, lambda *_: self.gave(None))

    def set_own(self, word: int, value: int) -> None:
        """Write a word of its own, and record it."""
        if word in self.world.words.read:
            self.events.append(Event("own", word, self.own_value(word), value))
        super().set_own(word, value)

    def private_write(self, word: int, value: int) -> None:
        """Write a private word; what the check of the VM-entry writes into RVI is left out."""
        if word == self._exits:
            vcpu = self.current - self.world.pcpus if self.tasks else self.number
            reason = self.own_value(self.world.machine.vcpus[vcpu].vmcs.vm_exit_reason)
            self.events.append(Event("exit", new=reason, vcpu=vcpu))
        if word in self._rvis and self.frames and self.frames[-1].flow.name == "check_vm_entry":
            return
        super().private_write(word, value)
