"""Sending: IPIs, and at the end a marker on every connection.

Sent is counted, the doorbell rings (locked), the frame leaves, in this order, so that a comparison of doorbell and
taken never misses a frame.
"""

from __future__ import annotations

import errno
from typing import Final

from emu.machine import MAX_PCPUS
from emu.vectors import POSTED_INTR_VECTOR
from hosts.native.codegen.intrinsics import (
    byteswap,
    fence,
    fetch_add,
    load,
    load_constant,
    load_own_pcpu,
    load_private,
    load_u8,
    store,
    store_private,
    store_u8,
    zmq_errno,
    zmq_send,
)
from hosts.native.fabric import wire
from hosts.native.fabric.frame_kinds import KIND_SILENT
from hosts.native.memory.layout import FAULT_BEFORE_COUNT
from hosts.native.memory.private_words import FRAME_WORDS, Local
from hosts.native.runtime.process_locals import (
    choose,
    count_heartbeat,
    doorbell_of,
    increment,
    own_words,
    run_words,
    this_process,
    words_of,
    yield_processor,
)
from hosts.native.runtime.receive import AGAIN, frames_in_flight, receive

UNDER_WAY: Final = 512
"""Frames of one connection that may be under way; a sender above it waits for its target."""

SEND_TRIES: Final = 100_000

HIGHEST_VECTOR: Final = 255

_WIDE_TAG: Final = wire.UINT64 << 56 if wire.UINT64 < 0x80 else (wire.UINT64 - 256) << 56  # noqa: PLR2004


def send_IPI(cpu: int, vector: int) -> None:
    """Count an IPI, ring the target's doorbell (which drains the store buffer), and put it onto the wire."""
    local = this_process()
    if cpu < 0 or cpu >= load_constant(local.pcpus) or vector < 0 or vector > HIGHEST_VECTOR:
        store(own_words(local).error, errno.EINVAL)
        return
    kind = load_u8(local.kinds.at + vector)
    fault = load_constant(local.fault)
    if fault != 0 and vector == POSTED_INTR_VECTOR and choose(load_constant(local.fault_one_in)) == 0:
        increment(own_words(local).faulted)
        if fault == FAULT_BEFORE_COUNT:
            fence()
        else:
            count_sent(local, cpu, kind)
        return
    if load_private(local.sequence[cpu]) >= load_private(local.credit[cpu]):
        throttle(local, cpu)
    count_sent(local, cpu, kind)
    if transmit(local, cpu, vector) == 0:
        uncount_sent(local, cpu, kind)


def count_sent(local: Local, cpu: int, kind: int) -> None:
    """Count a frame, then ring: a target that sees the doorbell finds the frame counted."""
    own = own_words(local)
    increment(own.sent[kind * MAX_PCPUS + cpu] if load_private(local.silent) == 0 else own.sent_late)
    fetch_add(doorbell_of(cpu), 1)


def uncount_sent(local: Local, cpu: int, kind: int) -> None:
    """Uncount a frame that libzmq did not take."""
    own = own_words(local)
    word = own.sent[kind * MAX_PCPUS + cpu] if load_private(local.silent) == 0 else own.sent_late
    store(word, load(word) - 1)
    fetch_add(doorbell_of(cpu), -1)


def transmit(local: Local, cpu: int, vector: int) -> int:
    """Fill in the frame to ``cpu`` and hand it to libzmq; 0: it refused for good (the supervisor reads the error)."""
    frame = local.frames[cpu * FRAME_WORDS]
    sequence = load_private(local.sequence[cpu])
    store_u8(frame + wire.VECTOR_BYTE, vector)
    store_private(frame + wire.SEQUENCE_BYTE, byteswap(_WIDE_TAG | sequence >> 8))
    store_u8(frame + wire.FRAME_BYTES - 1, sequence)
    socket = load_private(local.push[cpu])
    number = 0
    for _ in range(SEND_TRIES):
        if zmq_send(socket, frame, wire.FRAME_BYTES, AGAIN) >= 0:
            store_private(local.sequence[cpu], sequence + 1)
            store_private(local.sends, load_private(local.sends) + 1)
            store_private(local.in_flight_to, cpu + 1)
            return 1
        number = zmq_errno()
        if number == errno.EAGAIN:
            yield_processor(local)
        elif number != errno.EINTR:
            break
    store(own_words(local).error, number)
    return 0


def throttle(local: Local, cpu: int) -> None:
    """Wait until few enough frames to ``cpu`` are under way; own arrivals go into the pending set meanwhile.

    Every pCPU that waits here takes what it is sent, so two that wait for each other both go on. The end of the run
    lifts the bound.
    """
    arrived = words_of(cpu).arrived[load_own_pcpu(local.cpu)]
    sequence = load_private(local.sequence[cpu])
    stop = run_words(local).stop
    if sequence - load(arrived) >= UNDER_WAY:
        increment(own_words(local).throttled)
    while sequence - load(arrived) >= UNDER_WAY and load(stop) == 0:
        count_heartbeat(local)
        if frames_in_flight(local):
            receive(local)
        yield_processor(local)
    store_private(local.credit[cpu], max(load(arrived) + UNDER_WAY, sequence + 1))


def say_silent() -> None:
    """Send the last frame of every connection; what is sent after it, if anything, is not accounted for."""
    local = this_process()
    own = own_words(local)
    if load_private(local.silent) != 0:
        return
    for cpu in range(load_constant(local.pcpus)):
        sender = local.frames[cpu * FRAME_WORDS] + wire.SENDER_BYTE
        count_sent(local, cpu, KIND_SILENT)
        store_u8(sender, load_own_pcpu(local.cpu) | wire.LAST)
        if transmit(local, cpu, 0) == 0:
            uncount_sent(local, cpu, KIND_SILENT)
        store_u8(sender, load_own_pcpu(local.cpu))
    store_private(local.silent, 1)
    store(own.silent, 1)


def all_silent() -> int:
    """Return whether the last frame of every connection to this pCPU has arrived."""
    local = this_process()
    if load_private(local.markers) == load_constant(local.pcpus):
        return 1
    count_heartbeat(local)
    if frames_in_flight(local):
        receive(local)
    yield_processor(local)
    return 1 if load_private(local.markers) == load_constant(local.pcpus) else 0
