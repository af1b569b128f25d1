"""Receiving: frames off the socket into the pending set of the local APIC.

A frame arrives, its vector is pending, it is counted as taken, in this order: no instrument sees one vanish in between.
"""

from __future__ import annotations

import errno
from typing import Final

from emu.machine import MAX_PCPUS
from emu.waist import BIT, fls64
from hosts.native.codegen.intrinsics import (
    byteswap,
    doorbell_address,
    load,
    load_constant,
    load_own_pcpu,
    load_private,
    load_u8,
    rdtsc,
    store,
    store_private,
    zmq_errno,
    zmq_recv,
)
from hosts.native.fabric import wire
from hosts.native.fabric.frame_kinds import KIND_SILENT
from hosts.native.memory.private_words import RECEIVE_WORDS, Local
from hosts.native.runtime.process_locals import increment, own_words, this_process, yield_processor

AGAIN: Final = 1
"""``ZMQ_DONTWAIT``."""

RECEIVE_BYTES: Final = 8 * RECEIVE_WORDS

BURST: Final = 256
"""Frames taken in one poll of the socket: a flood of foreign ones cannot hold a pCPU."""

# Times are in ticks of the TSC, 2 to 4 to the nanosecond.
POLL_GAP: Final = 1_000
"""Between two empty polls of the socket: each is a system call."""

EMPTIES_TO_YIELD: Final = 2
"""Empty polls in a row before libzmq's own thread is let onto this processor."""

_LOW_56: Final = (1 << 56) - 1


def pending(local: Local) -> int:
    """Return whether a vector is pending: not 0 if one is."""
    own = own_words(local)
    low = load_private(own.pending[0]) | load_private(own.pending[1])
    return low | load_private(own.pending[2]) | load_private(own.pending[3])


def expect(local: Local) -> None:
    """Update the doorbell value at which an interrupt point has nothing to do; called when its causes change."""
    idle = pending(local) == 0 and load_private(local.stall_points) == 0
    store_private(local.expect, load_private(local.taken) if idle else -1)


def due(local: Local) -> bool:
    """Return whether an interrupt point has anything to do: one load and one compare, both at a constant address."""
    return load(doorbell_address()) != load_private(local.expect)


def frames_in_flight(local: Local) -> bool:
    """Return whether a frame to this pCPU has been counted and has not been taken."""
    return load(doorbell_address()) != load_private(local.taken)


def apic_pending() -> int:
    """Return whether a vector is pending, arrivals included."""
    local = this_process()
    return apic_pending_slowpath(local) if due(local) else 0


def apic_pending_slowpath(local: Local) -> int:
    """Return whether a vector is pending where something is due."""
    if pending(local) != 0:
        return 1
    if not frames_in_flight(local):
        return 0
    receive_if_due(local)
    return 1 if pending(local) != 0 else 0


def apic_ack() -> int:
    """Take the highest pending vector; -1 if there is none."""
    local = this_process()
    own = own_words(local)
    index = 3
    while index >= 0:
        bits = load_private(own.pending[index])
        if bits != 0:
            highest = fls64(bits) - 1
            store_private(own.pending[index], bits & ~BIT(highest))
            expect(local)
            return index * 64 + highest
        index -= 1
    return -1


def ipis_in_flight() -> int:
    """Return whether a frame to this pCPU is under way; after all have sent their last frames none can be."""
    local = this_process()
    return 1 if frames_in_flight(local) and load_private(local.markers) != load_constant(local.pcpus) else 0


def accept(local: Local, buffer: int, length: int) -> int:
    """Check a frame of ``length`` bytes and take it; 0: it is ignored. Reads no byte of one that has another length."""
    if length != wire.FRAME_BYTES or load_private(buffer) != load_constant(local.head):
        return 0
    middle = load_private(buffer + 8)
    if middle & wire.MIDDLE_MASK != load_own_pcpu(local.middle) or load_u8(buffer + wire.SEQUENCE_BYTE) != wire.UINT64:
        return 0
    sender = (middle >> wire.SENDER_SHIFT) & (wire.LAST - 1)
    vector = (middle >> wire.VECTOR_SHIFT) & 0xFF
    if sender >= load_constant(local.pcpus):
        return 0
    last = (middle >> wire.SENDER_SHIFT) & wire.LAST
    kind = KIND_SILENT if last != 0 else load_u8(local.kinds.at + vector)
    own = own_words(local)
    sequence = (byteswap(load_private(buffer + wire.SEQUENCE_BYTE)) & _LOW_56) << 8
    sequence |= load_u8(buffer + wire.FRAME_BYTES - 1)
    if sequence != load(own.arrived[sender]):
        return 0
    if load_private(local.silent_from[sender]) == 0:
        increment(own.taken[kind * MAX_PCPUS + sender])
    if kind == KIND_SILENT:
        store_private(local.silent_from[sender], 1)
        store_private(local.markers, load_private(local.markers) + 1)
        increment(own.markers)
    else:
        word = own.pending[vector >> 6]
        bits = load_private(word)
        if bits & BIT(vector & 63) != 0:
            increment(own.coalesced)
        store_private(word, bits | BIT(vector & 63))
    store(own.arrived[sender], sequence + 1)
    taken = load_private(local.taken) + 1
    store_private(local.taken, taken)
    store(own.taken_total, taken)
    return 1


def receive(local: Local) -> int:
    """Move what has arrived into the pending set; return how many frames counted."""
    own = own_words(local)
    buffer = local.buffer.at
    pull = load_own_pcpu(local.pull)
    counted = 0
    for _ in range(BURST):
        length = zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN)
        if length < 0:
            number = zmq_errno()
            if number == errno.EINTR:
                continue
            if number != errno.EAGAIN:
                store(own.error, number)
            increment(own.empty_polls)
            store_private(local.last_poll, rdtsc())
            break
        if accept(local, buffer, length) != 0:
            counted += 1
            if not frames_in_flight(local):
                break
        else:
            increment(own.bad_frames)
    increment(own.polls)
    if counted != 0:
        store_private(local.empties, 0)
        store_private(local.relax_since, 0)
        expect(local)
    return counted


def receive_if_due(local: Local) -> None:
    """Poll the socket, but not more often than makes sense; after some empty polls let libzmq's thread run."""
    if rdtsc() - load_private(local.last_poll) < POLL_GAP:
        return
    if receive(local) != 0:
        return
    empties = load_private(local.empties) + 1
    if empties >= EMPTIES_TO_YIELD:
        yield_processor(local)
        empties = 0
    store_private(local.empties, empties)
