"""The native host's part of the waist, to be compiled: IPIs over ZeroMQ, waits, turns, disturbance.

The rule of this file: **where nothing is due, nothing happens.** An interrupt point costs two loads while the doorbell
shows what it is expected to show; no path does a locked operation or calls libzmq before the doorbell says that a frame
is under way, because either would drain the store buffer and hide the races that this host exists to show.

The order of the marks, each before the next: sent is counted, the doorbell rings (locked), the frame leaves; a frame
arrives, its vector is pending, it is counted as taken. So whoever compares doorbell and taken never misses a frame, and
no instrument sees one vanish in between.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

from emu.guest import LONG_PAST
from emu.machine import MAX_PCPUS, Machine
from emu.vectors import POST_SLOTS, POSTED_INTR_VECTOR, SLOT_POST, SLOTS
from emu.waist import BIT, fls64
from hosts.native import wire
from hosts.native.layout import (
    BINS,
    FAULT_BEFORE_COUNT,
    FIRST_IPI_VECTOR,
    FRAME_WORDS,
    HOST_OFFSET,
    KIND_SILENT,
    NO_KIND,
    PAID,
    RECEIVE_WORDS,
    REGIME_DELAYS,
    REGIME_NONE,
    SILENT_VECTOR,
    HostCpu,
    HostWords,
    Local,
    Run,
)
from hosts.native.ops import (
    byteswap,
    call_address,
    fence,
    fetch_add,
    load,
    load_private,
    load_u8,
    local_address,
    memory_address,
    nanosleep,
    pause,
    rdtsc,
    sched_yield,
    shift_right_unsigned,
    store,
    store_private,
    store_u8,
    zmq_errno,
    zmq_poll,
    zmq_recv,
    zmq_send,
)

AGAIN: Final = 1
"""``ZMQ_DONTWAIT``."""
RECEIVE_BYTES: Final = 8 * RECEIVE_WORDS
BURST: Final = 256
"""Frames taken in one look at the socket: a flood of foreign ones cannot hold a pCPU."""
UNDER_WAY: Final = 512
"""Frames of one connection that may be under way; a sender above it waits for its target."""
SEND_TRIES: Final = 100_000

# Times are in ticks of the TSC, 2 to 4 to the nanosecond.
POLL_GAP: Final = 1_000
"""Between two empty looks at the socket: each is a system call."""
EMPTIES_TO_YIELD: Final = 20
"""Empty looks in a row before libzmq's own thread is let onto this processor."""
SPIN: Final = 4_000
YIELD: Final = 300_000
NAP_NANOSECONDS: Final = 50_000
IDLE_MILLISECONDS: Final = 1
LOST_OPENER: Final = 3_000_000_000
"""How long after the stop an actor believes that the opener of turns will still close them."""

LEAD: Final = 300
"""From the announcement of a turn's start to the start: the line must reach the actors."""
BEHIND: Final = 700
"""The opener acts this long after the start, so that actors, whose first steps take longer, can be early as well."""
BEHIND_WIDE: Final = 1_500
WIDE_SHARE: Final = 15 << 10
"""One turn in 16 is wide."""
JITTER: Final = 31
"""The opener's own spread."""
PUNCTUAL: Final = 200_000
"""How long the opener of a turn waits for actors that are not there."""
SETTLE: Final = 150_000
"""How long the opener waits for IPIs under way to it."""
SETTLE_SHARE: Final = 3 << 8
"""Three times out of four; stray IPIs are races too."""

BIN_SHIFT: Final = 5
FARTHEST: Final = BINS << BIN_SHIFT
"""Offsets from the start that actors choose among: books are kept on them by bins of 32 ticks."""
EDGE_SHIFT: Final = 4
EDGE_STEP: Final = 16
EDGE_STEP_BACK: Final = 16 * EDGE_STEP
"""Steps of the edge, in sixteenths of a tick, after a turn without and with an IPI: one turn in 17 sends one."""
LATE: Final = 250
"""An actor that comes this much after its moment was kept from coming, and learns nothing from the turn."""
EDGE_SPREAD: Final = 127
PAID_SHARE: Final = 1
"""Where something has paid, one moment in two is drawn from what did."""
CHEAPEST: Final = 2_000
DEAREST: Final = 200_000
"""What a turn is taken to cost at most (ticks): beyond it the machine was busy with something else."""

DELAY_SHARE: Final = 3
DELAY_TICKS: Final = 300
DELAY_POINTS: Final = 31
STARVE_SHARE: Final = 4_095
STARVE_FROM: Final = 50_000
STARVE_SPREAD: Final = 200_000
STARVE_YIELDS: Final = 15

if SLOT_POST + POST_SLOTS > SLOTS:  # set_the_scene() writes to these, and must not write past the mailboxes
    raise AssertionError("the slots that host threads post do not follow each other")

SITE_TURN: Final = 0
"""The site number of the interrupt point inside next_turn, which has no place in the source of ``emu/``."""

_WIDE_TAG: Final = wire.UINT64 << 56 if wire.UINT64 < 0x80 else (wire.UINT64 - 256) << 56  # noqa: PLR2004
_LOW_56: Final = (1 << 56) - 1
_MULTIPLIER: Final = 6364136223846793005
_INCREMENT: Final = 1442695040888963407


# --- where things are --------------------------------------------------------------------------------------------


def this_process() -> Local:
    """Give the private words."""
    return Local(local_address())


def run_words(local: Local) -> Run:
    """Give the words of the run."""
    return Run(load_private(local.run_at))


def own_words(local: Local) -> HostCpu:
    """Give the shared words that this pCPU writes."""
    return HostCpu(load_private(local.own_at))


def words_of(cpu: int) -> HostCpu:
    """Give the shared host words of a pCPU."""
    return HostWords(memory_address() + HOST_OFFSET).cpus[cpu]


def bump(word: int) -> None:
    """Count in a word that only this pCPU writes and others may read."""
    store(word, load(word) + 1)


def beat(local: Local) -> None:
    """Show that this pCPU is alive."""
    number = load_private(local.heartbeat) + 1
    store_private(local.heartbeat, number)
    store(own_words(local).heartbeat, number)


# --- chance ------------------------------------------------------------------------------------------------------


def draw(local: Local) -> int:
    """Give 32 random bits: the upper half of a 64-bit linear congruential generator (Knuth's MMIX constants).

    Drawn several times in each step of the guest, so one multiplication is what it may cost.
    """
    x = load_private(local.random) * _MULTIPLIER + _INCREMENT
    store_private(local.random, x)
    return shift_right_unsigned(x, 32)


def choose(n: int) -> int:
    """Pick a number below ``n`` (below 2^31), without a division."""
    return (draw(this_process()) * n) >> 32


# --- what is pending ---------------------------------------------------------------------------------------------


def pending(local: Local) -> int:
    """Tell whether a vector is pending (not 0)."""
    own = own_words(local)
    low = load_private(own.pending[0]) | load_private(own.pending[1])
    return low | load_private(own.pending[2]) | load_private(own.pending[3])


def expect(local: Local) -> None:
    """Say at what doorbell an interrupt point has nothing to do; called after each change of what that depends on."""
    idle = pending(local) == 0 and load_private(local.stall_points) == 0
    store_private(local.expect, load_private(local.taken) if idle else -1)


def under_way(local: Local) -> bool:
    """Tell whether a frame to this pCPU has been counted and has not been taken."""
    return load(load_private(local.doorbell_at)) != load_private(local.taken)


def apic_pending() -> int:
    """Tell whether a vector is pending, arrivals included."""
    local = this_process()
    if load(load_private(local.doorbell_at)) == load_private(local.expect):
        return 0
    if pending(local) != 0:
        return 1
    if not under_way(local):
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
    """Tell whether a frame to this pCPU is under way; after all have called themselves silent none can be."""
    local = this_process()
    if load_private(local.markers) == load_private(local.pcpus):
        return 0
    return 1 if under_way(local) else 0


# --- receiving ---------------------------------------------------------------------------------------------------


def accept(local: Local, buffer: int, length: int) -> int:
    """Judge a frame of ``length`` bytes; 1: it counts; 0: ignored. Reads no byte of one that has another length."""
    if length != wire.FRAME_BYTES or load_private(buffer) != load_private(local.head):
        return 0
    middle = load_private(buffer + 8)
    if middle & wire.MIDDLE_MASK != load_private(local.middle) or load_u8(buffer + wire.SEQUENCE_BYTE) != wire.UINT64:
        return 0
    sender = (middle >> wire.SENDER_SHIFT) & 0xFF
    vector = (middle >> wire.VECTOR_SHIFT) & 0xFF
    kind = load_u8(local.kinds.at + vector)
    if sender >= load_private(local.pcpus) or kind == NO_KIND:
        return 0
    own = own_words(local)
    sequence = (byteswap(load_private(buffer + wire.SEQUENCE_BYTE)) & _LOW_56) << 8
    sequence |= load_u8(buffer + wire.FRAME_BYTES - 1)
    if sequence != load(own.arrived[sender]):
        return 0
    if kind == KIND_SILENT:
        store_private(local.markers, load_private(local.markers) + 1)
        bump(own.markers)
    else:
        word = own.pending[vector >> 6]
        store_private(word, load_private(word) | BIT(vector & 63))
    bump(own.taken[kind * MAX_PCPUS + sender])
    store(own.arrived[sender], sequence + 1)
    taken = load_private(local.taken) + 1
    store_private(local.taken, taken)
    store(own.taken_total, taken)
    return 1


def receive(local: Local) -> int:
    """Move what has arrived into the pending set; gives how many frames counted."""
    own = own_words(local)
    buffer = local.buffer.at
    pull = load_private(local.pull)
    counted = 0
    for _ in range(BURST):
        length = zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN)
        if length < 0:
            number = zmq_errno()
            if number == errno.EINTR:
                continue
            if number != errno.EAGAIN:
                store(own.error, number)
            bump(own.empty_polls)
            store_private(local.last_poll, rdtsc())
            break
        if accept(local, buffer, length) != 0:
            counted += 1
            if not under_way(local):
                break
        else:
            bump(own.bad_frames)
    bump(own.polls)
    if counted != 0:
        store_private(local.empties, 0)
        store_private(local.relax_since, 0)
        expect(local)
    return counted


def receive_if_due(local: Local) -> None:
    """Look at the socket, but not more often than makes sense; after some empty looks let libzmq's thread run."""
    if rdtsc() - load_private(local.last_poll) < POLL_GAP:
        return
    if receive(local) != 0:
        return
    empties = load_private(local.empties) + 1
    if empties >= EMPTIES_TO_YIELD:
        sched_yield()
        empties = 0
    store_private(local.empties, empties)


def attention(site: int) -> None:
    """Do what an interrupt point finds due: an armed stall, then arrivals, then the handlers, if interrupts are on."""
    local = this_process()
    left = load_private(local.stall_points)
    if left != 0:
        store_private(local.stall_points, left - 1)
        if left == 1:
            stall(local)
    enabled_at = load_private(local.irq_enabled_at)
    if load_private(enabled_at) != 0:
        if pending(local) == 0 and under_way(local):
            receive_if_due(local)
        root = load_private(local.root_at)
        while pending(local) != 0 and load_private(enabled_at) != 0:
            call_address(root, 0, site)
    expect(local)


# --- sending -----------------------------------------------------------------------------------------------------


def send_IPI(cpu: int, vector: int) -> None:
    """Count an IPI, ring the target's doorbell (which drains the store buffer), and put it onto the wire."""
    local = this_process()
    if vector < FIRST_IPI_VECTOR:
        store(own_words(local).error, errno.EINVAL)
        return
    kind = load_u8(local.kinds.at + vector)
    fault = load_private(local.fault)
    if fault != 0 and vector == POSTED_INTR_VECTOR and choose(load_private(local.fault_one_in)) == 0:
        bump(own_words(local).faulted)
        if fault == FAULT_BEFORE_COUNT:
            fence()
        else:
            count_sent(local, cpu, kind)
        return
    if load_private(local.sequence[cpu]) >= load_private(local.credit[cpu]):
        throttle(local, cpu)
    count_sent(local, cpu, kind)
    if transmit(local, cpu, vector) == 0:
        take_back(local, cpu, kind)


def count_sent(local: Local, cpu: int, kind: int) -> None:
    """Count a frame, then ring: who hears the doorbell finds it counted."""
    own = own_words(local)
    bump(own.sent[kind * MAX_PCPUS + cpu])
    if load_private(local.silent) != 0:
        bump(own.sent_late)
    fetch_add(words_of(cpu).doorbell, 1)


def take_back(local: Local, cpu: int, kind: int) -> None:
    """Uncount a frame that libzmq did not take."""
    word = own_words(local).sent[kind * MAX_PCPUS + cpu]
    store(word, load(word) - 1)
    fetch_add(words_of(cpu).doorbell, -1)


def transmit(local: Local, cpu: int, vector: int) -> int:
    """Fill in the frame to ``cpu`` and hand it to libzmq; 0: it refused for good (the supervisor sees the error)."""
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
            store_private(local.flying_to, cpu + 1)
            return 1
        number = zmq_errno()
        if number == errno.EAGAIN:
            sched_yield()
        elif number != errno.EINTR:
            break
    store(own_words(local).error, number)
    return 0


def throttle(local: Local, cpu: int) -> None:
    """Wait until few enough frames to ``cpu`` are under way; own arrivals go into the pending set meanwhile.

    Every pCPU that waits here takes what it is sent, so two that wait for each other both go on. The end of the run
    lifts the bound.
    """
    arrived = words_of(cpu).arrived[load_private(local.cpu)]
    sequence = load_private(local.sequence[cpu])
    stop = run_words(local).stop
    if sequence - load(arrived) >= UNDER_WAY:
        bump(own_words(local).throttled)
    while sequence - load(arrived) >= UNDER_WAY and load(stop) == 0:
        beat(local)
        if under_way(local):
            receive(local)
        sched_yield()
    store_private(local.credit[cpu], max(load(arrived) + UNDER_WAY, sequence + 1))


# --- waiting -----------------------------------------------------------------------------------------------------


def nap(local: Local) -> None:
    """Sleep a little: what is waited for is long in coming, and others need the processor."""
    store_private(local.timespec[0], 0)
    store_private(local.timespec[1], NAP_NANOSECONDS)
    nanosleep(local.timespec[0], 0)


def give_way(local: Local, waited: int) -> None:
    """Wait a moment in a loop that has waited ``waited`` ticks: spin, then yield, then sleep."""
    if waited < SPIN and load_private(local.crowded) == 0:
        pause()
        return
    beat(local)
    if waited < YIELD:
        sched_yield()
    else:
        nap(local)


def cpu_relax() -> None:
    """Let others go on; a series of calls with nothing achieved between them counts as one wait."""
    local = this_process()
    number = load_private(local.relaxed) + 1
    store_private(local.relaxed, number)
    if number & 15 != 0:
        pause()
        return
    arm(local)
    now = rdtsc()
    since = load_private(local.relax_since)
    if since == 0 or now - load_private(local.relax_last) > 2 * SPIN:
        store_private(local.relax_since, now)
        since = now
    give_way(local, now - since)
    store_private(local.relax_last, rdtsc())


def wait_for_interrupt() -> None:
    """Idle for a moment: watch the doorbell, then let others run, then block on the socket.

    The caller looks after itself in between and comes again; a series of calls that find nothing is one wait.
    """
    local = this_process()
    since = rdtsc()
    if since - load_private(local.idle_last) > 2 * SPIN:
        store_private(local.idle_since, since)
    if pending(local) == 0 and since - load_private(local.idle_since) >= YIELD:
        poll_socket(local)
    while pending(local) == 0 and rdtsc() - since < SPIN:
        if under_way(local):
            receive(local)
            sched_yield()
        elif load_private(local.crowded) == 0:
            pause()
        else:
            break
    beat(local)
    if pending(local) == 0:
        sched_yield()
        store_private(local.idle_last, rdtsc())


def poll_socket(local: Local) -> None:
    """Block until something is on the socket, for a bounded time, and take it."""
    if zmq_poll(local.poll_item[0], 1, IDLE_MILLISECONDS) > 0:
        receive(local)


# --- time --------------------------------------------------------------------------------------------------------


def deadline_after(delta: int) -> int:
    """Give the TSC time ``delta`` ticks ahead."""
    return rdtsc() + delta


def deadline_passed(deadline: int) -> int:
    """Tell whether a TSC time lies behind; one that always did needs no look at the clock."""
    if deadline == LONG_PAST:
        return 1
    return 1 if rdtsc() >= deadline else 0


# --- disturbance -------------------------------------------------------------------------------------------------


def arm(local: Local) -> None:
    """Draw whether this pCPU is disturbed soon: at which of the next interrupt points, and for how long."""
    regime = load_private(local.regime)
    if regime == REGIME_NONE or load_private(local.stall_points) != 0:
        return
    bits = draw(local)
    share = DELAY_SHARE if regime == REGIME_DELAYS else STARVE_SHARE
    if bits & share != 0:
        return
    length = DELAY_TICKS if regime == REGIME_DELAYS else STARVE_SPREAD
    least = 0 if regime == REGIME_DELAYS else STARVE_FROM
    store_private(local.stall_yields, 1 + ((bits >> 20) & STARVE_YIELDS) if least != 0 and bits & (1 << 30) != 0 else 0)
    store_private(local.stall_length, least + choose(length))
    store_private(local.stall_points, 1 + ((bits >> 12) & DELAY_POINTS))
    expect(local)


def stall(local: Local) -> None:
    """Be disturbed: the pCPU does nothing and takes nothing for a while."""
    own = own_words(local)
    since = rdtsc()
    yields = load_private(local.stall_yields)
    if yields != 0:
        for _ in range(yields):
            sched_yield()
    else:
        until = since + load_private(local.stall_length)
        while rdtsc() < until:
            pause()
    bump(own.stalls)
    store(own.stall_ticks, load(own.stall_ticks) + rdtsc() - since)
    store_private(local.last_poll, 0)


# --- the environment's turns -------------------------------------------------------------------------------------


def run_goes_on() -> int:
    """Tell whether the run has more turns. The opener that hears no closes them, so that no actor leaves too early."""
    local = this_process()
    run = run_words(local)
    beat(local)
    if load(run.stop) == 0:
        return 1
    if load_private(local.opened) != 0:
        store_private(local.closed, 1)
        store(run.turn.closed, 1)
    return 0


def open_turn() -> int:
    """Open the next turn, and wait for this side's moment in it.

    Turns belong to pCPU 0; others that ask are given the current one. So is pCPU 0 once it has closed them: the actors
    that would answer have left.
    """
    local = this_process()
    arm(local)
    turn = run_words(local).turn
    if load_private(local.cpu) != 0 or load_private(local.closed) != 0:
        return max(load(turn.number), 1)
    number = load_private(local.opened) + 1
    store_private(local.opened, number)
    store_private(local.relax_since, 0)
    beat(local)
    bits = draw(local)
    if under_way(local) and bits & SETTLE_SHARE != 0:
        settle(local)
    wide = bits & WIDE_SHARE == 0
    store(turn.score, load_private(load_private(local.sightings_at)))
    store(turn.non_root, load_private(load_private(local.non_root_at)))
    store(turn.wide, 1 if wide else 0)
    store(turn.number, number)
    await_actors(local, number)
    start = rdtsc() + LEAD
    store(turn.start, start)
    store(turn.started, number)
    start += (BEHIND_WIDE if wide else BEHIND) + (bits & JITTER)
    while rdtsc() < start:
        pass
    return number


def settle(local: Local) -> None:
    """Let the IPIs under way to this pCPU arrive in its pending set: as long as one is, no instrument can judge."""
    until = rdtsc() + SETTLE
    while rdtsc() < until:
        receive(local)
        if not under_way(local):
            break
        sched_yield()


def await_actors(local: Local, number: int) -> None:
    """Wait until all who take part stand ready: one that yields when the start is announced comes much too late.

    For a while only: an actor that the machine keeps from running takes its turn when it can.
    """
    since = rdtsc()
    for cpu in range(load_private(local.pcpus)):
        ready_for = words_of(cpu).ready_for
        waited = rdtsc() - since
        while load(ready_for) < number and load(ready_for) != 0 and waited < PUNCTUAL:
            give_way(local, waited)
            waited = rdtsc() - since


def next_turn(seen: int) -> int:
    """Wait for a turn after ``seen``, with interrupts taken, and then for this actor's moment in it."""
    local = this_process()
    arm(local)
    run = run_words(local)
    turn = run.turn
    doorbell = load_private(local.doorbell_at)
    since = 0
    while True:
        closed = load(turn.closed)  # before the number: a turn that was opened before they were closed is still taken
        number = load(turn.number)
        if number > seen:
            break
        if closed != 0 or opener_is_lost(local, run) != 0:
            return 0
        if load(doorbell) != load_private(local.expect):
            attention(SITE_TURN)
        now = rdtsc()
        if since == 0:
            since = now
        if flying(local):
            sched_yield()
        else:
            give_way(local, now - since)
    store(own_words(local).ready_for, number)
    learn(local, load(turn.score))
    offset = pick(local, load(turn.non_root), load(turn.wide))
    since = rdtsc()
    while load(turn.started) < number:
        give_way(local, rdtsc() - since)
    at = load(turn.start) + offset
    set_the_scene(local)
    while rdtsc() < at:
        pass
    if rdtsc() - at > LATE:
        store_private(local.by_edge, 0)
        store_private(local.bin, -1)
    return number


def set_the_scene(local: Local) -> None:
    """Put cache lines, in most turns, where a race is the most likely, as litmus7 does with its *preload*.

    The lines that the vCPU publishes its state in are read, so that its next store to one of them stays in the store
    buffer until this copy is gone. (It owns them from its last exit; its stores would be seen at once.) The lines that
    this actor's first steps write are taken (each word is its own), so that its action does not wait for them, each
    time for another time.
    """
    bits = draw(local)
    me = load_private(local.cpu)
    machine = Machine(memory_address())
    vcpu = machine.vcpus[0]
    if bits & 3 != 0:
        load(vcpu.mode)
    if bits & (3 << 2) != 0:
        load(vcpu.wait.task)
    if bits & (3 << 4) != 0:
        inside = machine.pcpus[me].marks.inside
        store(inside, load(inside))
        for slot in range(SLOT_POST, SLOT_POST + POST_SLOTS):
            box = vcpu.mail[slot * MAX_PCPUS + me]
            store(box, load(box))


def opener_is_lost(local: Local, run: Run) -> int:
    """Tell whether the run was over long ago and nobody closed the turns."""
    if load(run.stop) == 0:
        return 0
    seen = load_private(local.stop_seen)
    if seen == 0:
        store_private(local.stop_seen, rdtsc())
        return 0
    return 1 if rdtsc() - seen > LOST_OPENER else 0


def flying(local: Local) -> bool:
    """Tell whether the last IPI sent has not been taken: libzmq's threads need a processor, perhaps this one."""
    to = load_private(local.flying_to)
    if to == 0:
        return False
    if load(words_of(to - 1).arrived[load_private(local.cpu)]) < load_private(local.sequence[to - 1]):
        return True
    store_private(local.flying_to, 0)
    return False


def learn(local: Local, score: int) -> None:
    """Draw the lessons of the last turn for the choice of the next ones' moments.

    *What paid*: after a sighting, the bin that was tried goes into a ring from which later moments are drawn: in
    proportion to how often each bin paid, forgetting what was so some seconds ago (processors move near and far).

    *The edge*: from some offset on, the actor finds that the vCPU has entered the guest, and has to send an IPI (in a
    turn that was opened in the guest: finds that it has left, and has not). Just before lies the moment at which the
    entry misses the action and the action misses the entry. A turn without an IPI moves the edge a little towards the
    side with IPIs, one with an IPI 16 times as much to the other, so it is followed wherever it goes. That needs no
    sighting, and keeps IPIs rare, of which each takes the time of fifty turns.

    *The cost*: what a turn takes, by bin.
    """
    now, tried, ring = rdtsc(), load_private(local.bin), load_private(local.ring)
    sends = load_private(local.sends)
    if tried >= 0:
        cost = local.cost[ring * BINS + tried]
        spent = min(now - load_private(local.turn_begun), DEAREST)
        store_private(cost, load_private(cost) + ((spent - load_private(cost)) >> 3))
        if score > load_private(local.score):
            count = load_private(local.paid_count[ring])
            store_private(local.paid[ring * PAID + (count & (PAID - 1))], tried)
            store_private(local.paid_count[ring], count + 1)
        if load_private(local.by_edge) != 0:
            step = EDGE_STEP if sends == load_private(local.sends_before) else -EDGE_STEP_BACK
            moved = load_private(local.edge[ring]) + (step if ring == 0 else -step)
            store_private(local.edge[ring], max(0, min(moved, FARTHEST << EDGE_SHIFT)))
    store_private(local.turn_begun, now)
    store_private(local.score, score)
    store_private(local.sends_before, sends)


def pick(local: Local, non_root: int, wide: int) -> int:
    """Draw this turn's offset from the start: near one that paid, near the edge, or, in a wide turn, any."""
    bits = draw(local)
    ring = 1 if non_root != 0 else 0
    paid = min(load_private(local.paid_count[ring]), PAID)
    tried = -1
    if wide == 0 and paid != 0 and bits & PAID_SHARE != 0:
        tried = load_private(local.paid[ring * PAID + ((((bits >> 8) & 0xFFFF) * paid) >> 16)])
    by_edge = 0
    if tried >= 0 and affordable(local, ring, tried):
        offset = (tried << BIN_SHIFT) + ((bits >> 24) & ((1 << BIN_SHIFT) - 1))
    elif wide == 0:
        by_edge = 1
        offset = (load_private(local.edge[ring]) >> EDGE_SHIFT) + ((bits >> 8) & EDGE_SPREAD) - (EDGE_SPREAD >> 1)
        offset = max(0, min(offset, FARTHEST - 1))
    else:
        offset = any_offset(local, ring)
    store_private(local.by_edge, by_edge)
    store_private(local.ring, ring)
    store_private(local.bin, offset >> BIN_SHIFT)
    return offset


def any_offset(local: Local, ring: int) -> int:
    """Draw any offset, but the dear ones less often."""
    offset = 0
    for _ in range(BINS):
        offset = draw(local) & (FARTHEST - 1)
        if affordable(local, ring, offset >> BIN_SHIFT):
            break
    return offset


def affordable(local: Local, ring: int, tried: int) -> bool:
    """Accept a bin in inverse proportion to what it costs: every bin is given the same time, not as many turns."""
    return choose(load_private(local.cost[ring * BINS + tried]) + CHEAPEST) <= 2 * CHEAPEST


# --- the end -----------------------------------------------------------------------------------------------------


def say_silent() -> None:
    """Send the last frame of every connection."""
    local = this_process()
    own = own_words(local)
    if load_private(local.silent) != 0:
        return
    for cpu in range(load_private(local.pcpus)):
        count_sent(local, cpu, KIND_SILENT)
        if transmit(local, cpu, SILENT_VECTOR) == 0:
            take_back(local, cpu, KIND_SILENT)
    store_private(local.silent, 1)
    store(own.silent, 1)


def all_silent() -> int:
    """Tell whether the last frame of every connection to this pCPU has arrived."""
    local = this_process()
    if load_private(local.markers) == load_private(local.pcpus):
        return 1
    if under_way(local):
        receive(local)
    sched_yield()
    return 1 if load_private(local.markers) == load_private(local.pcpus) else 0


NATIVE: Final[dict[str, Callable[..., Any]]] = {
    "attention": attention,
    "send_IPI": send_IPI,
    "apic_pending": apic_pending,
    "apic_ack": apic_ack,
    "wait_for_interrupt": wait_for_interrupt,
    "cpu_relax": cpu_relax,
    "ipis_in_flight": ipis_in_flight,
    "choose": choose,
    "deadline_after": deadline_after,
    "deadline_passed": deadline_passed,
    "run_goes_on": run_goes_on,
    "open_turn": open_turn,
    "next_turn": next_turn,
    "say_silent": say_silent,
    "all_silent": all_silent,
}
"""The compiled functions by the waist's names, and ``attention``, which interrupt points call."""
