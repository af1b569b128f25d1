# ruff: noqa: C901, PLR0912 - compiled loops: one function where a call would cost
"""Steps of a thread or its buffer: merged operations without scheduling points (Lipton 1975), in compiled code.

A state is a few 64-bit words of packed fields (:mod:`hosts.explorer.model.state_vector` says where each lies). A step
works on the packed words themselves: an operation reads one small number and puts another, and a table tells which
(:mod:`hosts.explorer.search.thread_tables`). What a table does not know yet becomes a *request*; the state is put aside
until Python has learnt it. All numbers are signed 64-bit ones: mixed with unsigned ones, Numba would compute in
floating point.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hosts.explorer.compiled.abi import (
    BEGINS,
    C_ROUND,
    C_WINDOWS,
    CHOOSE,
    CONST,
    DRAIN,
    DRAINS,
    END,
    H_FUSE,
    H_THREADS,
    H_WORDS,
    LOCKED,
    N_SIZE,
    N_STUCK,
    NEXT_BITS,
    NEXT_MASK,
    NOTE_SHIFT,
    P_ID,
    P_PLACE,
    P_WORD,
    PENDING,
    POINT,
    PUT,
    REQ_LONG,
    REQ_REST,
    REQ_ROOM,
    REQ_STACK,
    RESET,
    ROUND,
    RUN,
    SCHEDULED,
    SEND,
    STEADY,
    T_BK,
    T_EW,
    T_LK,
    T_SIZE,
    VALUE_MASK,
    Tables,
    Work,
)
from hosts.explorer.compiled.effects import LONGEST_STEP, do, edge_of, instruments, request
from hosts.explorer.compiled.lazy_flush import notice
from hosts.explorer.compiled.state_fields import copy, oldest, read_field, write_field, write_word
from hosts.explorer.compiled.step_end import (
    ASKING,
    GO_ON,
    NOWHERE,
    PASS_POINT,
    PASS_UNSURE,
    REST,
    STAY,
    held_up,
    way_past,
)
from hosts.explorer.compiled.visibility import invisible, is_obligation, on_obligation
from hosts.explorer.jit.intrinsics import Ints, called, get, put

PROVISO_BOUND: Final = 16
"""Scheduling points that one step passes at most: the cycle proviso (a thread that only stores or fences in a loop
must come to rest, so that the others get their turn on every cycle)."""

GLUED, STARTED, PAID = 1, 2, 4
"""Flags of a step that waits on the stack."""


@called
def steps(tables: Tables, work: Work, states: Ints, at: int, agent: int, n: int) -> int:  # noqa: PLR0915
    """Put what a thread that has not ended can do, or its buffer, behind ``n`` successors; return their number then.

    The buffer is not empty. ``counts[C_WHOLE]`` becomes 0 if something was not known yet: then these are not all.
    """
    header, threads, operations = tables.header, tables.threads, tables.operations
    out, stack = work.out, work.stack
    words = header[H_WORDS]
    fuse = header[H_FUSE] != 0
    t, drains = agent % header[H_THREADS], agent >= header[H_THREADS]
    local, buffered = t * T_SIZE + T_LK, t * T_SIZE + T_BK
    resting = read_field(work, states, at, threads, local)
    waiting = read_field(work, states, at, threads, buffered)
    g = get(tables.rest, t * tables.rest.shape[1] + resting)
    code = get(operations, g * 8) & 31
    o = n * words
    copy(out, o, states, at, words)
    # What instruments do before a thread's first effect, or between a mark that begins and the effect, is one step.
    flags = get(operations, g * 8) >> 5
    started = drains or not fuse or ((flags & BEGINS) == 0 and (resting != 0 or (flags & SCHEDULED) != 0))
    forced = 2 if code == POINT and not drains else 1
    done = lost = pick = top = 0
    windows = sighting = first_answer = 0
    glued = True
    passed = False  # the last operation was a point that is none now: what comes next may be a rest
    unsure = False
    paid = False  # or made: a debt is changed once in a step, so that no state in which it is paid is left out
    back_g = g
    back_windows = windows
    if drains:
        done = 1
        glued = False
        pair = oldest(tables, t, waiting)
        write_field(work, out, o, threads, buffered, waiting >> get(threads, t * T_SIZE + T_EW))
        write_field(work, out, o, tables.pairs, pair + P_PLACE, get(tables.pairs, pair + P_ID))
        paid = is_obligation(header, get(tables.pairs, pair + P_WORD))
    while True:
        if sighting == 0 and not (unsure or passed or (drains and done == 1)):
            g, count, seen, sighting = instruments(tables, work, out, o, agent, g, done)
            glued = glued and count == done
            done = count
            windows |= seen
        record = g * 8
        code = get(operations, record) & 31
        flags = get(operations, record) >> 5
        buffer = read_field(work, out, o, threads, buffered)
        act = GO_ON
        through = False
        if unsure:
            # What has been passed without a rest is sure when the next operation is due and nobody could notice.
            if sighting == 0 and ((flags & SCHEDULED) != 0 or code == END):
                unsure = False
            elif (
                sighting != 0
                or not invisible(tables, work, t, record, buffer)
                or ((flags & DRAINS) != 0 and buffer != 0)
            ):
                unsure = False
                copy(out, o, work.back, 0, words)
                g = back_g
                windows = back_windows
                sighting = 0
                act = REST
        if act == GO_ON and done > 0 and pick == 0:  # else a choice that the step has come to before
            if sighting != 0 or code == END:
                act = REST
            elif not (
                (flags & SCHEDULED) != 0
                or (not fuse and not glued)
                or (drains and done == 1)
                or (passed and (code != STEADY or (flags & DRAINS) != 0))
            ):
                pass  # it belongs to the step
            elif not started and code != POINT and (flags & BEGINS) == 0:
                started = True
            elif done >= forced or first_answer != 0:
                way = way_past(tables, work, o, t, g, buffer, paid) if lost < PROVISO_BOUND else STAY
                act = REST if way == STAY else NOWHERE if way == ASKING else GO_ON
                through = act == GO_ON
                lost += 1 if through else 0
                if way == PASS_POINT:
                    passed = started = True  # instruments in front of a point have a step of their own
                if way == PASS_UNSURE:
                    copy(work.back, 0, out, o, words)
                    back_g = g
                    back_windows = windows
                    unsure = True
        if act == GO_ON:
            passed = passed and (code == POINT or (code == STEADY and (flags & DRAINS) == 0))
            act = held_up(tables, work, t, g, buffer)
            if act == REST and done < forced and not through:
                act = NOWHERE
                put(work.noticed, agent * N_SIZE + N_STUCK, 1)
            elif act == GO_ON and done > LONGEST_STEP:
                request(work, REQ_LONG, g, 0)
                act = NOWHERE
                top = 0  # the other branches would be just as long
        if act == GO_ON:
            if code == CHOOSE:
                index = pick
                pick = 0
                if index >= get(operations, record + CONST):
                    index = -1
                elif index + 1 < get(operations, record + CONST) and top >= stack.shape[0]:
                    request(work, REQ_STACK, 0, 0)
                    index = -1
                    top = 0
                elif index + 1 < get(operations, record + CONST):
                    copy(stack, top * stack.shape[1], out, o, words)
                    stack[top, words] = g
                    stack[top, words + 1] = index + 1
                    stack[top, words + 2] = done
                    stack[top, words + 3] = windows
                    stack[top, words + 4] = lost
                    stack[top, words + 5] = first_answer
                    stack[top, words + 6] = (
                        (GLUED if glued else 0) | (STARTED if started else 0) | (PAID if paid else 0)
                    )
                    top += 1
            else:
                notice(tables, work, out, o, agent, record, code)
                index = do(tables, work, o, t, g, code, buffer)
                paid = paid or code == RESET or (code in (LOCKED, PUT) and on_obligation(tables, record))
            edge = edge_of(tables, work, g, index) if index >= 0 else np.int64(-1)
            if edge >= 0:
                if code == LOCKED:
                    write_word(tables, work, out, o, record, (edge >> NEXT_BITS) & VALUE_MASK)
                note = edge >> NOTE_SHIFT
                if note != 0:
                    windows |= get(tables.notes, note * 2)
                    sighting = get(tables.notes, note * 2 + 1)
                if done == 0 and code == POINT:
                    first_answer = index
                glued = code in (POINT, PENDING)
                effect = (flags & SCHEDULED) != 0 and (done > 0 or (flags & BEGINS) == 0)
                started = started or effect or code == SEND  # an early IPI is an effect, too
                done += 1
                g = edge & NEXT_MASK
                continue
        if act == REST:
            number = get(tables.resting, g)
            if number < 0:
                request(work, REQ_REST, g, 0)
            elif n >= work.labels.shape[0] - 1:
                request(work, REQ_ROOM, 0, 0)
            else:
                write_field(work, out, o, threads, local, number)
                put(work.labels, n, t | ((DRAIN if drains else RUN) << 8) | (sighting << 32))
                work.counts[C_WINDOWS] |= windows & ~ROUND
                if (windows & ROUND) != 0:
                    work.counts[C_ROUND] = 1
                n += 1
                o += words
        if top == 0:
            return n
        top -= 1
        copy(out, o, stack, top * stack.shape[1], words)
        g = stack[top, words]
        pick = stack[top, words + 1]
        done = stack[top, words + 2]
        windows = stack[top, words + 3]
        lost = stack[top, words + 4]
        first_answer = stack[top, words + 5]
        glued = (stack[top, words + 6] & GLUED) != 0
        started = (stack[top, words + 6] & STARTED) != 0
        paid = (stack[top, words + 6] & PAID) != 0
        unsure = passed = False
        sighting = 0
