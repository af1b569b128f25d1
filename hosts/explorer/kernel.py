# ruff: noqa: C901, PLR0912, PLR0915, SIM102 - compiled loops: one function where a call would cost
"""The compiled loops of the search: what one state leads to, and the table of the states seen.

A state is a few 64-bit words of packed fields (:mod:`hosts.explorer.packing` says where each lies). A step works on the
packed words themselves: an operation reads one small number and puts another, and a table tells which
(:mod:`hosts.explorer.tables`). What a table does not know yet becomes a *wish*; the state is put aside until Python has
learnt it. All numbers are signed 64-bit ones: mixed with unsigned ones, Numba would compute in floating point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Ints = npt.NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])

# --- operation records ---------------------------------------------------------------------------------------------

END, READ, STORE, PUT, LOCKED, STEADY, SEND, POINT, PENDING, ACK, CHOOSE, RENEW, IN_FLIGHT, QUIET = range(14)
"""What an operation is to the search. READ: load or peek. PUT: a constant straight into memory. LOCKED: the table gives
the new value, the old one is the answer (TALLY too). STEADY: fence or pause, the answer is 0."""

SCHEDULED, DRAINS, OWN, FREE, ASK, PLAIN = 1, 2, 4, 8, 16, 32
"""Flags, above the five bits of the kind. DRAINS: needs an empty buffer. OWN: needs its word absent from it.
FREE: loses its scheduling point (partial order). ASK: nobody has worked out yet whether it does.
PLAIN: a READ or PUT inside a step, by far the most: nothing to decide."""

CODE, BASE, PLACE, SHIFT, MASK, CONST, WORD, EXTRA = range(8)
"""Columns of an operation's record. EXTRA: READ: one more than the thread whose mark it is;
RENEW: where its rows end."""

# --- edges: next operation, new value, note ------------------------------------------------------------------------

UNKNOWN, ASKED = -1, -2
NEXT_BITS, VALUE_BITS = 24, 20
NEXT_MASK: Final = (1 << NEXT_BITS) - 1
VALUE_MASK: Final = (1 << VALUE_BITS) - 1
NOTE_SHIFT: Final = NEXT_BITS + VALUE_BITS

# --- columns of the layout -----------------------------------------------------------------------------------------

H_WORDS, H_THREADS, H_WORKERS, H_FUSE, H_REDUCE, H_SLOTS, H_QUIET0, H_QUIET1, H_SIZE = range(9)
"""Header. QUIET: rows of the silent words."""

(
    T_LK, T_LS, T_LM, T_BK, T_BS, T_BM, T_EW, T_TOP, T_FULL, T_PK, T_PS, T_PM,
    T_GUARD0, T_GUARD1, T_SILENT0, T_SILENT1, T_SLOT0, T_SLOT1, T_TIED, T_WATCHED, T_SIZE,
) = range(21)  # fmt: skip
"""A thread: local field, buffer field (EW: bits of an entry, TOP: where the last entry starts, FULL: as long as
asked for), pending field, rows of its marks that others look at, of its silent words, its slots; TIED: no store is
free; WATCHED: another thread asks QUIET."""

S_PLACE, S_SHIFT, S_MASK, S_TARGET, S_VECTOR, S_SIZE = range(6)
"""An IPI slot: the count in flight of one vector to one thread."""

R_PLACE, R_SHIFT, R_MASK, R_ID, R_WORD, R_SIZE = range(6)
"""A row of a list: a word's field, one of its values (or, for a guard, where its ghost values start), the word."""

P_PLACE, P_SHIFT, P_MASK, P_ID, P_WORD, P_SIZE = range(6)
"""A store that may wait: its word's field, its value, its word."""

# --- what a call reports -------------------------------------------------------------------------------------------

(
    C_WISHES, C_RETRY, C_TRANSITIONS, C_WAITED, C_LONGEST, C_WINDOWS, C_BRANCHING, C_STUCK, C_SIGHTS, C_STATES,
    C_WHOLE, C_ENDED, C_BOX, C_SIZE,
) = range(14)  # fmt: skip

W_EDGE, W_REST, W_FREE, W_FLIGHT, W_BUFFER, W_LONG, W_NOTHING, W_STACK, W_ROOM = range(9)
"""Wishes: an edge, a number for a place to rest, whether a store is free, wider fields, errors, more room."""

RUN, DRAIN, ARRIVE = range(3)
"""Who moves."""

LONGEST_STEP: Final = 100_000
MOST_FREE: Final = 16
"""Scheduling points that one step passes at most: the cycle proviso (a thread that only stores or fences in a loop
must come to rest, so that the others get their turn on every cycle)."""

BATCH: Final = 256
"""Successors looked up together, so that the memory is asked for all of them at once."""

BLOCK_BITS: Final = 12
BLOCK: Final = (1 << BLOCK_BITS) - 1
INDEX_BITS: Final = 40
INDEX_MASK: Final = (1 << INDEX_BITS) - 1
LOW32: Final = (1 << 32) - 1
TAG_MASK: Final = (1 << 23) - 1
MIX1: Final = -7046029254386353131
MIX2: Final = -4658895280553007687
MIX3: Final = -7723592293110705685


class Tables(NamedTuple):
    """The layout and what has been learnt."""

    header: Ints
    threads: Ints
    slots: Ints
    rows: Ints
    pairs: Ints
    """Stores that may wait, by thread and number."""
    operations: npt.NDArray[np.int32]
    rest: npt.NDArray[np.int32]
    """By thread and local field: the operation."""
    resting: npt.NDArray[np.int32]
    """By operation: the local field's value, or -1."""
    edges: Ints
    ghosts: npt.NDArray[np.int32]
    """A mark's value with bit 0 set, by value."""
    notes: Ints
    """By note: windows, and one more than the sighting."""


class Work(NamedTuple):
    """What one worker writes."""

    out: Ints
    """Successors, packed."""
    told: Ints
    """For each: thread, agent, slot, one more than the sighting."""
    hashes: Ints
    stack: Ints
    wishes: Ints
    retry: Ints
    sights: Ints
    counts: Ints
    box: Ints
    """Successors that belong to other workers: owner, state."""


def compiled(function: F) -> F:
    """Compile a function for its argument types; the machine code is kept beside the source for the next start."""
    return cast(F, njit(nogil=True, cache=True)(function))


def called(function: F) -> F:
    """Compile a function that only compiled ones call: to wrap it for Python would take as long again."""
    return cast(F, njit(nogil=True, cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


def inlined(function: F) -> F:
    """Compile a function into its callers: passing the tables costs as much as a short step."""
    return cast(
        F, njit(nogil=True, cache=True, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    )


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Ask for the cache line of an array's element."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, _ = signature.args
        held = context.make_array(array_type)(context, builder, arguments[0])
        pointer = builder.gep(held.data, [arguments[1]])
        pointer = builder.bitcast(pointer, cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t] + [ir.IntType(32)] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        one = ir.Constant(ir.IntType(32), 1)
        builder.call(function, [pointer, ir.Constant(ir.IntType(32), 0), ir.Constant(ir.IntType(32), 3), one])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def get(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Read an element of a contiguous array by its flat index, which is not negative: one load."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.sext(builder.load(builder.gep(held.data, [arguments[1]])), ir.IntType(64))

    return types.int64(array, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:  # noqa: ARG001
    """Write an element likewise."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(held.data, [arguments[1]])
        builder.store(builder.trunc(arguments[2], pointer.type.pointee), pointer)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@compiled
def hash_of(states: Ints, at: int, words: int) -> int:
    """Mix a packed state into 64 bits."""
    h = MIX1
    for k in range(words):
        h = (h ^ get(states, at + k)) * MIX2
        h ^= (h >> 29) & 0x7FFFFFFFF
    h *= MIX3
    return h ^ ((h >> 32) & LOW32)


@compiled
def place_of(index: int, worker: int, workers: int) -> int:
    """Tell where a worker's state number ``index`` lies: blocks of the workers take turns."""
    return ((((index >> BLOCK_BITS) * workers) + worker) << BLOCK_BITS) | (index & BLOCK)


@compiled
def owner_of(h: int, workers: int) -> int:
    """Tell whose a state is, by its hash."""
    return ((h >> 40) & 0xFFFF) % workers


@called
def wish(work: Work, kind: int, what: int, more: int) -> None:
    """Note what is missing."""
    n = work.counts[C_WISHES]
    if n < work.wishes.shape[0]:
        work.wishes[n, 0] = kind
        work.wishes[n, 1] = what
        work.wishes[n, 2] = more
        work.counts[C_WISHES] = n + 1
    work.counts[C_WHOLE] = 0


@called
def free_now(tables: Tables, states: Ints, at: int, thread: int, kind: int) -> bool:
    """Tell whether a store entering the own buffer can be seen by nobody at this moment.

    Others see that a buffer is not empty in two ways: a mark of this thread, looked at from outside, shows bit 0
    (nothing new if it is set anyway), and QUIET (nothing new if this thread has not fallen silent).
    """
    threads = tables.threads
    if kind != STORE:
        return True
    if threads[thread, T_TIED] != 0:
        return False
    for row in range(threads[thread, T_GUARD0], threads[thread, T_GUARD1]):
        value = (states[at + tables.rows[row, R_PLACE]] >> tables.rows[row, R_SHIFT]) & tables.rows[row, R_MASK]
        if tables.ghosts[tables.rows[row, R_ID] + value] != value:
            return False
    if threads[thread, T_WATCHED] == 0:
        return True
    ew = threads[thread, T_EW]
    for row in range(threads[thread, T_SILENT0], threads[thread, T_SILENT1]):
        value = (states[at + tables.rows[row, R_PLACE]] >> tables.rows[row, R_SHIFT]) & tables.rows[row, R_MASK]
        if value != tables.rows[row, R_ID]:
            rest = (states[at + threads[thread, T_BK]] >> threads[thread, T_BS]) & threads[thread, T_BM]
            waits = False
            while rest != 0:
                if tables.pairs[thread, rest & ((1 << ew) - 1), P_WORD] == tables.rows[row, R_WORD]:
                    waits = True
                rest >>= ew
            if not waits:
                return True
    return False


@called
def flying(tables: Tables, states: Ints, at: int, thread: int) -> bool:
    """Tell whether an IPI to a thread is in flight."""
    slots = tables.slots
    for slot in range(tables.threads[thread, T_SLOT0], tables.threads[thread, T_SLOT1]):
        if (states[at + slots[slot, S_PLACE]] >> slots[slot, S_SHIFT]) & slots[slot, S_MASK]:
            return True
    return False


@called
def quiet(tables: Tables, states: Ints, at: int, thread: int) -> int:
    """Answer QUIET."""
    rows = tables.rows
    for row in range(tables.header[H_QUIET0], tables.header[H_QUIET1]):
        value = (states[at + rows[row, R_PLACE]] >> rows[row, R_SHIFT]) & rows[row, R_MASK]
        if value != rows[row, R_ID]:
            return 0
    for each in range(tables.header[H_THREADS]):
        buffer = (states[at + tables.threads[each, T_BK]] >> tables.threads[each, T_BS]) & tables.threads[each, T_BM]
        if buffer:
            return 0
    return 0 if flying(tables, states, at, thread) else 1


@inlined
def successors(tables: Tables, work: Work, states: Ints, at: int, first: int) -> int:
    """Put all that one state leads to behind the first successors in ``work.out``; give their number.

    ``counts[C_WHOLE]`` becomes 0 if something was not known yet: then these are not all. ``counts[C_ENDED]``: all
    threads have ended.
    """
    header, threads, slots, rows, pairs = tables.header, tables.threads, tables.slots, tables.rows, tables.pairs
    operations, edges = tables.operations, tables.edges
    out, told, stack, counts = work.out, work.told, work.stack, work.counts
    words = header[H_WORDS]
    fuse = header[H_FUSE] != 0
    reduce = header[H_REDUCE] != 0
    counts[C_WHOLE] = 1
    ended = True
    n = first
    room = told.shape[0] - 1
    total = 0
    resters = tables.rest.shape[1]
    storers = pairs.shape[1]
    for t in range(header[H_THREADS]):
        lk, ls, lm = get(threads, t * T_SIZE + T_LK), get(threads, t * T_SIZE + T_LS), get(threads, t * T_SIZE + T_LM)
        g = get(tables.rest, t * resters + ((get(states, at + lk) >> ls) & lm))
        code = get(operations, g * 8) & 31
        if code == END:
            continue
        ended = False
        bk, bs, bm, ew = (
            get(threads, t * T_SIZE + T_BK),
            get(threads, t * T_SIZE + T_BS),
            get(threads, t * T_SIZE + T_BM),
            get(threads, t * T_SIZE + T_EW),
        )
        em = (1 << ew) - 1
        pair0 = t * storers * P_SIZE
        o = n * words
        for k in range(words):
            put(out, o + k, get(states, at + k))
        forced = 2 if code == POINT else 1
        top = 0
        done = 0
        pick = 0
        windows = 0
        sighting = 0
        lost = 0
        first_answer = 0
        glued = True
        while True:
            record = g * 8
            code = get(operations, record)
            if sighting == 0 and (code & (PLAIN << 5)) != 0:
                buffer = (get(out, o + bk) >> bs) & bm
                while done <= LONGEST_STEP:
                    place, shift, mask = (
                        o + get(operations, record + PLACE),
                        get(operations, record + SHIFT),
                        get(operations, record + MASK),
                    )
                    packed = get(out, place)
                    index = 0
                    if (code & 31) == READ:
                        index = (packed >> shift) & mask
                        owner = get(operations, record + EXTRA) - 1
                        if owner >= 0 and (
                            (get(out, o + get(threads, owner * T_SIZE + T_BK)) >> get(threads, owner * T_SIZE + T_BS))
                            & get(threads, owner * T_SIZE + T_BM)
                        ):
                            index = get(tables.ghosts, get(operations, record + CONST) + index)
                        rest = buffer
                        while rest != 0:
                            pair = pair0 + (rest & em) * P_SIZE
                            if get(pairs, pair + P_WORD) == get(operations, record + WORD):
                                index = get(pairs, pair + P_ID)
                            rest >>= ew
                    else:
                        put(out, place, (packed & ~(mask << shift)) | (get(operations, record + CONST) << shift))
                    edge = get(edges, get(operations, record + BASE) + index)
                    if edge < 0:
                        break  # below
                    note = edge >> NOTE_SHIFT
                    if note != 0:
                        windows |= get(tables.notes, note * 2)
                        sighting = get(tables.notes, note * 2 + 1)
                    done += 1
                    glued = False
                    g = edge & NEXT_MASK
                    record = g * 8
                    code = get(operations, record)
                    if sighting != 0 or (code & (PLAIN << 5)) == 0:
                        break
            flags = code >> 5
            code &= 31
            act = 0  # 0: do it, 1: the step ends here, 2: there is no such step
            through = False
            if done > 0:
                if sighting != 0 or code == END:
                    act = 1
                elif (flags & SCHEDULED) != 0 or (not fuse and not glued):
                    if done >= forced or first_answer != 0:
                        act = 1
                        if reduce and (flags & (FREE | ASK)) != 0 and lost < MOST_FREE:
                            if free_now(tables, out, o, t, code):
                                if (flags & ASK) != 0:
                                    wish(work, np.int64(W_FREE), g, np.int64(0))
                                    act = 2
                                else:
                                    act = 0
                                    through = True
                                    lost += 1
            if act == 0:
                buffer = (get(out, o + bk) >> bs) & bm
                if code == STORE:
                    if (buffer >> get(threads, t * T_SIZE + T_TOP)) != 0:
                        if get(threads, t * T_SIZE + T_FULL) == 0:
                            wish(work, np.int64(W_BUFFER), t, np.int64(0))
                            act = 2
                        else:
                            counts[C_WAITED] = 1
                            act = 1 if done >= forced or through else 2
                elif buffer != 0:
                    blocked = False
                    if (flags & DRAINS) != 0:
                        blocked = True
                    elif (flags & OWN) != 0:
                        rest = buffer
                        while rest != 0:
                            if get(pairs, pair0 + (rest & em) * P_SIZE + P_WORD) == get(operations, record + WORD):
                                blocked = True
                            rest >>= ew
                    if blocked:
                        act = 1 if done >= forced or through else 2
                if act == 0 and done > LONGEST_STEP:
                    wish(work, np.int64(W_LONG), g, np.int64(0))
                    act = 2
                if act == 0:
                    # Do it. ``index``: which edge of the operation's.
                    index = 0
                    place, shift, mask = (
                        o + get(operations, record + PLACE),
                        get(operations, record + SHIFT),
                        get(operations, record + MASK),
                    )
                    if code == READ:
                        index = (get(out, place) >> shift) & mask
                        seen = False
                        rest = buffer
                        while rest != 0:
                            if get(pairs, pair0 + (rest & em) * P_SIZE + P_WORD) == get(operations, record + WORD):
                                index = get(pairs, pair0 + (rest & em) * P_SIZE + P_ID)
                                seen = True
                            rest >>= ew
                        owner = get(operations, record + EXTRA) - 1
                        if owner >= 0 and not seen:
                            if (
                                get(out, o + get(threads, owner * T_SIZE + T_BK)) >> get(threads, owner * T_SIZE + T_BS)
                            ) & get(threads, owner * T_SIZE + T_BM):
                                index = get(tables.ghosts, get(operations, record + CONST) + index)
                    elif code == LOCKED:
                        index = (get(out, place) >> shift) & mask
                    elif code == PUT:
                        put(
                            out,
                            place,
                            (get(out, place) & ~(mask << shift)) | (get(operations, record + CONST) << shift),
                        )
                    elif code == STORE:
                        length = 0
                        rest = buffer
                        while rest != 0:
                            length += 1
                            rest >>= ew
                        put(out, o + bk, get(out, o + bk) | (get(operations, record + CONST) << (bs + length * ew)))
                        if length >= counts[C_LONGEST]:
                            counts[C_LONGEST] = length + 1
                    elif code == SEND:
                        slot = get(operations, record + CONST)
                        sk, ss, sm = (
                            o + get(slots, slot * S_SIZE + S_PLACE),
                            get(slots, slot * S_SIZE + S_SHIFT),
                            get(slots, slot * S_SIZE + S_MASK),
                        )
                        if ((get(out, sk) >> ss) & sm) == sm:
                            wish(work, np.int64(W_FLIGHT), slot, np.int64(0))
                            act = 2
                        else:
                            put(out, sk, get(out, sk) + (1 << ss))
                    elif code in (POINT, PENDING):
                        held = (get(out, o + get(threads, t * T_SIZE + T_PK)) >> get(threads, t * T_SIZE + T_PS)) & get(
                            threads, t * T_SIZE + T_PM
                        )
                        index = 1 if held != 0 else 0
                    elif code == ACK:
                        held = (get(out, o + get(threads, t * T_SIZE + T_PK)) >> get(threads, t * T_SIZE + T_PS)) & get(
                            threads, t * T_SIZE + T_PM
                        )
                        if held == 0:
                            wish(work, np.int64(W_NOTHING), g, np.int64(0))
                            act = 2
                        else:
                            bit = 0
                            while (held >> (bit + 1)) != 0:
                                bit += 1
                            put(
                                out,
                                o + get(threads, t * T_SIZE + T_PK),
                                get(out, o + get(threads, t * T_SIZE + T_PK))
                                & (~(1 << (get(threads, t * T_SIZE + T_PS) + bit))),
                            )
                            index = slots[get(threads, t * T_SIZE + T_SLOT0) + bit, S_VECTOR]
                    elif code == CHOOSE:
                        index = pick
                        pick = 0
                        if index >= get(operations, record + CONST):
                            act = 2
                        elif index + 1 < get(operations, record + CONST):
                            if top >= stack.shape[0]:
                                wish(work, np.int64(W_STACK), np.int64(0), np.int64(0))
                                act = 2
                            else:
                                for k in range(words):
                                    stack[top, k] = get(out, o + k)
                                stack[top, words] = g
                                stack[top, words + 1] = index + 1
                                stack[top, words + 2] = done
                                stack[top, words + 3] = windows
                                stack[top, words + 4] = lost
                                stack[top, words + 5] = first_answer
                                stack[top, words + 6] = 1 if glued else 0
                                top += 1
                    elif code == RENEW:
                        for row in range(get(operations, record + CONST), get(operations, record + EXTRA)):
                            rk, rs = o + get(rows, row * R_SIZE + R_PLACE), get(rows, row * R_SIZE + R_SHIFT)
                            put(
                                out,
                                rk,
                                (get(out, rk) & ~(get(rows, row * R_SIZE + R_MASK) << rs))
                                | (get(rows, row * R_SIZE + R_ID) << rs),
                            )
                    elif code == IN_FLIGHT:
                        index = 1 if flying(tables, out, o, t) else 0
                    elif code == QUIET:
                        index = quiet(tables, out, o, t)
                    if act == 0:
                        at_edge = get(operations, record + BASE) + index
                        edge = get(edges, at_edge)
                        if edge < 0:
                            if edge == UNKNOWN:
                                edges[at_edge] = ASKED
                                wish(work, np.int64(W_EDGE), g, index)
                            counts[C_WHOLE] = 0
                            act = 2
                        else:
                            if code == LOCKED:
                                value = (edge >> NEXT_BITS) & VALUE_MASK
                                put(out, place, (get(out, place) & ~(mask << shift)) | (value << shift))
                            note = edge >> NOTE_SHIFT
                            if note != 0:
                                windows |= get(tables.notes, note * 2 + 0)
                                sighting = get(tables.notes, note * 2 + 1)
                            if done == 0 and code == POINT:
                                first_answer = index
                            glued = code in (POINT, PENDING)
                            done += 1
                            g = edge & NEXT_MASK
                            continue
            if act == 1:
                number = get(tables.resting, g)
                if number < 0:
                    wish(work, np.int64(W_REST), g, np.int64(0))
                elif n >= room:
                    wish(work, np.int64(W_ROOM), np.int64(0), np.int64(0))
                else:
                    put(out, o + lk, (get(out, o + lk) & ~(lm << ls)) | (number << ls))
                    put(told, n, t | (RUN << 8) | (sighting << 32))
                    total |= windows
                    n += 1
                    o += words
            if top == 0:
                break
            top -= 1
            for k in range(words):
                put(out, o + k, stack[top, k])
            g = stack[top, words]
            pick = stack[top, words + 1]
            done = stack[top, words + 2]
            windows = stack[top, words + 3]
            lost = stack[top, words + 4]
            first_answer = stack[top, words + 5]
            glued = stack[top, words + 6] != 0
            sighting = 0
    counts[C_WINDOWS] |= total
    if n + header[H_THREADS] + header[H_SLOTS] >= room:
        wish(work, np.int64(W_ROOM), np.int64(0), np.int64(0))
        return n - first
    for t in range(header[H_THREADS]):
        bk, bs, bm, ew = (
            get(threads, t * T_SIZE + T_BK),
            get(threads, t * T_SIZE + T_BS),
            get(threads, t * T_SIZE + T_BM),
            get(threads, t * T_SIZE + T_EW),
        )
        buffer = (get(states, at + bk) >> bs) & bm
        if buffer != 0:
            o = n * words
            for k in range(words):
                put(out, o + k, get(states, at + k))
            put(out, o + bk, (get(out, o + bk) & ~(bm << bs)) | ((buffer >> ew) << bs))
            pair = buffer & ((1 << ew) - 1)
            place, shift, mask = (
                o + get(pairs, (t * storers + pair) * P_SIZE + P_PLACE),
                get(pairs, (t * storers + pair) * P_SIZE + P_SHIFT),
                get(pairs, (t * storers + pair) * P_SIZE + P_MASK),
            )
            put(
                out,
                place,
                (get(out, place) & ~(mask << shift)) | (get(pairs, (t * storers + pair) * P_SIZE + P_ID) << shift),
            )
            put(told, n, t | (DRAIN << 8))
            n += 1
    for slot in range(header[H_SLOTS]):
        sk, ss, sm = (
            get(slots, slot * S_SIZE + S_PLACE),
            get(slots, slot * S_SIZE + S_SHIFT),
            get(slots, slot * S_SIZE + S_MASK),
        )
        if ((get(states, at + sk) >> ss) & sm) != 0:
            o = n * words
            for k in range(words):
                put(out, o + k, get(states, at + k))
            put(out, o + sk, get(out, o + sk) - (1 << ss))
            t = get(slots, slot * S_SIZE + S_TARGET)
            put(
                out,
                o + get(threads, t * T_SIZE + T_PK),
                get(out, o + get(threads, t * T_SIZE + T_PK))
                | (1 << (get(threads, t * T_SIZE + T_PS) + slot - get(threads, t * T_SIZE + T_SLOT0))),
            )
            put(told, n, t | (ARRIVE << 8) | (slot << 16))
            n += 1
    counts[C_ENDED] = 1 if ended else 0
    return n - first


@called
def insert(
    states: Ints,
    table: Ints,
    out: Ints,
    hashes: Ints,
    number: int,
    words: int,
    worker: int,
    workers: int,
    count: int,
) -> int:
    """Put the successors that are new behind a worker's states; give how many states it has now."""
    size = table.shape[0] // workers
    base = worker * size
    for i in range(number):
        prefetch(table, base + (get(hashes, i) & (size - 1)))
    for i in range(number):
        entry = get(table, base + (get(hashes, i) & (size - 1)))
        if entry != 0:
            prefetch(states, ((entry & INDEX_MASK) - 1) * words)
    for i in range(number):
        h = get(hashes, i)
        tag = (h >> 41) & TAG_MASK
        slot = h & (size - 1)
        o = i * words
        while True:
            entry = get(table, base + slot)
            if entry == 0:
                at = place_of(count, worker, workers)
                for k in range(words):
                    put(states, at * words + k, get(out, o + k))
                put(table, base + slot, (tag << INDEX_BITS) | (at + 1))
                count += 1
                break
            if (entry >> INDEX_BITS) == tag:
                at = ((entry & INDEX_MASK) - 1) * words
                same = True
                for k in range(words):
                    if get(states, at + k) != get(out, o + k):
                        same = False
                        break
                if same:
                    break
            slot = (slot + 1) & (size - 1)
    return count


@called
def lookup(states: Ints, table: Ints, packed: Ints, o: int, words: int, workers: int) -> int:
    """Give a state's place, or -1."""
    h = hash_of(packed, o, words)
    size = table.shape[0] // workers
    base = owner_of(h, workers) * size
    tag = (h >> 41) & TAG_MASK
    slot = h & (size - 1)
    while True:
        entry = table[base + slot]
        if entry == 0:
            return -1
        if (entry >> INDEX_BITS) == tag:
            at = (entry & INDEX_MASK) - 1
            same = True
            for k in range(words):
                if states[at * words + k] != packed[o + k]:
                    same = False
                    break
            if same:
                return at
        slot = (slot + 1) & (size - 1)


@compiled
def fill(states: Ints, table: Ints, words: int, worker: int, workers: int, start: int, stop: int) -> None:
    """Enter a worker's states from ``start`` to ``stop`` into a bigger table."""
    size = table.shape[0] // workers
    base = worker * size
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        h = hash_of(states, at * words, words)
        slot = h & (size - 1)
        while table[base + slot] != 0:
            slot = (slot + 1) & (size - 1)
        table[base + slot] = (((h >> 41) & TAG_MASK) << INDEX_BITS) | (at + 1)


@called
def note_sight(work: Work, sighting: int) -> None:
    """Remember a sighting once."""
    n = work.counts[C_SIGHTS]
    for i in range(n):
        if work.sights[i] == sighting:
            return
    if n < work.sights.shape[0]:
        work.sights[n] = sighting
        work.counts[C_SIGHTS] = n + 1


@inlined
def send_away(work: Work, words: int, held: int, n: int, worker: int, workers: int) -> int:
    """Hash the successors from ``held`` to ``n``; move those of other workers into the box; give how many stay."""
    keep = held
    boxed = work.counts[C_BOX]
    for i in range(held, n):
        h = hash_of(work.out, i * words, words)
        if workers > 1:
            owner = owner_of(h, workers)
            if owner != worker:
                work.box[boxed, 0] = owner
                work.box[boxed, 1] = h
                for k in range(words):
                    work.box[boxed, 2 + k] = work.out[i * words + k]
                boxed += 1
                continue
            if keep != i:
                for k in range(words):
                    work.out[keep * words + k] = work.out[i * words + k]
        work.hashes[keep] = h
        keep += 1
    work.counts[C_BOX] = boxed
    return keep


@compiled
def expand(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    worker: int,
    todo: Ints,
    start: int,
    stop: int,
    limit: int,
) -> int:
    """Expand a worker's states ``start`` to ``stop`` (of ``todo``, if that holds any); give where it stopped.

    It stops early when there is no room for more (``limit`` states), or too much is put aside.
    """
    counts = work.counts
    words = tables.header[H_WORDS]
    workers = tables.header[H_WORKERS]
    held = np.int64(0)
    room = work.told.shape[0] - BATCH
    count = counts[C_STATES]
    i = start
    while i < stop:
        if held >= BATCH:
            count = insert(states, table, work.out, work.hashes, held, words, worker, workers, count)
            held = np.int64(0)
        if count + room + BATCH > limit or counts[C_RETRY] >= work.retry.shape[0]:
            break
        if counts[C_BOX] + room + BATCH > work.box.shape[0] and workers > 1:
            break
        index = todo[i] if todo.shape[0] > 0 else i
        number = successors(tables, work, states, place_of(index, worker, workers) * words, held)
        if counts[C_WHOLE] == 0:
            work.retry[counts[C_RETRY]] = index
            counts[C_RETRY] += 1
        else:
            counts[C_TRANSITIONS] += number
            if number > 1:
                counts[C_BRANCHING] = 1
            elif number == 0 and counts[C_ENDED] == 0:
                counts[C_STUCK] = 1
        for each in range(held, held + number):
            sighting = work.told[each] >> 32
            if sighting != 0:
                note_sight(work, sighting - 1)
        held = send_away(work, words, held, held + number, worker, workers)
        i += 1
    counts[C_STATES] = insert(states, table, work.out, work.hashes, held, words, worker, workers, count)
    return i


@compiled
def receive(tables: Tables, work: Work, states: Ints, table: Ints, worker: int, box: Ints, boxed: int) -> None:
    """Enter what another worker has found and this one owns; there must be room for it."""
    words = tables.header[H_WORDS]
    workers = tables.header[H_WORKERS]
    count = work.counts[C_STATES]
    held = np.int64(0)
    for i in range(boxed):
        if box[i, 0] == worker:
            for k in range(words):
                work.out[held * words + k] = box[i, 2 + k]
            work.hashes[held] = box[i, 1]
            held += 1
            if held == BATCH:
                count = insert(states, table, work.out, work.hashes, held, words, worker, workers, count)
                held = np.int64(0)
    work.counts[C_STATES] = insert(states, table, work.out, work.hashes, held, words, worker, workers, count)


@compiled
def look_up_all(tables: Tables, work: Work, states: Ints, table: Ints, at: int, places: Ints) -> int:
    """Expand a state and put the places of its successors into ``places``."""
    words = tables.header[H_WORDS]
    number = successors(tables, work, states, at * words, np.int64(0))
    for each in range(number):
        places[each] = lookup(states, table, work.out, each * words, words, tables.header[H_WORKERS])
    return number


@compiled
def backwards(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    worker: int,
    start: int,
    stop: int,
    sighting: int,
    row_of: npt.NDArray[np.int32],
    costs: npt.NDArray[np.int16],
    rows: int,
    places: Ints,
    around: Ints,
) -> int:
    """Work out the fewest changes of thread from some states to the violation; give how many are on a way.

    ``around`` is room for the places of one state's successors. ``row_of`` names states of the level after (and of
    later ones) only: the caller enters a level when it is done.
    """
    workers = tables.header[H_WORKERS]
    threads = tables.header[H_THREADS]
    found = 0
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        number = look_up_all(tables, work, states, table, at, around)
        row = rows + found
        on = False
        if sighting < 0:
            if number == 0 and work.counts[C_ENDED] == 0:
                on = True
                for t in range(threads):
                    costs[row, t] = 0
        else:
            for each in range(number):
                t = work.told[each] & 0xFF
                cost = 1 << 14
                if sighting > 0:
                    if (work.told[each] >> 32) == sighting:
                        cost = 0
                else:
                    next_row = row_of[around[each]]
                    if next_row >= 0:
                        cost = np.int64(costs[next_row, t])
                        for other in range(threads):
                            cost = min(cost, np.int64(costs[next_row, other]) + 1)
                if cost < costs[row, t]:
                    costs[row, t] = cost
                    on = True
        if on:
            places[found] = at
            found += 1
    return found


G_FRAMES, G_KIDS, G_STACK, G_NUMBER, G_PARTS, G_WORKER, G_INDEX, G_FAIR, G_SIZE = range(9)
"""How far the walk over the cycles has come."""


@called
def agents_of(tables: Tables, work: Work, number: int, places: Ints, low: npt.NDArray[np.int32], part: int) -> int:
    """Give the agents that can move (with ``part``: that move inside this component), as a bit set."""
    threads = tables.header[H_THREADS]
    agents = np.int64(0)
    for each in range(number):
        if part == 0 or low[places[each]] == part:
            told = work.told[each]
            t, agent, slot = told & 0xFF, (told >> 8) & 0xFF, (told >> 16) & 0xFFFF
            bit = t if agent == RUN else (threads + t if agent == DRAIN else 2 * threads + slot)
            agents |= 1 << bit
    return agents


@called
def is_fair(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    members: Ints,
    begin: int,
    end: int,
    low: npt.NDArray[np.int32],
    places: Ints,
) -> bool:
    """Tell whether a component has a fair cycle: each agent moves in it, or cannot move in some state of it."""
    everybody = (np.int64(1) << (2 * tables.header[H_THREADS] + tables.header[H_SLOTS])) - 1
    excused = np.int64(0)
    for i in range(begin, end):
        number = look_up_all(tables, work, states, table, members[i], places)
        excused |= agents_of(tables, work, number, places, low, low[members[i]])
        excused |= everybody & ~agents_of(tables, work, number, places, low, np.int64(0))
        if excused == everybody:
            return True
    return False


@compiled
def walk_cycles(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    debt: Ints,
    ends: Ints,
    order: npt.NDArray[np.int32],
    low: npt.NDArray[np.int32],
    frames: Ints,
    kids: Ints,
    members: Ints,
    walk: Ints,
    hits: npt.NDArray[np.int8],
    places: Ints,
    budget: int,
) -> bool:
    """Go on with Tarjan's walk over the states in which a debt is not zero; give whether there is more to do.

    ``low`` of a state becomes minus its component's number when that is complete. ``kids`` holds the successors of the
    states on the way that are still to be looked at, so that each state is expanded once (and once more in a cycle).
    """
    words = tables.header[H_WORDS]
    workers = tables.header[H_WORKERS]
    room = work.told.shape[0]
    field_at, shift, mask, zero = debt[0], debt[1], debt[2], debt[3]
    spent = 0
    while spent < budget:
        depth = walk[G_FRAMES]
        entering = np.int64(-1)
        if depth == 0:
            worker, index = walk[G_WORKER], walk[G_INDEX]
            if worker >= workers:
                return False
            if index >= ends[worker]:
                walk[G_WORKER] += 1
                walk[G_INDEX] = 0
                continue
            walk[G_INDEX] += 1
            at = place_of(index, worker, workers)
            spent += 1
            if order[at] == 0 and ((states[at * words + field_at] >> shift) & mask) != zero:
                entering = at
        else:
            top = depth - 1
            at = frames[top, 0]
            if walk[G_KIDS] > frames[top, 1]:
                walk[G_KIDS] -= 1
                kid = kids[walk[G_KIDS]]
                if order[kid] == 0:
                    entering = kid
                elif low[kid] >= 0:
                    low[at] = min(low[at], order[kid])
            else:
                if low[at] == order[at]:
                    begin = walk[G_STACK] - 1
                    while members[begin] != at:
                        begin -= 1
                    walk[G_PARTS] += 1
                    end = walk[G_STACK]
                    for i in range(begin, end):
                        low[members[i]] = -walk[G_PARTS]
                    walk[G_STACK] = begin
                    if end - begin > 1 or frames[top, 2] != 0:
                        spent += end - begin
                        if is_fair(tables, work, states, table, members, begin, end, low, places):
                            walk[G_FAIR] += 1
                            for i in range(begin, end):
                                hits[members[i]] = 1
                elif depth > 1:
                    parent = frames[top - 1, 0]
                    low[parent] = min(low[parent], low[at])
                walk[G_FRAMES] -= 1
        if entering >= 0:
            full = walk[G_FRAMES] + 1 >= frames.shape[0] or walk[G_STACK] + 1 >= members.shape[0]
            if full or walk[G_KIDS] + room >= kids.shape[0]:
                # Undo, so that the next call finds it again.
                if depth == 0:
                    walk[G_INDEX] -= 1
                else:
                    walk[G_KIDS] += 1
                return True
            at = entering
            walk[G_NUMBER] += 1
            order[at] = walk[G_NUMBER]
            low[at] = walk[G_NUMBER]
            members[walk[G_STACK]] = at
            walk[G_STACK] += 1
            top = walk[G_FRAMES]
            frames[top, 0] = at
            frames[top, 1] = walk[G_KIDS]
            frames[top, 2] = 0
            walk[G_FRAMES] += 1
            spent += 1
            number = look_up_all(tables, work, states, table, at, places)
            for each in range(number):
                kid = places[each]
                if kid == at:
                    frames[top, 2] = 1
                elif ((states[kid * words + field_at] >> shift) & mask) != zero:
                    kids[walk[G_KIDS]] = kid
                    walk[G_KIDS] += 1
    return True
