"""Encoding of the tables for the kernels; values of words become small numbers (as COLLAPSE: Holzmann 1997).

Every (thread, local state) is an *operation* with a number of its own. Each shared word has a dictionary of the values
seen in it; an edge leads from an operation by the number of what was read (or 0, a choice, a yes or no) to the next one
and to the number of the value left in the word.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hosts.explorer.compiled import abi
from hosts.explorer.model.operations import LOCKED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.state_vector import WIDEST, Layout, Name, bits
from hosts.explorer.model.system import Model
from hosts.explorer.reduce.symmetry import Symmetry
from hosts.explorer.search.assumptions import Assumptions
from hosts.explorer.search.reencode import Kept
from hosts.explorer.search.values import Values
from hosts.word64 import signed

BY_VALUE: Final = LOCKED | {Op.LOAD, Op.GHOST_READ, Op.GHOST_ADD}
"""Their edges are numbered by the value read."""


class Encoder:
    """What is known, by number, and where it is written down."""

    def __init__(self, model: Model, options: Options) -> None:
        self.model = model
        self.options = options
        self.buffer_flag_of = tuple(model.buffer_flag_of) or (-1,) * len(model.words)
        self.assumptions = Assumptions(model, options)
        self.values = [
            Values(value, flagged=owner >= 0) for value, owner in zip(model.initial, self.buffer_flag_of, strict=True)
        ]
        for word, value in [
            *((word, 1) for word in model.terminated),
            *((w, 0) for group in model.reset_families for w in group),
        ]:
            self.values[word].number(value)
        self.symmetry = Symmetry(model, options)
        for word in range(len(self.values)):
            self.values[word] = self.values[self.symmetry.orbit(word)[0]]
        self.owner: list[tuple[int, int]] = []
        """By operation: thread and local state."""
        self.operation: list[Operation] = []
        self.number: list[dict[int, int]] = [{} for _ in model.threads]
        """By thread: local state to operation."""
        self.places: list[list[int]] = [[] for _ in model.threads]
        """By thread: the operations in front of which a step has come to rest."""
        self.stores: list[dict[tuple[int, int], int]] = [{} for _ in model.threads]
        """By thread: (word, value's number) of stores that may wait, to a number from 1."""
        self.slots: list[tuple[int, int]] = []
        """Sorted (target, vector) of the IPIs that are ever sent."""
        self.depths = [min(options.buffer, 2)] * len(model.threads)
        """By thread: the entries there is room for."""
        self.counts: dict[int, int] = {}
        """By slot's (target * 256 + vector): the bits of its counter."""
        self.back_edges = 0
        """The threads that are known to have back edges, as a bit set."""
        self.notes: dict[tuple[int, int], int] = {(0, -1): 0}
        self.on_word: list[list[int]] = [[] for _ in model.words]
        self.row_room = [4] * len(model.words)
        self.layout = Layout({})
        self._kept = Kept(self.layout, (0,) * len(model.threads), ())
        self._stale = True
        self._ops: npt.NDArray[np.int32] = np.zeros((256, 8), np.int32)
        self._resting: npt.NDArray[np.int32] = np.full(256, -1, np.int32)
        self.future: npt.NDArray[np.int64] = np.full((256, 2), -1, np.int64)
        self._edges: npt.NDArray[np.int64] = np.full(1024, abi.UNKNOWN, np.int64)
        self._edges_used = 0
        self._notes: npt.NDArray[np.int64] = np.zeros((64, 2), np.int64)
        self._alias_base = [0] * len(model.words)
        self._buffered_alias: npt.NDArray[np.int32] = np.zeros(1, np.int32)
        self._renew_rows: list[tuple[int, int]] = []
        self.tables = self._empty()

    @property
    def stale(self) -> bool:
        """Return whether what has been learnt since the layout was made does not fit it."""
        return self._stale

    def edges_of(self, operation: Operation) -> int:
        """Return how many edges an operation's row has room for."""
        kind = operation.kind
        if kind in BY_VALUE:
            return self.row_room[operation.word]
        if kind == Op.CHOOSE:
            return max(operation.a, 1)
        if kind == Op.ACK:
            return max(len(self.model.vectors), 1)
        return 2 if kind in (Op.POINT, Op.PENDING, Op.IN_FLIGHT, Op.QUIESCENT) else 1

    # --- the layout ----------------------------------------------------------------------------------------------

    def lay_out(self, *, generous: bool) -> None:
        """Make the layout for what is known now."""
        widths = self._widths(generous=generous)
        growing = [name for kind in ("local", "word") for name in widths if name[0] == kind]
        self.layout = Layout(widths, growing)
        depths = enumerate(self.depths)
        entries = tuple(widths["buffer", thread] // depth if depth else 0 for thread, depth in depths)
        self._kept = Kept(self.layout, entries, tuple(self.slots))
        self._stale = False
        self.tables = self._arrays()
        for number in range(len(self.operation)):
            self._place(number)

    @property
    def kept(self) -> Kept:
        """What is needed of this layout when there is another."""
        return self._kept

    def tight_words(self) -> int:
        """Return the packed words that a layout without headroom would take."""
        return Layout(self._widths(generous=False)).words

    def _widths(self, *, generous: bool) -> dict[Name, int]:
        spare = int(generous)
        widths: dict[Name, int] = {}
        for word, values in enumerate(self.values):
            constant = not self.assumptions.independence.writers[word]
            widths["word", word] = 0 if constant and len(values) == 1 else bits(len(values)) + spare
        for thread, places in enumerate(self.places):
            widths["local", thread] = bits(len(places)) + 1 + spare
            tight = self._tight_entry(thread)
            entry = tight + spare if tight and (tight + spare) * self.depths[thread] <= WIDEST else tight
            widths["entry", thread] = 0
            widths["buffer", thread] = entry * self.depths[thread]
            widths["pending", thread] = sum(target == thread for target, _ in self.slots)
        for number, (target, vector) in enumerate(self.slots):
            widths["slot", number] = self.counts.get(target * 256 + vector, 1)
        return widths

    def _tight_entry(self, thread: int) -> int:
        """Return the bits that an entry of a buffer needs."""
        stores = len(self.stores[thread])
        return bits(stores + 1) if stores else 0

    def deepest(self, thread: int) -> int:
        """Return the entries that a buffer may have: as many as asked for, or as find room in a field."""
        return min(self.options.buffer, WIDEST // max(self._tight_entry(thread), 1))

    def ended(self, thread: int) -> list[int]:
        """Return the local fields that mean that a thread has ended."""
        places = enumerate(self.places[thread])
        return [number for number, each in places if self.operation[each].kind == Op.END]

    def _empty(self) -> abi.Tables:
        threads = len(self.model.threads)
        return abi.Tables(
            header=np.zeros(abi.H_SIZE, np.int64),
            threads=np.zeros((threads, abi.T_SIZE), np.int64),
            slots=np.zeros((1, abi.S_SIZE), np.int64),
            rows=np.zeros((1, abi.R_SIZE), np.int64),
            pairs=np.zeros((threads, 1, abi.P_SIZE), np.int64),
            operations=self._ops,
            rest=np.zeros((threads, 1), np.int32),
            resting=self._resting,
            edges=self._edges,
            buffered_alias=self._buffered_alias,
            notes=self._notes,
            outstanding=np.zeros(max(self.layout.words, 1), np.int64),
            future=self.future,
            symmetric=np.zeros(1, np.int64),
        )

    def _arrays(self) -> abi.Tables:
        """Write the layout down for the loops."""
        layout = self.layout
        tables = self._empty()
        rows: list[tuple[int, ...]] = []
        aliases: list[int] = []
        for word, values in enumerate(self.values):
            self._alias_base[word] = len(aliases)
            if values.flagged:
                row = [values.known_number(value | 1) for value in values.known]
                aliases += row + [0] * (layout["word", word].mask + 1 - len(row))
        self._buffered_alias = np.array([*aliases, 0], np.int32)
        header = tables.header
        header[abi.H_WORDS] = layout.words
        header[abi.H_THREADS] = len(self.model.threads)
        header[abi.H_WORKERS] = max(self.options.workers, 1)
        header[abi.H_FUSE] = self.options.fuse
        header[abi.H_REDUCE] = self.options.reduce and self.options.buffer > 0
        header[abi.H_SLOTS] = len(self.slots)
        header[abi.H_OBLIGATIONS] = sum(1 << word for word in self.model.obligations if word < abi.WIDE)
        header[abi.H_ROUND] = self.assumptions.back_edges
        header[abi.H_TERMINATED0] = len(rows)
        rows += [self._one(word) for word in self.model.terminated]
        header[abi.H_TERMINATED1] = len(rows)
        self._renew_rows = []
        for group in self.model.reset_families:
            start = len(rows)
            rows += [(*layout["word", word], max(self.values[word].known_number(0), 0), word) for word in group]
            self._renew_rows.append((start, len(rows)))
        most = max((1 << self._entry(thread) for thread in range(len(self.model.threads))), default=1)
        pairs = np.zeros((len(self.model.threads), most, abi.P_SIZE), np.int64)
        rest = np.zeros((len(self.model.threads), max(self._place_room(t) for t in range(len(self.places)))), np.int32)
        tables = tables._replace(pairs=pairs, rest=rest, buffered_alias=self._buffered_alias)
        for thread in range(len(self.model.threads)):
            self._thread(tables, thread, rows)
        slots = np.zeros((len(self.slots) + 1, abi.S_SIZE), np.int64)
        for number, (target, vector) in enumerate(self.slots):
            slots[number] = (*layout["slot", number], target, vector)
        alike = self._alike()
        header[abi.H_SYMMETRIC] = len(alike)
        rows_array = np.array([*rows, (0,) * abi.R_SIZE], np.int64)
        self.tables = tables._replace(slots=slots, rows=rows_array, symmetric=np.array([*alike, 0], np.int64))
        self._outstanding()
        for thread, stores in enumerate(self.stores):
            for (word, value), number in stores.items():
                self._pair(thread, word, value, number)
        return self.tables

    def _alike(self) -> list[int]:
        """Write down what the members of each group have in a state: how many, how many fields each, the fields."""
        written: list[int] = []
        for members in self.symmetry.fields():
            fields = [[self.layout[name] for name in names] for names in members]
            kept = [column for column in zip(*fields, strict=True) if any(each.mask for each in column)]
            written += [len(members), len(kept)]
            for member in range(len(members)):
                written += [number for column in kept for number in column[member]]
        return written

    def _outstanding(self) -> None:
        """Write down which bits say that something is buffered or in flight."""
        buffers: list[Name] = [("buffer", thread) for thread in range(len(self.model.threads))]
        for name in [*buffers, *(("slot", number) for number in range(len(self.slots)))]:
            held = self.layout[name]
            self.tables.outstanding[held.place] |= signed(held.mask << held.shift)

    def _one(self, word: int) -> tuple[int, ...]:
        """Return the row of a silent word: the number that stands for 1, or one that never occurs."""
        return (*self.layout["word", word], self.values[word].number(1), word)

    def _entry(self, thread: int) -> int:
        return self._kept.entries[thread]

    def _place_room(self, thread: int) -> int:
        return self.layout["local", thread].mask + 1

    def _thread(self, tables: abi.Tables, thread: int, rows: list[tuple[int, ...]]) -> None:
        layout, facts, depth = self.layout, self.assumptions.independence, self.depths[thread]
        entry = self._entry(thread)
        guards = [(*layout["word", word], self._alias_base[word], word) for word in facts.guards(thread)]
        silent = [self._one(word) for word in facts.own_terminated(thread)]
        mine = [number for number, (target, _) in enumerate(self.slots) if target == thread]
        start = len(rows)
        rows += guards + silent
        tables.threads[thread] = (
            *layout["local", thread],
            *layout["buffer", thread],
            entry,
            (depth - 1) * entry if depth else 0,
            depth >= self.deepest(thread),
            *layout["pending", thread],
            start,
            start + len(guards),
            start + len(guards),
            start + len(guards) + len(silent),
            mine[0] if mine else 0,
            mine[-1] + 1 if mine else 0,
            facts.tied(thread),
            facts.watched(thread),
            self._taken(thread, every=False),
            facts.interrupters(thread) if self.options.reduce else -1,
        )
        places = self.places[thread]
        tables.rest[thread, : len(places)] = places

    def _taken(self, thread: int, *, every: bool) -> int:
        """Return the bits of the pending field that a point takes."""
        mine = [vector for target, vector in self.slots if target == thread]
        return sum(1 << bit for bit, vector in enumerate(mine) if every or vector not in self.model.deferrable)

    def _pair(self, thread: int, word: int, value: int, number: int) -> None:
        self.tables.pairs[thread, number] = (
            *self.layout["word", word],
            value,
            word,
            self.model.looks.get(word, -1) + 1,
        )

    def _place(self, number: int) -> None:
        """Write into an operation's record what depends on the layout."""
        operation = self.operation[number]
        thread = self.owner[number][0]
        record = self._ops[number]
        kind, word = operation.kind, operation.word
        if word >= 0:
            field = self.layout["word", word]
            record[abi.PLACE], record[abi.SHIFT], record[abi.MASK] = field
        if kind == Op.GHOST_READ:
            owner = self.buffer_flag_of[word]
            record[abi.EXTRA] = owner + 1 if owner != thread else 0
            record[abi.CONST] = self._alias_base[word]
        elif kind in (Op.STORE, Op.GHOST_WRITE):
            value = self.values[word].known_number(operation.a)
            waits = kind == Op.STORE and self.options.buffer
            record[abi.CONST] = self.stores[thread][word, value] if waits else value
        elif kind == Op.SEND:
            record[abi.CONST] = self.slots.index((operation.a, operation.b))
        elif kind in (Op.POINT, Op.ACK):
            record[abi.CONST] = self._taken(thread, every=operation.a != 0)
            record[abi.EXTRA] = operation.a == 0
        elif kind == Op.CHOOSE:
            record[abi.CONST] = operation.a
        elif kind == Op.RESET and operation.a < len(self._renew_rows):
            record[abi.CONST], record[abi.EXTRA] = self._renew_rows[operation.a]
