"""Reference semantics under x86-TSO (Sewell et al. 2010), one state and one move at a time, in plain Python.

This is the definition. The native search (:mod:`hosts.explorer.search.bfs`) does the same over small numbers and is
held to it by tests; witnesses are told from here.

A move is one of: a thread runs one step (its operation and those that belong to it), the oldest store of a buffer
reaches memory, an IPI arrives.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from hosts.explorer.model.operations import LOCKED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.rmw import modified
from hosts.explorer.model.store_merging import Buffer, left
from hosts.explorer.model.system import Model
from hosts.word64 import signed

LONGEST_STEP: Final = 10_000
"""Operations in one step; more is a thread that never lets others act."""

Agent = Literal["run", "drain", "arrive"]


class State(NamedTuple):
    """One state of the whole system."""

    locals: tuple[int, ...]
    memory: tuple[int, ...]
    buffers: tuple[tuple[tuple[int, int], ...], ...]
    """For each thread the (word, value) that wait, the oldest first."""
    flight: tuple[tuple[int, int], ...]
    """IPIs sent and not arrived, as sorted (target, vector number): a bag."""
    pending: tuple[int, ...]
    """For each thread a bit for each vector number pending at its APIC."""


class Move(NamedTuple):
    """Who moves. ``vector`` is meant for arrivals, ``answers`` for the branches inside a thread's step, in order."""

    agent: Agent
    thread: int
    vector: int = -1
    answers: tuple[int, ...] = ()


class Micro(NamedTuple):
    """One operation of a step, and what it was answered."""

    local: int
    operation: Operation
    answer: int


class Outcome(NamedTuple):
    """What a move leads to."""

    move: Move
    state: State
    windows: int
    sighting: int
    micros: tuple[Micro, ...]


class Product:
    """A model's states and moves."""

    def __init__(self, model: Model, options: Options, *, merging: bool = False) -> None:
        """``merging``: stores reach memory together as in the search (:mod:`hosts.explorer.model.store_merging`).

        Otherwise each does by itself, and what may be merged there finds room in any buffer here.
        """
        self.model = model
        self.options = options
        self._looks = model.looks if merging else {}
        self._room = options.buffer if merging or not model.single else sys.maxsize
        self.waited = False
        """A store has waited because its buffer was full."""
        self.buffer_flag_of = tuple(model.buffer_flag_of) or (-1,) * len(model.words)
        self._late = sum(1 << vector for vector in model.deferrable)

    def initial(self) -> State:
        """Return the state at the start."""
        threads = len(self.model.threads)
        return State((0,) * threads, tuple(self.model.initial), ((),) * threads, (), (0,) * threads)

    def ended(self, state: State) -> bool:
        """Return whether all threads have ended and nothing is on its way."""
        done = all(self._operation(state, t).kind == Op.END for t in range(len(state.locals)))
        return done and not any(state.buffers) and not state.flight

    def agents(self, state: State) -> Iterator[Iterator[Outcome]]:
        """Return for each that may move what its moves lead to, worked out when it is asked for."""
        for thread in range(len(state.locals)):
            yield self.runs(state, thread)
        for thread, buffer in enumerate(state.buffers):
            if buffer:
                yield iter((Outcome(Move("drain", thread), self._drained(state, thread), 0, -1, ()),))
        for target, vector in sorted(set(state.flight)):
            yield iter((Outcome(Move("arrive", target, vector), self._arrived(state, target, vector), 0, -1, ()),))

    def outcomes(self, state: State) -> Iterator[Outcome]:
        """Return all moves that are possible and what they lead to."""
        return itertools.chain.from_iterable(self.agents(state))

    def outcome(self, state: State, move: Move) -> Outcome:
        """Return what one possible move leads to."""
        return next(outcome for outcome in self.outcomes(state) if outcome.move == move)

    # --- what moves by itself ------------------------------------------------------------------------------------

    def _drained(self, state: State, thread: int) -> State:
        (word, value), *rest = state.buffers[thread]
        memory = _put(state.memory, word, value)
        return state._replace(memory=memory, buffers=_put(state.buffers, thread, tuple(rest)))

    def _arrived(self, state: State, target: int, vector: int) -> State:
        flight = list(state.flight)
        flight.remove((target, vector))
        pending = _put(state.pending, target, state.pending[target] | 1 << vector)
        return state._replace(flight=tuple(flight), pending=pending)

    # --- a thread's step -----------------------------------------------------------------------------------------

    def runs(self, state: State, thread: int) -> Iterator[Outcome]:
        """Return what a thread can do in one step; nothing if it has ended or has to wait."""
        first = self._operation(state, thread)
        if first.kind == Op.END:
            return
        forced = 2 if first.kind == Op.POINT else 1
        """Operations that make the step possible at all: a point and what comes right after it."""
        left: list[tuple[State, tuple[int, ...], int, int, tuple[Micro, ...], int]] = [(state, (), 0, -1, (), 0)]
        while left:
            now, answers, windows, sighting, micros, done = left.pop()
            operation = self._operation(now, thread)
            stop = operation.kind == Op.END or operation.scheduled or (not self.options.fuse and not _glued(micros))
            if operation.scheduled and operation.kind != Op.POINT and self._is_prelude(operation, micros):
                stop = False
            over = done >= forced or (done == 1 and micros[0].answer != 0)
            if done and (stop or sighting >= 0) and (over or operation.kind == Op.END or sighting >= 0):
                yield Outcome(Move("run", thread, -1, answers), now, windows, sighting, micros)
                continue
            if not self._possible(now, thread, operation):
                if done >= forced:
                    yield Outcome(Move("run", thread, -1, answers), now, windows, sighting, micros)
                continue
            if done > LONGEST_STEP:
                self.model.threads[thread].give_way(now.locals[thread])
            for answer, after in reversed(list(self._done(now, thread, operation))):
                edge = self.model.threads[thread].step(now.locals[thread], answer)
                new = after._replace(locals=_put(after.locals, thread, edge.local))
                chosen = (*answers, answer) if operation.kind == Op.CHOOSE else answers
                micro = Micro(now.locals[thread], operation, answer)
                left.append((new, chosen, windows | edge.windows, edge.sighting, (*micros, micro), done + 1))

    def _is_prelude(self, due: Operation, micros: tuple[Micro, ...]) -> bool:
        """Return whether a step has only done what instruments do before the operation that is due: it goes on.

        So a thread begins, and whatever begins with a mark (``BEGINS``). An IPI that leaves without a scheduling point
        of its own is no instrument's: it ends this as the first scheduled operation does. It may leave early because
        its arrival is free, but what comes behind it may not come early with it: the target may act in between.
        """
        first = micros[0] if micros else None
        if first is None or due.begins or not self.options.fuse:
            return False
        begun = first.operation.begins or (first.local == 0 and not first.operation.scheduled)
        return begun and not any(
            each.operation.kind == Op.SEND or (each.operation.scheduled and number > 0)
            for number, each in enumerate(micros)
        )

    def _operation(self, state: State, thread: int) -> Operation:
        return self.model.threads[thread].operation(state.locals[thread])

    def _possible(self, state: State, thread: int, operation: Operation) -> bool:
        """Return whether an operation can be done now."""
        buffer = state.buffers[thread]
        kind = operation.kind
        if kind == Op.STORE and self.options.buffer and len(self._behind(buffer, operation)) > self._room:
            self.waited = True
            return False
        if operation.drains or (kind == Op.SEND and not self.options.overtake):
            return not buffer
        if kind in LOCKED:
            return all(word != operation.word for word, _ in buffer)
        return True

    def _done(  # noqa: C901, PLR0912 - one branch for each kind
        self, state: State, thread: int, operation: Operation
    ) -> Iterator[tuple[int, State]]:
        """Do a possible operation; return each answer with the state after it."""
        kind, word, a, b = operation.kind, operation.word, operation.a, operation.b
        if kind in LOCKED:
            old = state.memory[word]
            yield old, state._replace(memory=_put(state.memory, word, modified(kind, old, a, b)))
        elif kind in (Op.LOAD, Op.GHOST_READ):
            yield self._seen(state, thread, word, mark=kind == Op.GHOST_READ), state
        elif kind == Op.STORE and self.options.buffer:
            yield 0, state._replace(buffers=_put(state.buffers, thread, self._behind(state.buffers[thread], operation)))
        elif kind in (Op.STORE, Op.GHOST_WRITE):
            yield 0, state._replace(memory=_put(state.memory, word, a))
        elif kind == Op.GHOST_ADD:
            yield 0, state._replace(memory=_put(state.memory, word, signed(state.memory[word] + a)))
        elif kind == Op.RESET:
            memory = state.memory
            for each in self.model.reset_families[a]:
                memory = _put(memory, each, 0)
            yield 0, state._replace(memory=memory)
        elif kind == Op.SEND:
            yield 0, state._replace(flight=tuple(sorted((*state.flight, (a, b)))))
        elif kind == Op.PENDING:
            yield int(state.pending[thread] != 0), state
        elif kind == Op.POINT:
            yield int(self._taken(state, thread, operation) != 0), state
        elif kind == Op.ACK:
            highest = self._taken(state, thread, operation).bit_length() - 1
            yield highest, state._replace(pending=_put(state.pending, thread, state.pending[thread] & ~(1 << highest)))
        elif kind == Op.CHOOSE:
            yield from ((answer, state) for answer in range(a))
        elif kind == Op.IN_FLIGHT:
            yield int(any(target == thread for target, _ in state.flight)), state
        elif kind == Op.QUIESCENT:
            silent = all(state.memory[each] == 1 for each in self.model.terminated)
            under_way = any(state.buffers) or any(target == thread for target, _ in state.flight)
            yield int(silent and not under_way), state
        else:
            yield 0, state

    def _behind(self, buffer: Buffer, operation: Operation) -> Buffer:
        """Return a buffer with an operation's store behind the others."""
        longer = (*buffer, (operation.word, operation.a))
        return tuple(longer[place] for place in left(longer, self._looks)) if self._looks else longer

    def _taken(self, state: State, thread: int, operation: Operation) -> int:
        """Return the pending vectors that a point, or the acknowledge behind it, takes."""
        return state.pending[thread] & (-1 if operation.a else ~self._late)

    def _seen(self, state: State, thread: int, word: int, *, mark: bool) -> int:
        """Return what a thread sees in a word: its own newest store if one waits, else the memory."""
        for waiting, value in reversed(state.buffers[thread]):
            if waiting == word:
                return value
        value = state.memory[word]
        owner = self.buffer_flag_of[word]
        return value | 1 if mark and owner not in (-1, thread) and state.buffers[owner] else value


def _glued(micros: tuple[Micro, ...]) -> bool:
    """Return whether the next operation belongs to the last even when nothing is fused: an empty point, an arrival."""
    return not micros or micros[-1].operation.kind in (Op.POINT, Op.PENDING)


def _put(items: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*items[:index], value, *items[index + 1 :])
