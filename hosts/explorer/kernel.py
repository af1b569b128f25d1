# ruff: noqa: C901, PLR0912, PLR0915, SIM102 - compiled loops: one function where a call would cost
"""The compiled loop of the search: what one state leads to.

A state is a few 64-bit words of packed fields (:mod:`hosts.explorer.packing` says where each lies). A step works on the
packed words themselves: an operation reads one small number and puts another, and a table tells which
(:mod:`hosts.explorer.tables`). What a table does not know yet becomes a *wish*; the state is put aside until Python has
learnt it. All numbers are signed 64-bit ones: mixed with unsigned ones, Numba would compute in floating point.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hosts.explorer.codes import (
    ACK,
    ARRIVE,
    ASK,
    ASKED,
    BASE,
    C_BRANCHING,
    C_ENDED,
    C_LONGEST,
    C_RETRY,
    C_SIGHTS,
    C_STATES,
    C_STUCK,
    C_TRANSITIONS,
    C_WAITED,
    C_WHOLE,
    C_WINDOWS,
    C_WISHES,
    CHOOSE,
    CONST,
    DRAIN,
    DRAINS,
    END,
    EXTRA,
    FREE,
    H_FUSE,
    H_REDUCE,
    H_SLOTS,
    H_THREADS,
    H_WORDS,
    H_WORKERS,
    IN_FLIGHT,
    LOCKED,
    MASK,
    NEXT_BITS,
    NEXT_MASK,
    NOTE_SHIFT,
    OWN,
    P_ID,
    P_MASK,
    P_PLACE,
    P_SHIFT,
    P_SIZE,
    P_WORD,
    PENDING,
    PLACE,
    PLAIN,
    POINT,
    PUT,
    QUIET,
    R_ID,
    R_MASK,
    R_PLACE,
    R_SHIFT,
    R_SIZE,
    READ,
    RENEW,
    RUN,
    S_MASK,
    S_PLACE,
    S_SHIFT,
    S_SIZE,
    S_TARGET,
    S_VECTOR,
    SCHEDULED,
    SEND,
    SHIFT,
    STEADY,
    STORE,
    T_BK,
    T_BM,
    T_BS,
    T_EW,
    T_FULL,
    T_LK,
    T_LM,
    T_LS,
    T_PK,
    T_PM,
    T_PS,
    T_SIZE,
    T_SLOT0,
    T_TOP,
    UNKNOWN,
    VALUE_MASK,
    W_BUFFER,
    W_EDGE,
    W_FLIGHT,
    W_FREE,
    W_LONG,
    W_NOTHING,
    W_REST,
    W_ROOM,
    W_STACK,
    WORD,
    Tables,
    Work,
)
from hosts.explorer.finding import BATCH, enter, hash_of, place_of
from hosts.explorer.intrinsics import Ints, called, compiled, get, inlined, put
from hosts.explorer.noticed import calm, flying, free_now, is_debt, note_near, quiet, unnoticed

LONGEST_STEP: Final = 100_000
MOST_FREE: Final = 16
"""Scheduling points that one step passes at most: the cycle proviso (a thread that only stores or fences in a loop
must come to rest, so that the others get their turn on every cycle)."""


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


@inlined
def successors(tables: Tables, work: Work, states: Ints, at: int, first: int) -> int:
    """Put all that one state leads to behind the first successors in ``work.out``; give their number.

    ``counts[C_WHOLE]`` becomes 0 if something was not known yet: then these are not all. ``counts[C_ENDED]``: all
    threads have ended.
    """
    header, threads, slots, rows, pairs = tables.header, tables.threads, tables.slots, tables.rows, tables.pairs
    operations, edges = tables.operations, tables.edges
    out, told, stack, counts, back = work.out, work.told, work.stack, work.counts, work.back
    words = header[H_WORDS]
    fuse = header[H_FUSE] != 0
    reduce = header[H_REDUCE] != 0
    counts[C_WHOLE] = 1
    if reduce and fuse:
        note_near(tables, work, states, at)
    ended = True
    n = first
    room = told.shape[0] - 1
    total = 0
    resters = tables.rest.shape[1]
    storers = pairs.shape[1]
    for agent_and_thread in range(2 * header[H_THREADS]):
        # First all that run, then all buffers that drain: what is behind a fence is of the drain's step.
        drained = agent_and_thread >= header[H_THREADS]
        t = agent_and_thread - header[H_THREADS] if drained else agent_and_thread
        lk, ls, lm = get(threads, t * T_SIZE + T_LK), get(threads, t * T_SIZE + T_LS), get(threads, t * T_SIZE + T_LM)
        place_now = (get(states, at + lk) >> ls) & lm
        g = get(tables.rest, t * resters + place_now)
        code = get(operations, g * 8) & 31
        # What instruments do before a thread's first operation belongs to that operation's step.
        started = drained or not fuse or place_now != 0 or ((get(operations, g * 8) >> 5) & SCHEDULED) != 0
        bk, bs, bm, ew = (
            get(threads, t * T_SIZE + T_BK),
            get(threads, t * T_SIZE + T_BS),
            get(threads, t * T_SIZE + T_BM),
            get(threads, t * T_SIZE + T_EW),
        )
        em = (1 << ew) - 1
        pair0 = t * storers * P_SIZE
        uses = get(work.near, 2 * t)
        writes = get(work.near, 2 * t + 1)
        waiting = (get(states, at + bk) >> bs) & bm
        if drained:
            if waiting == 0:
                continue
        elif code == END:
            continue
        else:
            ended = False
        o = n * words
        for k in range(words):
            put(out, o + k, get(states, at + k))
        forced = 2 if code == POINT and not drained else 1
        top = 0
        done = 0
        pick = 0
        windows = 0
        sighting = 0
        lost = 0
        first_answer = 0
        glued = True
        passed = False  # the last operation was a point that is none now: what comes next may be a rest
        unsure = False
        paid = False  # or made: a debt is changed once in a step, so that no state in which it is paid is left out
        back_g = np.int64(0)
        back_windows = 0
        if drained:
            done = 1
            glued = False
            put(out, o + bk, (get(out, o + bk) & ~(bm << bs)) | ((waiting >> ew) << bs))
            pair = pair0 + (waiting & em) * P_SIZE
            place, shift, mask = o + get(pairs, pair + P_PLACE), get(pairs, pair + P_SHIFT), get(pairs, pair + P_MASK)
            put(out, place, (get(out, place) & ~(mask << shift)) | (get(pairs, pair + P_ID) << shift))
            paid = is_debt(header, get(pairs, pair + P_WORD))
        while True:
            record = g * 8
            code = get(operations, record)
            if sighting == 0 and not unsure and not passed and (code & (PLAIN << 5)) != 0:
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
            if unsure:
                # What has been passed without a rest is sure when the next operation is due and nobody could notice.
                if sighting == 0 and ((flags & SCHEDULED) != 0 or code == END):
                    unsure = False
                elif (
                    sighting != 0
                    or not unnoticed(tables, uses, writes, record, code, (get(out, o + bk) >> bs) & bm)
                    or ((flags & DRAINS) != 0 and ((get(out, o + bk) >> bs) & bm) != 0)
                ):
                    unsure = False
                    for k in range(words):
                        put(out, o + k, get(back, k))
                    g = back_g
                    windows = back_windows
                    sighting = 0
                    act = 1
            if act == 0 and done > 0:
                if sighting != 0 or code == END:
                    act = 1
                elif (
                    (flags & SCHEDULED) != 0
                    or (not fuse and not glued)
                    or (drained and done == 1)
                    or (passed and (code != STEADY or (flags & DRAINS) != 0))
                ):
                    if not started and code != POINT:
                        started = True
                    elif done >= forced or first_answer != 0:
                        act = 1
                        if code == POINT:
                            if get(operations, record + EXTRA) != 0 and lost < MOST_FREE and calm(tables, out, o, t):
                                act = 0
                                through = True
                                passed = True
                                lost += 1
                        elif reduce and (flags & (FREE | ASK)) != 0 and lost < MOST_FREE:
                            if free_now(tables, out, o, t, code):
                                if (flags & ASK) != 0:
                                    wish(work, np.int64(W_FREE), g, np.int64(0))
                                    act = 2
                                else:
                                    act = 0
                                    through = True
                                    lost += 1
                        elif reduce and fuse and lost < MOST_FREE and code in (READ, LOCKED):
                            owed = code == LOCKED and paid and is_debt(header, get(operations, record + WORD))
                            buffer = (get(out, o + bk) >> bs) & bm
                            if not owed and unnoticed(tables, uses, writes, record, code, buffer):
                                for k in range(words):
                                    put(back, k, get(out, o + k))
                                back_g = np.int64(g)
                                back_windows = windows
                                unsure = True
                                act = 0
                                through = True
                                lost += 1
            if act == 0:
                passed = passed and (code == POINT or (code == STEADY and (flags & DRAINS) == 0))
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
                        if is_debt(header, get(operations, record + WORD)):
                            paid = True
                    elif code == PUT:
                        if is_debt(header, get(operations, record + WORD)):
                            paid = True
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
                    elif code == PENDING:
                        held = (get(out, o + get(threads, t * T_SIZE + T_PK)) >> get(threads, t * T_SIZE + T_PS)) & get(
                            threads, t * T_SIZE + T_PM
                        )
                        index = 1 if held != 0 else 0
                    elif code == POINT:
                        held = (get(out, o + get(threads, t * T_SIZE + T_PK)) >> get(threads, t * T_SIZE + T_PS)) & get(
                            operations, record + CONST
                        )
                        index = 1 if held != 0 else 0
                    elif code == ACK:
                        held = (get(out, o + get(threads, t * T_SIZE + T_PK)) >> get(threads, t * T_SIZE + T_PS)) & get(
                            operations, record + CONST
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
                                stack[top, words + 7] = (1 if started else 0) | (2 if paid else 0)
                                top += 1
                    elif code == RENEW:
                        paid = True  # for all that is known here
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
                                if counts[C_WISHES] < work.wishes.shape[0]:
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
                    put(told, n, t | ((DRAIN if drained else RUN) << 8) | (sighting << 32))
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
            unsure = False
            passed = False
            lost = stack[top, words + 4]
            first_answer = stack[top, words + 5]
            glued = stack[top, words + 6] != 0
            started = (stack[top, words + 7] & 1) != 0
            paid = (stack[top, words + 7] & 2) != 0
            sighting = 0
    counts[C_WINDOWS] |= total
    if n + header[H_THREADS] + header[H_SLOTS] >= room:
        wish(work, np.int64(W_ROOM), np.int64(0), np.int64(0))
        return n - first
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
def note_sight(work: Work, sighting: int) -> None:
    """Remember a sighting once."""
    n = work.counts[C_SIGHTS]
    for i in range(n):
        if work.sights[i] == sighting:
            return
    if n < work.sights.shape[0]:
        work.sights[n] = sighting
        work.counts[C_SIGHTS] = n + 1


@compiled
def expand(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    worker: int,
    todo: Ints,
    source: int,
    start: int,
    stop: int,
    limit: int,
) -> int:
    """Expand the states ``start`` to ``stop`` of the worker ``source`` (of the places ``todo``, if that holds any).

    Gives where it stopped: early, if there is no room for more (``limit`` states), or too much is put aside.
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
            count = enter(states, table, work.out, work.hashes, held, words, worker, workers, count)
            held = np.int64(0)
        if count + room + BATCH > limit or counts[C_RETRY] >= work.retry.shape[0]:
            break
        if 2 * counts[C_WISHES] > work.wishes.shape[0]:
            break
        at = todo[i] if todo.shape[0] > 0 else place_of(i, source, workers)
        number = successors(tables, work, states, at * words, held)
        if counts[C_WHOLE] == 0:
            work.retry[counts[C_RETRY]] = at
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
            put(work.hashes, each, hash_of(work.out, each * words, words))
        held += number
        i += 1
    counts[C_STATES] = enter(states, table, work.out, work.hashes, held, words, worker, workers, count)
    return i
