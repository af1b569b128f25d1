"""Tables of the threads: requests of the kernels are resolved by asking the automata.

Nothing is asked of a thread twice. What it comes to is written down by :mod:`hosts.explorer.search.encode`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from hosts.explorer.compiled import abi
from hosts.explorer.model.operations import LOCKED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.rmw import modified
from hosts.explorer.model.state_vector import TooWide, bits
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.reduce.footprints import straight
from hosts.explorer.search.assumptions import AssumptionRefuted
from hosts.explorer.search.encode import BY_VALUE, Encoder
from hosts.explorer.search.op_codes import code_of, may_be_free
from hosts.word64 import signed

SURE: Final = frozenset({Op.GHOST_WRITE, Op.RESET, Op.YIELD})
"""Done at once when a step comes to them: learnt without waiting for the request."""


class TooManyEntered(Exception):  # noqa: N818 - a bound of the search
    """More windows and checks occur in a scope than a note has bits for."""


class ThreadTables(Encoder):
    """Everything the loops need to know, and how it grows."""

    def __init__(self, model: Model, options: Options) -> None:
        super().__init__(model, options)
        self.learnt = 0
        """Edges asked for."""
        self.entered: dict[int, int] = {}
        """The place of each window and check that has occurred, in the notes."""
        for thread in range(len(model.threads)):
            self._rest(self._operation(thread, 0))

    def resume(self, options: Options) -> None:
        """Go on with what was learnt under options that may differ in what does not matter to it.

        It assumes what the search assumed that learnt it, though more may be known: so it comes to the same states.
        """
        self.options = options
        self.assumptions.keep()
        self.tables.header[abi.H_WORKERS] = max(options.workers, 1)

    def asked(self) -> Iterator[tuple[int, int, int]]:
        """Return all that threads have been asked, as (thread, local state, answer)."""
        for number, operation in enumerate(self.operation):
            base = int(self._ops[number, abi.BASE])
            for index in np.flatnonzero(self._edges[base : base + self.edges_of(operation)] >= 0).tolist():
                yield *self.owner[number], self._answer(operation, index)

    # --- learning ------------------------------------------------------------------------------------------------

    def resolve(self, kind: int, what: int, more: int) -> None:
        """Learn what a request asks for; AssumptionRefuted at once if threads were taken for alike that are not."""
        self._resolve(kind, what, more)
        if self.symmetry.split:
            raise AssumptionRefuted

    def _resolve(self, kind: int, what: int, more: int) -> None:
        if kind == abi.REQ_EDGE:
            self._learn(what, more)
        elif kind == abi.REQ_REST:
            self._rest(what)
        elif kind == abi.REQ_FREE:
            self._free(what)
        elif kind == abi.REQ_FLIGHT:
            target, vector = self.slots[what]
            self.counts[target * 256 + vector] = int(self.tables.slots[what, abi.S_MASK]).bit_length() + 1
            self._stale = True
        elif kind == abi.REQ_BUFFER:
            depth = max(self.depths[what], min(self.deepest(what), int(self._room(what)) + 1))
            self._stale = True
            for thread in (what, *self.symmetry.others(what)):
                self.depths[thread] = depth
        elif kind == abi.REQ_LONG:
            thread, local = self.owner[what]
            self.model.threads[thread].give_way(local)
        elif kind == abi.REQ_NOTHING:
            raise ValueError(f"{self.model.names[self.owner[what][0]]} acknowledges an interrupt when none is pending")

    def goes_round(self) -> bool:
        """Return whether one of the threads that are taken for alike can come back to a local state."""
        members = [thread for group in self.symmetry.groups for thread in group.threads]
        return any(straight(self, thread) is None for thread in members)

    def _room(self, thread: int) -> int:
        entry = int(self.tables.threads[thread, abi.T_EW])
        return int(self.tables.threads[thread, abi.T_TOP]) // entry + 1 if entry else 0

    def _learn(self, number: int, index: int) -> None:
        """Ask a thread, and all that are like it, for one edge, and for those that come right after for sure."""
        thread, local = self.owner[number]
        self._ask(number, index)
        for other in self.symmetry.others(thread):
            self._ask(self.number[other][local], index)

    def _ask(self, number: int, index: int) -> None:
        while True:
            at = int(self._ops[number, abi.BASE]) + index
            if self._edges[at] >= 0:
                return
            thread, local = self.owner[number]
            operation = self.operation[number]
            edge = self.step(number, self._answer(operation, index))
            self.assumptions.footprints.learnt.add(thread)
            value = self._left(operation, index)
            self.back_edges |= edge.round << thread
            note = self._note(edge)
            number = self._operation(thread, edge.local)
            # The row may have moved while the values grew.
            at = int(self._ops[self.number[thread][local], abi.BASE]) + index
            self._edges[at] = number | value << abi.NEXT_BITS | note << abi.NOTE_SHIFT
            following = self.operation[number]
            if edge.sighting >= 0 or following.scheduled or following.kind not in SURE:
                return
            index = 0

    def step(self, number: int, answer: int) -> Transition:
        """Ask a thread."""
        self.learnt += 1
        thread, local = self.owner[number]
        edge = self.model.threads[thread].step(local, answer)
        if self.symmetry.differ(thread, local, answer, edge):
            self.symmetry.split_class(thread)
        return edge

    def _answer(self, operation: Operation, index: int) -> int:
        if operation.kind == Op.GHOST_ADD:
            return 0
        return self.values[operation.word].known[index] if operation.kind in BY_VALUE else index

    def _left(self, operation: Operation, index: int) -> int:
        """Return the number of the value that the operation leaves in its word."""
        kind = operation.kind
        if kind not in LOCKED and kind != Op.GHOST_ADD:
            return 0
        old = self.values[operation.word].known[index]
        new = signed(old + operation.a) if kind == Op.GHOST_ADD else modified(kind, old, operation.a, operation.b)
        return self._value(operation.word, new)

    def _note(self, edge: Transition) -> int:
        windows = self._packed(edge.windows) | (abi.ROUND if edge.round else 0)
        key = (windows, edge.sighting)
        if key not in self.notes:
            number = len(self.notes)
            self.notes[key] = number
            if number == len(self._notes):
                self._notes = np.concatenate([self._notes, np.zeros_like(self._notes)])
                self.tables = self.tables._replace(notes=self._notes)
            self._notes[number] = (windows, edge.sighting + 1)
        return self.notes[key]

    def _packed(self, entered: int) -> int:
        """Return a set of windows and checks (hosts.explorer.model.entered) with a bit for each that has occurred."""
        packed = 0
        while entered:
            lowest = entered & -entered
            number = self.entered.setdefault(lowest, len(self.entered))
            if number == abi.NOTED:
                raise TooManyEntered(f"more than {abi.NOTED} windows and checks in one scope")
            packed |= 1 << number
            entered ^= lowest
        return packed

    def unpacked(self, packed: int) -> int:
        """Return the set of windows and checks that the search has collected as the model has them."""
        return sum(bit for bit, number in self.entered.items() if packed >> number & 1)

    def _value(self, word: int, value: int) -> int:
        values = self.values[word]
        before = len(values)
        number = values.number(value)
        if len(values) > abi.VALUE_MASK:
            raise TooWide(f"more than {before} values of {self.model.words[word]}")
        if len(values) != before:
            self._grown(word, before)
        return number

    def _grown(self, word: int, before: int) -> None:
        """Make room for the new values of a word, and of those that share them."""
        for each in self.symmetry.orbit(word):
            self._widen(each, before)

    def _widen(self, word: int, before: int) -> None:
        values = self.values[word]
        mask = self.layout[("word", word)].mask
        if len(values) - 1 > mask:
            self._stale = True
        elif values.flagged:
            for number in range(before, len(values)):
                self._buffered_alias[self._alias_base[word] + number] = values.known_number(values.known[number] | 1)
        if len(values) > self.row_room[word]:
            old = self.row_room[word]
            self.row_room[word] = 1 << bits(len(values))
            for number in self.on_word[word]:
                base = int(self._ops[number, abi.BASE])
                new = self._row(self.row_room[word])
                self._edges[new : new + old] = self._edges[base : base + old]
                self._ops[number, abi.BASE] = new

    def _row(self, room: int) -> int:
        """Return the start of a row of edges nobody knows yet."""
        start = self._edges_used
        self._edges_used += room
        if self._edges_used > len(self._edges):
            more = np.full(max(len(self._edges), room), abi.UNKNOWN, np.int64)
            self._edges = np.concatenate([self._edges, more])
            self.tables = self.tables._replace(edges=self._edges)
        return start

    # --- operations ----------------------------------------------------------------------------------------------

    def _operation(self, thread: int, local: int) -> int:
        """Return the number of what a thread does in a local state."""
        number = self.number[thread].get(local, -1)
        if number >= 0:
            return number
        number = len(self.operation)
        if number > abi.NEXT_MASK:
            raise TooWide(f"more than {number} local states")
        operation = self.model.threads[thread].operation(local)
        self.number[thread][local] = number
        self.operation.append(operation)
        self.owner.append((thread, local))
        if number == len(self._ops):
            self._ops = np.concatenate([self._ops, np.zeros_like(self._ops)])
            self._resting = np.concatenate([self._resting, np.full_like(self._resting, -1)])
            self.future = np.concatenate([self.future, np.full_like(self.future, -1)])
            self.tables = self.tables._replace(operations=self._ops, resting=self._resting, future=self.future)
        self.assumptions.independence.add(thread, operation)
        record = self._ops[number]
        record[abi.CODE] = code_of(operation, self.model, self.options)
        record[abi.WORD] = operation.word
        record[abi.BASE] = self._row(self.edges_of(operation))
        if operation.kind in BY_VALUE:
            self.on_word[operation.word].append(number)
        self._constants(thread, operation)
        self._place(number)
        if operation.scheduled or operation.kind == Op.END:
            self._rest(number)
        for other in self.symmetry.others(thread):
            self._operation(other, local)
        return number

    def _constants(self, thread: int, operation: Operation) -> None:
        """Number what an operation brings with it."""
        if operation.kind in (Op.STORE, Op.GHOST_WRITE):
            value = self._value(operation.word, operation.a)
            if operation.kind == Op.STORE and self.options.buffer:
                stores = self.stores[thread]
                number = stores.setdefault((operation.word, value), len(stores) + 1)
                self._stale |= number >= 1 << int(self.tables.threads[thread, abi.T_EW])
                if number < self.tables.pairs.shape[1]:
                    self._pair(thread, operation.word, value, number)
                else:
                    self._stale = True
        elif operation.kind == Op.SEND and self.symmetry.others(operation.a):
            self.symmetry.split_class(operation.a)
        if operation.kind == Op.SEND and (operation.a, operation.b) not in self.slots:
            self.slots = sorted([*self.slots, (operation.a, operation.b)])
            self._stale = True
        elif operation.kind == Op.RESET:
            for word in self.model.reset_families[operation.a]:
                self._value(word, 0)

    def _rest(self, number: int) -> None:
        """Number the place in front of an operation as one where a step may end."""
        if self._resting[number] >= 0:
            return
        thread, local = self.owner[number]
        places = self.places[thread]
        self._resting[number] = len(places)
        if len(places) <= self.layout[("local", thread)].mask and len(places) < self.tables.rest.shape[1]:
            self.tables.rest[thread, len(places)] = number
        else:
            self._stale = True
        places.append(number)
        for other in self.symmetry.others(thread):
            self._rest(self._operation(other, local))

    # --- the reduction -------------------------------------------------------------------------------------------

    def _free(self, number: int) -> None:
        """Work out whether an operation loses its scheduling point.

        All of its step must be unseen by the others; of an interrupt point, interrupts must be able to wait.
        """
        code = int(self._ops[number, abi.CODE])
        if code >> 5 & abi.ASK:
            thread, local = self.owner[number]
            if self.operation[number].kind == Op.POINT:
                free = self.assumptions.defer(thread, local)
            else:
                free = all(self.assumptions.independence.invisible(thread, each) for each in self._segment(number))
            flags = code >> 5 & ~abi.ASK | (abi.FREE if free else 0)
            self._ops[number, abi.CODE] = code & 31 | flags << 5

    def _segment(self, number: int) -> Iterator[Operation]:
        """Return the operations that belong to one step, as long as each has one answer only."""
        for _ in range(64):
            operation = self.operation[number]
            yield operation
            if operation.kind not in SURE | {Op.STORE, Op.FENCE}:
                return
            if self._edges[int(self._ops[number, abi.BASE])] < 0:
                self._learn(number, 0)
            edge = int(self._edges[int(self._ops[number, abi.BASE])])
            number = edge & abi.NEXT_MASK
            following = self.operation[number]
            sighting = self._notes[edge >> abi.NOTE_SHIFT, 1]
            if sighting or following.scheduled or following.kind == Op.END or not self.options.fuse:
                return
        yield Operation(Op.QUIESCENT)  # too long: leave it alone

    def reset_assumptions(self) -> None:
        """Assume that there is no more than what is known by now; the search begins anew."""
        self.assumptions.reset(self)
        self.symmetry.split = False
        self.depths = [min(depth, self.deepest(thread)) for thread, depth in enumerate(self.depths)]
        used = self._ops[: len(self.operation), abi.CODE]
        for number in range(len(self.operation)):
            if may_be_free(self.operation[number], self.options):
                used[number] = used[number] & 31 | (used[number] >> 5 & ~abi.FREE | abi.ASK) << 5
        self._edges[self._edges == abi.ASKED] = abi.UNKNOWN
