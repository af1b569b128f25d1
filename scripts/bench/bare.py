"""The same work with nothing around it, compiled: what pirace's own loops are held against.

These run in the same pCPU processes, on the same sockets and words, and wait in the same way.
"""

from __future__ import annotations

from typing import Final

from emu.machine import Machine
from emu.memory import WORD_BYTES
from hosts.native.codegen.intrinsics import exchange as xchg
from hosts.native.codegen.intrinsics import (
    fetch_add,
    fetch_and,
    fetch_or,
    load,
    load_private,
    memory_address,
    nanosleep,
    pause,
    rdtsc,
    sched_yield,
    store,
    store_private,
    zmq_recv,
    zmq_send,
)
from hosts.native.fabric.wire import FRAME_BYTES
from hosts.native.memory.layout import HOST_OFFSET, HostCpu, HostWords
from hosts.native.runtime.process_locals import doorbell_of, this_process
from hosts.native.runtime.receive import AGAIN, EMPTIES_TO_YIELD, POLL_GAP, RECEIVE_BYTES
from hosts.native.runtime.waiting import SPIN

TARGET: Final = 0
SENDER: Final = 1
SET: Final = 1
BATCHES: Final = 32

DOORBELL, POLLED, BOTH_WAYS, BARE_ELIDED, BARE_SENT, TICKS = range(32, 38)
"""Roles."""


def bare_main(role: int, argument: int) -> int:
    """Dispatch on the role."""
    result = 0
    if role == DOORBELL:
        result = doorbell_one_way(argument)
    elif role == POLLED:
        result = polled_one_way(argument)
    elif role == BOTH_WAYS:
        result = both_ways(argument)
    elif role == BARE_ELIDED:
        result = self_posts_elided(argument)
    elif role == BARE_SENT:
        result = self_posts_sent(argument)
    elif role == TICKS:
        result = time_to_ticks(argument)
    return result


def host_cpu(cpu: int) -> HostCpu:
    """Return the host's shared words of a pCPU."""
    return HostWords(memory_address() + HOST_OFFSET).cpus[cpu]


def over() -> bool:
    """Return whether the run is over."""
    return load(HostWords(memory_address() + HOST_OFFSET).run.stop) != 0


def wait_a_moment(since: int) -> None:
    """Spin for a moment, then let others run: as a pCPU waits."""
    if rdtsc() - since < SPIN:
        pause()
    else:
        sched_yield()


def doorbell_one_way(count: int) -> int:
    """A message from 1 to 0, answered by a word; 0 looks at its socket when the doorbell has rung."""
    if load_private(this_process().cpu) == TARGET:
        return answer_doorbells()
    return ask(count)


def polled_one_way(count: int) -> int:
    """The same, but 0 looks at its socket all the time; it lets others run after twenty empty looks."""
    if load_private(this_process().cpu) == TARGET:
        return answer_messages()
    return ask(count)


def ask(count: int) -> int:
    """Ring, send, wait for the answer, ``count`` times; return the ticks it took."""
    local = this_process()
    target, doorbell = host_cpu(TARGET), doorbell_of(TARGET)
    push, frame = load_private(local.push[TARGET]), local.frames[0]
    fetch_add(doorbell, 1)
    zmq_send(push, frame, FRAME_BYTES, AGAIN)  # the other is up
    wait_for_answer(target.taken_total, 1)
    start = rdtsc()
    for number in range(count):
        fetch_add(doorbell, 1)
        zmq_send(push, frame, FRAME_BYTES, AGAIN)
        wait_for_answer(target.taken_total, number + 2)
    return rdtsc() - start


def wait_for_answer(word: int, number: int) -> None:
    """Wait until a word has come to a number."""
    since = rdtsc()
    while load(word) < number and not over():
        wait_a_moment(since)


def answer_doorbells() -> int:
    """Take a message for each ring, and count it in a word."""
    local = this_process()
    own, doorbell = host_cpu(TARGET), doorbell_of(TARGET)
    pull, buffer = load_private(local.pull), local.buffer.at
    taken = 0
    while not over():
        since = rdtsc()
        while load(doorbell) == taken and not over():
            wait_a_moment(since)
        empties = 0
        while load(doorbell) != taken and not over():
            if zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN) >= 0:
                taken += 1
                store(own.taken_total, taken)
                empties = 0
            else:
                empties = wait_for_wire(empties)
    return taken


def wait_for_wire(empties: int) -> int:
    """Wait between two empty looks at the socket; after some let libzmq's own thread run."""
    until = rdtsc() + POLL_GAP
    while rdtsc() < until:
        pause()
    if empties + 1 < EMPTIES_TO_YIELD:
        return empties + 1
    sched_yield()
    return 0


def answer_messages() -> int:
    """Poll the socket all the time; count each message in a word."""
    local = this_process()
    own = host_cpu(TARGET)
    pull, buffer = load_private(local.pull), local.buffer.at
    taken = empties = 0
    while not over():
        if zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN) >= 0:
            taken += 1
            store(own.taken_total, taken)
            empties = 0
        else:
            empties += 1
            if empties >= EMPTIES_TO_YIELD:
                sched_yield()
                empties = 0
    return taken


def both_ways(count: int) -> int:
    """A message to and fro, ``count`` times; each looks at its socket all the time. Gives the ticks it took."""
    local = this_process()
    me = load_private(local.cpu)
    pull, buffer = load_private(local.pull), local.buffer.at
    push, frame = load_private(local.push[1 - me]), local.frames[0]
    start = rdtsc()
    for _ in range(count):
        if me == SENDER:
            zmq_send(push, frame, FRAME_BYTES, AGAIN)
        empties = 0
        while zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN) < 0:
            empties += 1
            if empties >= EMPTIES_TO_YIELD:
                sched_yield()
                empties = 0
                if over():
                    return 0
        if me == TARGET:
            zmq_send(push, frame, FRAME_BYTES, AGAIN)
    return rdtsc() - start


def self_posts_elided(count: int) -> int:
    """A post to oneself and the sync that finds it: four locked operations, two loads. The best of some batches."""
    best = elided_batch(count)
    for _ in range(BATCHES - 1):
        best = min(best, elided_batch(count))
    return best


def elided_batch(count: int) -> int:
    """Return the ticks that ``count`` posts took."""
    vcpu = Machine(memory_address()).vcpus[0]
    on, pir, mode = vcpu.pi_desc.control, vcpu.pi_desc.pir[0], vcpu.mode
    store(mode, 1)
    handled = woken = 0
    start = rdtsc()
    for _ in range(count):
        if fetch_or(pir, SET) & SET == 0 and fetch_or(on, SET) & SET == 0 and load(mode) != 1:
            woken += 1
        if load(on) & SET != 0:
            fetch_and(on, ~SET)
            handled += xchg(pir, 0)
    took = rdtsc() - start
    return took if handled == count and woken == 0 else -1


def self_posts_sent(count: int) -> int:
    """The same with a message to oneself for each, taken when it comes."""
    best = sent_batch(count)
    for _ in range(BATCHES - 1):
        best = min(best, sent_batch(count))
    return best


def sent_batch(count: int) -> int:
    """Return the ticks that ``count`` posts took."""
    local = this_process()
    vcpu = Machine(memory_address()).vcpus[0]
    on, pir, mode = vcpu.pi_desc.control, vcpu.pi_desc.pir[0], vcpu.mode
    pull, buffer = load_private(local.pull), local.buffer.at
    push, frame = load_private(local.push[0]), local.frames[0]
    store(mode, 1)
    sent = taken = 0
    start = rdtsc()
    for _ in range(count):
        if fetch_or(pir, SET) & SET == 0 and fetch_or(on, SET) & SET == 0 and load(mode) == 1:
            sent += 1
            zmq_send(push, frame, FRAME_BYTES, AGAIN)
        if load(on) & SET != 0:
            fetch_and(on, ~SET)
            xchg(pir, 0)
        if sent != taken and zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN) >= 0:
            taken += 1
    while sent != taken and not over():
        if zmq_recv(pull, buffer, RECEIVE_BYTES, AGAIN) >= 0:
            taken += 1
    return rdtsc() - start


def time_to_ticks(nanoseconds: int) -> int:
    """Sleep; return the ticks of the time stamp counter that passed (a few microseconds too many)."""
    request = this_process().timespec[0]
    store_private(request, 0)
    store_private(request + WORD_BYTES, nanoseconds)
    start = rdtsc()
    nanosleep(request, 0)
    return rdtsc() - start
