"""Switches between tasks: a thread leaves one stack of frames, and goes on with another.

``switch_to`` is one step: a fence, which waits for the own buffer; a mark in the context word of the task that leaves;
an exchange in that of the task that is resumed, which says what is resumed. The last two are no scheduling points. A
context word that only this thread uses (the idle task's) makes no operation. On the way no task is current, so that
context words are the threads', not the tasks' (:meth:`hosts.explorer.threads.memory.Access.user`).
"""

from __future__ import annotations

from typing import Any, Final

from emu.observe.accounting import CHECKS
from hosts.explorer.model.entered import check_bit
from hosts.explorer.model.operations import FENCELESS, SCHEDULED, Op, Operation
from hosts.explorer.threads.continuations import NONE, WaitingFrame
from hosts.explorer.threads.frames import Frame, Frames, SuspendedFrame, top
from hosts.explorer.threads.live_variables import ANSWER
from hosts.explorer.threads.machine_words import World, current_word, over_word
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.resume import HANDLER, Resumable

SWITCH: Final = "switch_to"
NOT_SUSPENDED: Final = CHECKS.index("C14") if "C14" in CHECKS else len(CHECKS) - 1
"""The check that fires where a task is resumed that is not suspended."""
_LEFT, _RESUMES = 1, 2
"""How far a switch is, in place of the first argument of ``switch_to``, an address: the other task's context is due; it
has been asked for."""


class Switching(Resumable):
    """A thread that switches between tasks."""

    def __init__(self, number: int, protocol: Protocol, world: World) -> None:
        super().__init__(number, protocol, world)
        self.preempted: set[int] = set()
        """Tasks that have been left from within the handler of an interrupt, by user; the idle task by -1."""

    def _answered(self, frames: Frames, answer: int) -> Operation | None:
        frame = top(frames)
        if frame.call >= 0 and frame.flow.calls[frame.call].name == SWITCH:
            return self._switched(frames, frame, answer)
        return super()._answered(frames, answer)

    def _switched(self, frames: Frames, frame: Frame, answer: int) -> Operation | None:
        """Go on with a switch whose last operation was answered."""
        at, word = frame.values[ANSWER]
        if at not in (_LEFT, _RESUMES):
            operation = self._leave(frames, frame, at, word)
            if operation is not None:
                return operation
            at, frame = _LEFT, top(frames)
        if at == _LEFT:
            frame.values[ANSWER] = (_RESUMES, word)
            operation = self.modify(Op.XCHG, word, NONE, flags=FENCELESS)
            if operation is not None:
                return self._within(operation, frame)
            answer = self.done.value
        return self._resume(frames, word, answer)

    def _leave(self, frames: Frames, frame: Frame, prev: int, word: int) -> Operation | None:
        """Put the running task away, and its number into its context word ``prev``; the other's is ``word``."""
        self.general = False  # it depends on the whole stack, and on all words of the task
        self.world.words.read.update((prev, word))
        flow, call = frame.flow, frame.call
        if any(each.flow.name == HANDLER for each in frames):
            self.preempted.add(self.current)
        frame.values[ANSWER] = None
        waiting = tuple([self._keep(each, pending=False) for each in frames])
        number = self.world.continuations.number(waiting, self._taken_along())
        self.own_flag(current_word(self.number), 0)
        frames[:] = [Frame(flow, frame.block, [(_LEFT, word), *[None] * (flow.size - 1)], call)]
        operation = self.write(prev, number, Op.GHOST_WRITE)
        return operation and self._within(operation, top(frames))

    def _taken_along(self) -> tuple[tuple[int, int], ...]:
        """Return the words that only the running task uses, and put them back to what they were at the start."""
        user = self.current
        if user < 0:
            return ()
        words, taken, carried = self.world.words, [], set()
        for word, slot in list(self.slots.items()):
            if slot < len(self.own) and (word == over_word(user) or words.users.get(word) == {user}):
                first = words.initial.get(word, 0)
                value = self.own_value(word)
                carried.add(word)
                if value != first:
                    taken.append((word, value))
                    self.set_own(word, first)
        self.carried.update(carried)
        return tuple(sorted(taken))

    def _resume(self, frames: Frames, word: int, number: int) -> Operation | None:
        """Go on with the task that was put away under a number; if none was, a pCPU can only crash."""
        self.round = True
        if number == NONE:
            frames.clear()
            self.windows |= 1 << check_bit(NOT_SUSPENDED)
            self.sighting = self.sighting if self.sighting >= 0 else NOT_SUSPENDED * 256 + 255
            return Operation(Op.END)
        continuation = self.world.continuations[number]
        self.own_flag(current_word(self.number), self.world.vcpu_of(word) + 1)
        for each, value in continuation.words:
            self.set_own(each, value)
        self.carried.update(word for word, _ in continuation.words)
        frames[:] = [self._own_frame(each) for each in continuation.frames]
        frame = top(frames)
        if frame.call >= 0:
            frame.block, frame.call = frame.flow.calls[frame.call].after, -1
        return None

    def _own_frame(self, waiting: WaitingFrame) -> SuspendedFrame:
        flow = self.protocol.flows[waiting.function]
        values: list[Any] = list(waiting.values) or [None] * flow.size
        return self._keep(Frame(flow, waiting.block, values, waiting.call), pending=False)

    def _within(self, operation: Operation, frame: Frame) -> Operation:
        """Place an operation of a switch, which belongs to the step of its fence."""
        placed = self._placed(operation, frame.flow, frame.call)
        return placed._replace(flags=placed.flags & ~SCHEDULED)
