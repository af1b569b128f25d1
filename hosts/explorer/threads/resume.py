"""Resumption: a thread's code run by blocks from one suspension to the next operation that is due.

A stack of frames is all there is to a suspended thread (:mod:`hosts.explorer.threads.frames`); handlers of interrupts
are frames like others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hosts.explorer.model.operations import SCHEDULED, Op, Operation
from hosts.explorer.threads.cfg import Flow
from hosts.explorer.threads.coverage import Endless
from hosts.explorer.threads.frames import Frame, Frames, SuspendedFrame, bound_arguments, top, typed
from hosts.explorer.threads.live_variables import ANSWER, RETURN
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.memory import Unexplorable
from hosts.explorer.threads.primitives import ASKED_TWICE, Primitives
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.unbounded_loops import Head, Passed, let_others_act
from hosts.loader.syntax.language import LoaderError

HANDLER: Final = "common_interrupt"
REFUSED: Final = "decides when its own pCPU takes interrupts: that another one writes it cannot be explored"
LONGEST: Final = 1_000_000
"""Blocks that a thread runs from one operation to the next; more is a loop that never ends."""


class Resumable(Primitives):
    """A thread that is run from where it was suspended."""

    def __init__(self, number: int, protocol: Protocol, world: World) -> None:
        super().__init__(number, protocol.program, world)
        self.protocol = protocol
        self.places: dict[tuple[str, int], int] = {}
        self.where: list[tuple[Flow, int]] = []
        self.kept: dict[Any, SuspendedFrame] = {}
        self.spots = world.spots
        self.round = False
        """The run to the next operation came round: by a ``while``, or back to an interrupt point."""
        self.crossed: set[Head] = set()
        """Loops that were come round since the last operation."""
        self.untouched = 0
        """Of the frames that waited when the run began: how many wait still, and have not been looked at."""

    def _answered(self, frames: Frames, answer: int) -> Operation | None:
        """Resume the due primitive with its answer; return its next operation if it makes two."""
        frame = top(frames)
        if frame.call < 0:
            return None  # it paused where a loop begins anew
        call = frame.flow.calls[frame.call]
        arguments = frame.values[ANSWER]
        frame.values[ANSWER] = None
        if call.name == "interrupt_point":
            if answer or self.paused:
                frame.call = -1  # the point is come back to when the handler has run
                if answer:
                    self.round = True
                    self._call(frames, HANDLER, ())
                return None
            value = None
        elif call.name == "run_goes_on" and arguments == () and answer >= 1 - self.world.serving:
            frame.values[ANSWER] = ASKED_TWICE
            return self._placed(Operation(Op.CHOOSE, a=2), frame.flow, frame.call)
        else:
            value = self._value(call.name, arguments, answer)
        frame.values[call.target] = value
        frame.block, frame.call = call.after, -1
        return None

    def _run(self, frames: Frames) -> Operation:
        """Run blocks until an operation is due."""
        self.protocol.lines.turns = 0
        frame = top(frames)
        for done in range(LONGEST):
            if done == LONGEST // 2:  # what is passed from here on belongs to a loop that never ends
                self.crossed.clear()
                self.met.clear()
            flow, values = frame.flow, frame.values
            code = flow.codes[frame.block](values)
            if code >= 0:
                back = code <= frame.block and code in flow.heads
                frame.block = code
                if back and self._pauses(flow, code):
                    return self._placed(Operation(Op.YIELD, flags=SCHEDULED), flow, -1 - code)
            elif code == RETURN:
                frames.pop()
                if not frames:
                    return Operation(Op.END)
                self.untouched = min(self.untouched, len(frames) - 1)
                frame = top(frames)
                if frame.call >= 0:
                    call = frame.flow.calls[frame.call]
                    frame.values[call.target] = values[ANSWER]
                    frame.block, frame.call = call.after, -1
            else:
                number = -2 - code
                call = flow.calls[number]
                arguments = values[ANSWER]
                frame.call = number
                issue = self.issue.get(call.name)
                if issue is None:
                    values[ANSWER] = None
                    frame = self._call(frames, call.name, arguments)
                    continue
                operation = self._issued(issue, arguments, flow, call.line)
                if operation is not None:
                    return self._placed(operation, flow, number)
                values[ANSWER] = None
                values[call.target] = self.done.value
                frame.block, frame.call = call.after, -1
        flow = frame.flow
        let_others_act(self.world, self.number, self._passed())
        raise Endless(flow.file, flow.calls[0].line if flow.calls else 1, f"{flow.name} does not come to an end")

    def _issued(
        self, issue: Callable[..., Operation | None], arguments: tuple[Any, ...], flow: Flow, line: int
    ) -> Operation | None:
        try:
            return issue(*arguments)
        except Unexplorable as word:
            raise LoaderError(flow.file, line, f"{word} {REFUSED}") from None

    def _pauses(self, flow: Flow, head: int) -> bool:
        """Record a turn of a loop; return whether it is a scheduling point."""
        self.round = True
        self.crossed.add(Head(flow.file, flow.heads[head], flow.name, head))
        return (flow.name, head) in self.world.breathers

    def _passed(self) -> Passed:
        return Passed(frozenset(self.crossed), frozenset(self.met))

    def _call(self, frames: Frames, name: str, arguments: Any) -> Frame:
        """Begin a function; the caller's frame waits from now on."""
        frames[-1] = self._keep(frames[-1], pending=False)
        flow = self.protocol.flows[name]
        if len(arguments) == 2 and isinstance(arguments[1], dict):  # noqa: PLR2004 - see hosts.explorer.threads.cfg
            arguments = bound_arguments(flow, *arguments)
        values = [None, *arguments, *[None] * (flow.size - 1 - len(arguments))]
        missing = flow.arguments - len(arguments)
        if missing:
            values[flow.arguments + 1 - missing : flow.arguments + 1] = flow.defaults[-missing:]
        frame = Frame(flow, 0, values)
        frames.append(frame)
        return frame

    def _keep(self, frame: Frame | SuspendedFrame, *, pending: bool) -> SuspendedFrame:
        """Return a suspended frame without dead locals; ``pending``: with the arguments of the due operation."""
        if isinstance(frame, SuspendedFrame):
            return frame
        flow, values, call = frame.flow, frame.values, frame.call
        if self.world.forget:
            live: Sequence[int] = flow.live_in_call[call] if call >= 0 else flow.live[frame.block]
        else:
            live = range(1, flow.size)
        arguments = values[ANSWER] if pending and call >= 0 else None
        key = (flow.name, frame.block, call, typed(arguments), *[typed(values[slot]) for slot in live])
        found = self.kept.get(key)
        if found is None:
            kept = [None] * len(values)
            for slot in live:
                kept[slot] = values[slot]
            kept[ANSWER] = arguments
            spot = self.spots.setdefault((flow.name, frame.block, call), len(self.spots))
            found = self.kept[key] = SuspendedFrame(len(self.kept), spot, flow, frame.block, tuple(kept), call)
        return found

    def _placed(self, operation: Operation, flow: Flow, number: int) -> Operation:
        key = (flow.name, number)
        if key not in self.places:
            self.places[key] = len(self.where)
            self.where.append((flow, number))
        return self._stamped(operation, flow.module, self.places[key])
