"""Recorder of events: the steps of a witness taken again, with every operation of every thread recorded.

The search knows only visible operations. A reader also wants to see what a thread does to words of its own, its
VM-entries, what the guest does, and the check that fires. So each thread is run once more, by an automaton that records
its operations.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

from emu.observe import is_instrument
from emu.observe.accounting import VM_ENTRIES, VM_EXITS
from hosts.explorer.build import Builder
from hosts.explorer.explanation.act import Act, StepEvent, View
from hosts.explorer.explanation.branches import Branches
from hosts.explorer.explanation.state_view import view_of
from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Micro, Move, Product, State
from hosts.explorer.model.system import Model
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.continuations import NONE
from hosts.explorer.threads.frames import Frame, Frames
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.sharing import CONSTANT
from hosts.explorer.threads.symbols import word_name
from hosts.explorer.threads.task_switch import NOT_SUSPENDED
from hosts.loader.primitives import ACCESSES, BITS

PRIMITIVES: Final = {name: Op[row.rmw or ("LOAD" if row.loads else "STORE")] for name, row in ACCESSES.items()}
"""Operations on words, as the source calls them."""
_SHOWN: Final = frozenset({*PRIMITIVES.values(), Op.FENCE, Op.SEND, Op.ACK})
"""Operations of the search that a reader wants to see; the rest are instruments, points and choices."""


class Recorder(Automaton):
    """An automaton that records the operations of its thread."""

    ALWAYS_RUNS = True

    def __init__(self, number: int, protocol: Protocol, driver: str, world: World, tasks: dict[int, int]) -> None:
        """``tasks``: what words hold that only one task uses, wherever that runs: of all threads together."""
        self.kept_words: dict[int, int] = {}
        """What words of its own hold, by address."""
        self.task_words = tasks
        self.leaving = False
        """The words of a task are put away."""
        self.acts: list[tuple[Act, dict[int, int]]] = []
        """What it has done, each with the own words as they were before."""
        self.frames: Frames = []
        counters = world.machine.pcpus[number].counters
        self.counted: dict[int, str] = {counters[VM_ENTRIES]: "entry", counters[VM_EXITS]: "exit"}
        self.seen_counting = {
            function.__code__.co_filename
            for function in protocol.program.functions.values()
            if function.__module__.startswith("emu.") and not is_instrument(function.__module__)
        }
        """The files of the machine without its instruments."""
        self.telling = {world.machine.vcpus[i].wait.task for i in range(world.vcpus)}
        """Words that a reader wants to see read though nobody writes them: a wake that finds no waiter."""
        super().__init__(number, protocol, driver, world)

    def goes_on(self, local: int, answer: int) -> tuple[int, list[tuple[Act, dict[int, int]]]]:
        """Answer the operation of a local state; return the next one and what was done on the way."""
        self.acts = []
        self.edges.pop((local, answer), None)  # what is known already is done again
        return self.step(local, answer).local, self.acts

    @property
    def held(self) -> dict[int, int]:
        """Return what words of its own, and of tasks, hold, by address."""
        return {**self.kept_words, **self.task_words}

    def _taken_along(self) -> tuple[tuple[int, int], ...]:
        self.leaving = True
        taken = super()._taken_along()
        self.leaving = False
        return taken

    def _run(self, frames: Frames) -> Operation:
        self.frames = frames
        return super()._run(frames)

    def _table(self) -> dict[str, Callable[..., Operation | None]]:
        table = super()._table()
        return table | {name: self._heard(name, table[name]) for name in PRIMITIVES}

    def _heard(self, name: str, issue: Callable[..., Operation | None]) -> Callable[..., Operation | None]:
        """Wrap a primitive so that an access made at once is recorded."""

        def heard(*arguments: int) -> Operation | None:
            before = self.held
            operation = issue(*arguments)
            flow, call = self.frames[-1].flow, self.frames[-1].call
            word = arguments[ACCESSES[name].word]
            known = self.world.words.kind(word) == CONSTANT and word not in self.telling
            if operation is None and not is_instrument(flow.module) and not known:
                act = Act(
                    self.number, PRIMITIVES[name].name, word_name(self.world.machine, word, self.world.own), own=True
                )
                was = before.get(word, self.world.words.initial.get(word, 0))
                numbers = _numbers(name, arguments, was)
                self._note(replace(act, **numbers, **_at(flow.name, flow.file, flow.calls[call].line)), before)
            return operation

        return heard

    def _call(self, frames: Frames, name: str, arguments: Any) -> Frame:
        caller = frames[-1]
        place = _at(caller.flow.name, caller.flow.file, caller.flow.calls[caller.call].line)
        if name == "guest_action":
            self._note(Act(self.number, "guest", a=arguments[1], **place))
        elif name == "deliver_virtual_interrupt":
            rvi = self.held.get(arguments[0].vmcs.rvi, 0)
            self._note(Act(self.number, "deliver", a=rvi, **{**place, "function": name}))
        elif name in ("sighting", "own_sighting"):
            check = self.world.own.checks[arguments[1]]
            about = self.world.vcpu_of(arguments[0].at) if self.tasks else 0
            self._note(Act(self.number, "sighting", check, a=arguments[2], b=about, **_in_check(place, name, check)))
        return super()._call(frames, name, arguments)

    def _resume(self, frames: Frames, word: int, number: int) -> Operation | None:
        if number == NONE:
            flow, call = frames[-1].flow, frames[-1].call
            place = _at(flow.name, flow.file, flow.calls[call].line)
            check = self.world.own.checks[NOT_SUSPENDED]
            self._note(Act(self.number, "sighting", check, a=-1, b=self.world.vcpu_of(word), **place))
        return super()._resume(frames, word, number)

    def private_write(self, word: int, value: int) -> None:
        """Write a private word; a write of the counter of entries or exits is an event."""
        kind = self.counted.get(word)
        if kind is not None:
            reason = self._exit_reason() if kind == "exit" else 0
            self._note(Act(self.number, kind, a=reason, **self._caller()))
        super().private_write(word, value)

    def set_own(self, word: int, value: int) -> None:
        """Write a word of its own, and keep what it holds though nobody may ever read it."""
        if not self.leaving:
            words = self.kept_words if self.user(word) == self.number else self.task_words
            words[word] = value
        super().set_own(word, value)

    def _caller(self) -> dict[str, Any]:
        """Find the line of the protocol on whose behalf an instrument counts."""
        frame: FrameType | None = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename not in self.seen_counting:
            frame = frame.f_back
        if frame is not None:
            return _at(re.sub(r"_\d+$", "", frame.f_code.co_name), frame.f_code.co_filename, frame.f_lineno)
        for each in reversed(self.frames):
            if each.flow.file in self.seen_counting:
                return _at(each.flow.name, each.flow.file, each.flow.calls[each.call].line)
        return _at("", "", 0)

    def _exit_reason(self) -> int:
        vcpu = self.current - self.world.pcpus if self.tasks else self.number
        if not 0 <= vcpu < self.world.vcpus:
            return 0
        word = self.world.machine.vcpus[vcpu].vmcs.vm_exit_reason
        return self.held.get(word, self.world.words.initial.get(word, 0))

    def _note(self, act: Act, before: dict[int, int] | None = None) -> None:
        self.acts.append((act, self.held if before is None else before))


def _numbers(name: str, arguments: Sequence[int], was: int) -> dict[str, Any]:
    """Return an operation's arguments and answer as the search has them: what the word held, whatever code is given."""
    if name in BITS:
        bit = 1 << (arguments[0] & 63)
        return {"a": bit if PRIMITIVES[name] == Op.OR else ~bit, "answer": was}
    if name == "take_half":
        return {"a": 0xFFFF_FFFF if arguments[1] != 0 else -0x1_0000_0000, "answer": was}
    a, b = (*arguments[1:], 0, 0)[:2]
    return {"a": a, "b": b, "answer": was}


def _at(function: str, file: str, line: int) -> dict[str, Any]:
    return {"function": function, "file": Path(file).name, "line": line}


# --- from moves to what is told ----------------------------------------------------------------------------------


class _Recording:
    """Takes the moves of a witness again, and collects the events of each step."""

    def __init__(self, builder: Builder, model: Model, options: Options) -> None:
        self.builder, self.model = builder, model
        self.product = Product(model, options)
        self.state = self.product.initial()
        tasks: dict[int, int] = {}
        self.recorders = [
            Recorder(i, builder.protocol, f"thread_{i}", builder.world, tasks) for i in range(len(model.threads))
        ]
        self.places = [0] * len(model.threads)
        self.started: set[int] = set()
        """Threads that have moved: the others' own words are as they were at power-on."""
        self.branches = Branches(builder.protocol.lines)
        self.taken: list[dict[str, Any]] = []
        """Branches of the rule that the last move took."""
        self.begun = [list(recorder.acts) for recorder in self.recorders]
        """What threads do before their first operation."""

    def view(self, state: State, thread: int = -1, held: Mapping[int, int] | None = None) -> View:
        """Return what can be seen now; ``held``: with these own words of a thread."""
        begun = [recorder for i, recorder in enumerate(self.recorders) if i in self.started]
        own = {word: value for recorder in begun for word, value in recorder.held.items()}
        if held is not None:
            own = {word: value for word, value in own.items() if word not in self.recorders[thread].held} | dict(held)
        return view_of(self.builder.world, self.model, state, own)

    def move(self, number: int, move: Move) -> list[StepEvent]:
        """Take one move."""
        before = self.state
        outcome = self.product.outcome(before, move)
        self.state = outcome.state
        self.taken = []
        if move.agent == "run":
            self.branches.begin()
            told = self._ran(number, move.thread, before, outcome.micros)
            self.taken = [{"thread": move.thread, **each} for each in self.branches.end()]
            return told
        if move.agent == "drain":
            word, value = before.buffers[move.thread][0]
            act = Act(move.thread, "drain", self.model.words[word], value)
        else:
            act = Act(move.thread, "arrive", a=self.model.vectors[move.vector])
        return [StepEvent(number, 0, act, self.view(self.state))]

    def _ran(self, number: int, thread: int, before: State, micros: Sequence[Micro]) -> list[StepEvent]:
        """Return the visible acts of a thread's step, each with what is seen after it."""
        recorder = self.recorders[thread]
        self.started.add(thread)
        found = [(act, held, before) for act, held in self.begun[thread]]
        self.begun[thread] = []
        for i, micro in enumerate(micros):
            state = _not_yet_sent(self.state, micros[i + 1 :])
            act = self._operation(thread, micro)
            if act is not None:
                found.append((act, recorder.held, state))
            self.places[thread], acts = recorder.goes_on(self.places[thread], micro.answer)
            found += [(act, held, state) for act, held in acts]
        if not found:
            return []
        helds = [*(held for _act, held, _state in found[1:]), recorder.held]
        views = [self.view(state, thread, held) for (_act, _held, state), held in zip(found, helds, strict=True)]
        first = 1 if found[0][0].own else 0
        return [
            StepEvent(number, part, act, view)
            for part, ((act, _held, _state), view) in enumerate(zip(found, views, strict=True), first)
        ]

    def _operation(self, thread: int, micro: Micro) -> Act | None:
        """Return an operation of the search, if a reader wants to see it."""
        operation = micro.operation
        if operation.kind not in _SHOWN:
            return None
        place = self.model.threads[thread].place(operation.where)
        word = self.model.words[operation.word] if operation.word >= 0 else ""
        b = self.model.vectors[operation.b] if operation.kind == Op.SEND else operation.b
        answer = self.model.vectors[micro.answer] if operation.kind == Op.ACK else micro.answer
        where = _at(place.function, place.file, place.line)
        return Act(thread, operation.kind.written, word, operation.a, b, answer, **where)


def _in_check(place: dict[str, Any], instrument: str, check: str) -> dict[str, Any]:
    """Return where a check fired: of a user's own its name, not that of the function that asks for it."""
    return place if instrument == "sighting" else {**place, "function": check}


def _not_yet_sent(after: State, later: Sequence[Micro]) -> State:
    """Return the state after a step without the IPIs that operations yet to come send."""
    flight = list(after.flight)
    for micro in later:
        if micro.operation.kind == Op.SEND:
            flight.remove((micro.operation.a, micro.operation.b))
    return after._replace(flight=tuple(flight))


def record_events(builder: Builder, model: Model, options: Options, moves: Sequence[Move]) -> list[dict[str, Any]]:
    """Take the moves again; return what is seen at the start and after each step, with its acts and branches."""
    recording = _Recording(builder, model, options)
    seen: list[dict[str, Any]] = [
        {"view": view_of(builder.world, model, recording.state, {}), "acts": [], "branches": []}
    ]
    for number, move in enumerate(moves, 1):
        told = [each.data() for each in recording.move(number, move)]
        seen.append({"view": dict(recording.view(recording.state)), "acts": told, "branches": recording.taken})
    return seen
