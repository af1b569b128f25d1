"""Synchronised turns, as in litmus7: pCPU 0 opens a turn, the actors act in it, all by the time stamp counter."""

from __future__ import annotations

from typing import Final

from emu.machine import MAX_PCPUS, Machine
from emu.vectors import POST_SLOTS, SLOT_POST, SLOTS
from hosts.native.codegen.intrinsics import (
    load,
    load_constant,
    load_own_pcpu,
    load_private,
    memory_address,
    rdtsc,
    store,
    store_private,
)
from hosts.native.memory.layout import Run
from hosts.native.memory.private_words import Local
from hosts.native.runtime.interrupts import attention
from hosts.native.runtime.noise import arm_stall
from hosts.native.runtime.process_locals import (
    count_heartbeat,
    increment,
    own_words,
    random_bits,
    run_words,
    this_process,
    words_of,
    yield_processor,
)
from hosts.native.runtime.receive import due, frames_in_flight, receive
from hosts.native.runtime.slow_stores import prepare_slow_stores, slow_stores
from hosts.native.runtime.timing_offsets import choose_offset, learn
from hosts.native.runtime.trace_ring import note_turn
from hosts.native.runtime.waiting import back_off

LOST_OPENER_TICKS: Final = 3_000_000_000
"""How long after the stop an actor waits for the opener to close the turns (ticks)."""

LEAD_LEAST: Final = 150
LEAD_MOST: Final = 2_000
LEAD_STEP: Final = 64
"""A turn's start is announced this many ticks ahead, because the line has to reach the actors. That takes 30 or 160 ns,
as the machine has placed the two processors at the moment; so the lead grows by a step when an actor heard of the start
too late, and shrinks by a tick when none did."""

OPENER_DELAY: Final = 700
"""The opener acts this long after the start, so that actors, whose first steps take longer, can be early as well."""

OPENER_DELAY_WIDE: Final = 1_500

WIDE_SHARE: Final = 15 << 10
"""One turn in 16 is wide."""

JITTER: Final = 31
"""The opener's own spread."""

READY_TICKS: Final = 200_000
"""How long the opener of a turn waits for actors that are not ready (ticks)."""

SLOW_SHARE: Final = 7 << 14
"""Seven turns of eight begin with slow stores."""

IN_FLIGHT_TICKS: Final = 150_000
"""How long the opener waits for IPIs under way to it."""

IN_FLIGHT_SHARE: Final = 3 << 8
"""Three times out of four; stray IPIs are races too."""

LATE_TICKS: Final = 250
"""An actor that acts so many ticks after its offset was kept from running, and learns nothing from the turn."""

SITE_TURN: Final = 0
"""The site number of the interrupt point inside next_turn, which has no place in the source of ``emu/``."""


if SLOT_POST + POST_SLOTS > SLOTS:  # preload_cache() writes to these, and must not write past the mailboxes
    raise AssertionError("the slots that host threads post do not follow each other")


def run_goes_on() -> int:
    """Return whether the run has more turns; the opener closes them if not, so that no actor leaves too early."""
    local = this_process()
    run = run_words(local)
    count_heartbeat(local)
    if load(run.stop) == 0:
        return 1
    if load_private(local.opened) != 0:
        store_private(local.closed, 1)
        store(run.turn.closed, 1)
    return 0


def open_turn() -> int:
    """Open the next turn, and wait until the opener acts in it.

    Turns belong to pCPU 0; others that ask are given the current one, or 0 before the first: a task that waited for
    that might keep pCPU 0 from opening it. So is pCPU 0 once it has closed them: the actors that would answer have
    left.
    """
    local = this_process()
    arm_stall(local)
    turn = run_words(local).turn
    if load_own_pcpu(local.cpu) != 0 or load_private(local.closed) != 0:
        number = load(turn.number)
        note_turn(local, number)
        return number
    number = load_private(local.opened) + 1
    store_private(local.opened, number)
    note_turn(local, number)
    store_private(local.relax_since, 0)
    count_heartbeat(local)
    bits = random_bits(local)
    if frames_in_flight(local) and bits & IN_FLIGHT_SHARE != 0:
        receive_in_flight(local)
    wide = bits & WIDE_SHARE == 0
    store(turn.score, load_private(load_own_pcpu(local.sightings_at)))
    store(turn.non_root, load_private(load_own_pcpu(local.non_root_at)))
    store(turn.wide, 1 if wide else 0)
    store(turn.number, number)
    await_actors(local, number)
    start = rdtsc() + load_private(local.lead)
    store(turn.start, start)
    store(turn.started, number)
    slow = bits & SLOW_SHARE != 0
    if slow:
        prepare_slow_stores(local)
    start += (OPENER_DELAY_WIDE if wide else OPENER_DELAY) + (bits & JITTER)
    while rdtsc() < start:
        pass
    if slow:
        slow_stores(local)
    return number


def receive_in_flight(local: Local) -> None:
    """Receive the IPIs under way to this pCPU: as long as one is, no snapshot can be judged."""
    until = rdtsc() + IN_FLIGHT_TICKS
    while rdtsc() < until:
        receive(local)
        if not frames_in_flight(local):
            break
        yield_processor(local)


def await_actors(local: Local, number: int) -> None:
    """Wait until all who take part stand ready: one that yields when the start is announced comes much too late.

    For a while only: an actor that the machine keeps from running takes its turn when it can.
    """
    since = rdtsc()
    too_late = 0
    for cpu in range(load_constant(local.pcpus)):
        actor = words_of(cpu)
        waited = rdtsc() - since
        while load(actor.ready_for) < number and load(actor.ready_for) != 0 and waited < READY_TICKS:
            back_off(local, waited)
            waited = rdtsc() - since
        too_late += load(actor.too_late)
    lead = load_private(local.lead) + (-1 if too_late == load_private(local.too_late) else LEAD_STEP)
    store_private(local.lead, max(LEAD_LEAST, min(lead, LEAD_MOST)))
    store_private(local.too_late, too_late)


def next_turn(seen: int) -> int:
    """Wait for a turn after ``seen``, with interrupts taken, and then for this actor's offset in it."""
    local = this_process()
    arm_stall(local)
    number = await_turn(local, seen)
    if number == 0:
        return 0
    turn = run_words(local).turn
    own = own_words(local)
    preload_cache(local)
    note_turn(local, number)
    store(own.ready_for, number)
    learn(local, load(turn.score))
    offset = choose_offset(local, load(turn.non_root), load(turn.wide))
    since = rdtsc()
    while load(turn.started) < number:
        back_off(local, rdtsc() - since)
    start = load(turn.start)
    if rdtsc() > start:
        increment(own.too_late)
    at = start + offset
    while rdtsc() < at:
        pass
    if rdtsc() - at > LATE_TICKS:
        store_private(local.by_edge, 0)
        store_private(local.bin, -1)
    return number


def await_turn(local: Local, seen: int) -> int:
    """Wait for a turn after ``seen``; 0: there will be none."""
    run = run_words(local)
    turn = run.turn
    since = 0
    while True:
        closed = load(turn.closed)  # before the number: a turn that was opened before they were closed is still taken
        number = load(turn.number)
        if number > seen:
            return number
        if closed != 0 or opener_is_lost(local, run) != 0:
            return 0
        if due(local):
            attention(SITE_TURN)
        now = rdtsc()
        if since == 0:
            since = now
        if last_ipi_in_flight(local):
            count_heartbeat(local)
            yield_processor(local)
        else:
            back_off(local, now - since)


def preload_cache(local: Local) -> None:
    """Preload cache lines, in most turns, so that a race is the most likely (litmus7's *preload*).

    The lines that this actor's first steps write are taken (each word is its own), so that its action does not wait for
    them, each time for another time. Those that the vCPU publishes its state in are read, so that its next store to one
    of them waits until this copy is gone; the mode's but rarely, for its store has slow ones before it.
    """
    bits = random_bits(local)
    me = load_own_pcpu(local.cpu)
    machine = Machine(memory_address())
    vcpu = machine.vcpus[0]
    if bits & 7 == 0:
        load(vcpu.mode)
    if bits & (3 << 3) != 0:
        load(vcpu.wait.task)
    if bits & (3 << 5) != 0:
        inside = machine.pcpus[me].marks.inside
        store(inside, load(inside))
        for slot in range(SLOT_POST, SLOT_POST + POST_SLOTS):
            box = vcpu.mail[slot * MAX_PCPUS + me]
            store(box, load(box))


def opener_is_lost(local: Local, run: Run) -> int:
    """Return whether the run was over long ago and nobody closed the turns."""
    if load(run.stop) == 0:
        return 0
    seen = load_private(local.stop_seen)
    if seen == 0:
        store_private(local.stop_seen, rdtsc())
        return 0
    return 1 if rdtsc() - seen > LOST_OPENER_TICKS else 0


def last_ipi_in_flight(local: Local) -> bool:
    """Return whether the last IPI sent has not been received: libzmq's threads need a processor, perhaps this one."""
    to = load_private(local.in_flight_to)
    if to == 0:
        return False
    if load(words_of(to - 1).arrived[load_own_pcpu(local.cpu)]) < load_private(local.sequence[to - 1]):
        return True
    store_private(local.in_flight_to, 0)
    return False
