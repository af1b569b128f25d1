"""A compiled root for tests of the processes alone: no machine, a role for each thing that a test wants pCPUs to do."""

from __future__ import annotations

from hosts.compiler.unit import Unit
from hosts.native.codegen.intrinsics import (
    load,
    load_private,
    nanosleep,
    pause,
    rdtsc,
    sched_yield,
    store,
    store_private,
    zmq_recv,
    zmq_send,
)
from hosts.native.codegen.symbols import symbols
from hosts.native.runtime.interrupts import attention
from hosts.native.runtime.process_locals import own_words, this_process, words_of
from hosts.native.runtime.receive import apic_ack, apic_pending, due, receive
from hosts.native.runtime.rendezvous import next_turn, open_turn, run_goes_on
from hosts.native.runtime.send import all_silent, say_silent, send_IPI
from hosts.native.runtime.waiting import cpu_relax, wait_for_interrupt

TAKE, SPIN, TURNS, PING, DEAF, CRASH, FLOOD, LISTEN, RING, RAW, MUTE, BAD_SOCKET, LATE, ASLEEP, EVERY = range(15)
"""Roles."""


def take(_argument: int) -> int:
    """The handler: acknowledge, count per vector in the own result words."""
    local = this_process()
    enabled_at = load_private(local.irq_enabled_at)
    store_private(enabled_at, 0)
    apic_ack()
    store_private(local.timespec[1], 0)
    store_private(enabled_at, 1)
    return 0


def interrupts_on() -> None:
    """Set the own interrupt flag."""
    store_private(load_private(this_process().irq_enabled_at), 1)


def come_to_an_end() -> None:
    """Do as every pCPU does after its last turn."""
    say_silent()
    while all_silent() == 0:
        look()
        cpu_relax()


def look() -> None:
    """An interrupt point."""
    local = this_process()
    if due(local):
        attention(0)


def spin() -> int:
    """Wait for the stop."""
    interrupts_on()
    while run_goes_on() != 0:
        look()
        cpu_relax()
    come_to_an_end()
    return 0


def turns() -> int:
    """Open turns on pCPU 0, wait for the others' word; they answer at once. Return the number of turns."""
    local = this_process()
    cpu, pcpus = load_private(local.cpu), load_private(local.pcpus)
    interrupts_on()
    number = 0
    if cpu == 0:
        while run_goes_on() != 0:
            number = open_turn()
            for other in range(1, pcpus):
                answer = words_of(other).result
                while load(answer) < number:
                    look()
                    cpu_relax()
    else:
        answer = own_words(local).result
        while True:
            seen = next_turn(number)
            if seen == 0:
                break
            number = seen
            store(answer, number)
    come_to_an_end()
    return number


def ping(vector: int) -> int:
    """Send an IPI to and fro between pCPUs 0 and 1; return how many this one sent."""
    local = this_process()
    cpu = load_private(local.cpu)
    number = 0
    if cpu == 0:
        send_IPI(1, vector)
        number = 1
    while run_goes_on() != 0:
        if apic_pending() != 0:
            apic_ack()
            send_IPI(1 - cpu, vector)
            number += 1
        else:
            cpu_relax()
    come_to_an_end()
    return number


def raw(yields: int) -> int:
    """Do the same with libzmq alone: the floor for an IPI on these sockets."""
    local = this_process()
    cpu = load_private(local.cpu)
    pull, push, frame, buffer = (
        load_private(local.pull),
        load_private(local.push[1 - cpu]),
        local.frames[0],
        local.buffer.at,
    )
    number = 0
    if cpu == 0:
        zmq_send(push, frame, 25, 1)
        number = 1
    while run_goes_on() != 0:
        empties = 0
        while zmq_recv(pull, buffer, 64, 1) < 0:
            empties += 1
            if empties == yields:
                sched_yield()
                empties = 0
                if run_goes_on() == 0:
                    return number
        zmq_send(push, frame, 25, 1)
        number += 1
    return number


def deaf() -> int:
    """Never come to an end."""
    while True:
        pause()
        if rdtsc() == 0:
            return 0


def asleep() -> int:
    """Never come to an end either, in bed."""
    local = this_process()
    store_private(local.timespec[0], 3600)
    while True:
        nanosleep(local.timespec[0], 0)
        if rdtsc() == 0:
            return 0


def flood(vector: int) -> int:
    """Send to all, oneself included, as fast as the bound allows; return how many."""
    local = this_process()
    pcpus = load_private(local.pcpus)
    interrupts_on()
    number = 0
    while run_goes_on() != 0:
        for cpu in range(pcpus):
            send_IPI(cpu, vector)
            number += 1
        look()
    come_to_an_end()
    return number


def every() -> int:
    """Send each vector to the next pCPU, and take as many; return their sum, which no vector lost or changed has."""
    local = this_process()
    for vector in range(256):
        send_IPI((load_private(local.cpu) + 1) % load_private(local.pcpus), vector)
    left, total = 256, 0
    while left != 0:
        if apic_pending() != 0:
            total += apic_ack()
            left -= 1
        else:
            cpu_relax()
    come_to_an_end()
    return total


def mute() -> int:
    """Let pCPU 0 send to pCPU 1, which looks at nothing before the stop; return how many were sent before it."""
    local = this_process()
    number = 0
    if load_private(local.cpu) == 0:
        while run_goes_on() != 0:
            send_IPI(1, 0xF2)
            number += 1
    while run_goes_on() != 0:
        cpu_relax()
    come_to_an_end()
    return number


def late() -> int:
    """Come to an end, and send to all once more."""
    interrupts_on()
    while run_goes_on() != 0:
        cpu_relax()
    come_to_an_end()
    for cpu in range(load_private(this_process().pcpus)):
        send_IPI(cpu, 0xF2)
    for _ in range(1000):
        look()
        cpu_relax()
    return 0


def bad_socket() -> int:
    """Send on what is no socket, and wait for what comes of it."""
    local = this_process()
    store_private(local.push[0], local.at)
    send_IPI(0, 0xF2)
    while run_goes_on() != 0:
        cpu_relax()
    return 0


def ring() -> int:
    """Each waits, halted, for an IPI and passes it on to the next; return how many."""
    local = this_process()
    cpu, pcpus = load_private(local.cpu), load_private(local.pcpus)
    number = 0
    if cpu == 0:
        send_IPI(1 % pcpus, 0xFD)
    while run_goes_on() != 0:
        wait_for_interrupt()
        if apic_pending() != 0:
            apic_ack()
            send_IPI((cpu + 1) % pcpus, 0xFD)
            number += 1
    come_to_an_end()
    return number


def listen(frames: int) -> int:
    """Look at the own socket until ``frames`` have been seen, good and bad; return how many were good."""
    local = this_process()
    own = own_words(local)
    good = 0
    while run_goes_on() != 0 and good + load(own.bad_frames) < frames:
        good += receive(local)
    return good


def root(role: int, argument: int) -> int:  # noqa: C901, PLR0911, PLR0912 - one line a role
    """Do what the role says."""
    if role == TAKE:
        return take(argument)
    if role == SPIN:
        return spin()
    if role == TURNS:
        return turns()
    if role == PING:
        return ping(argument)
    if role == DEAF:
        return deaf()
    if role == CRASH:
        return load(8)
    if role == FLOOD:
        return flood(argument)
    if role == LISTEN:
        return listen(argument)
    if role == RING:
        return ring()
    if role == EVERY:
        return every()
    if role == MUTE:
        return mute()
    if role == LATE:
        return late()
    if role == BAD_SOCKET:
        return bad_socket()
    if role == ASLEEP:
        return asleep()
    if role == RAW:
        return raw(argument)
    return -1


def object_code() -> bytes:
    """Compile the root."""
    unit = Unit({"root": root})
    unit.compile()
    return unit.object_code(symbols=symbols())
