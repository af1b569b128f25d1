"""Waiting and time. Every wait spins for a bounded time, then yields, then sleeps for a bounded time."""

from __future__ import annotations

from typing import Final

from emu.waist import LONG_PAST
from hosts.native.codegen.intrinsics import (
    load_constant,
    load_private,
    nanosleep,
    pause,
    rdtsc,
    store_private,
    zmq_poll,
)
from hosts.native.memory.private_words import Local
from hosts.native.runtime.noise import arm_stall
from hosts.native.runtime.process_locals import count_heartbeat, this_process, yield_processor
from hosts.native.runtime.receive import frames_in_flight, pending, receive

SPIN: Final = 4_000

YIELD: Final = 300_000

NAP_NANOSECONDS: Final = 50_000

IDLE_MILLISECONDS: Final = 1


def sleep_briefly(local: Local) -> None:
    """Sleep a little: what is waited for is long in coming, and others need the processor."""
    store_private(local.timespec[0], 0)
    store_private(local.timespec[1], NAP_NANOSECONDS)
    nanosleep(local.timespec[0], 0)


def back_off(local: Local, waited: int) -> None:
    """Wait a moment in a loop that has waited ``waited`` ticks: spin, then yield, then sleep."""
    if waited < SPIN and load_constant(local.crowded) == 0:
        pause()
        return
    count_heartbeat(local)
    if waited < YIELD:
        yield_processor(local)
    else:
        sleep_briefly(local)


def cpu_relax() -> None:
    """Wait a moment in a spin loop; a series of calls with no progress between them counts as one wait."""
    local = this_process()
    number = load_private(local.relaxed) + 1
    store_private(local.relaxed, number)
    if number & 15 != 0:
        pause()
        return
    count_heartbeat(local)  # also where so much is done between two calls that no wait is seen to grow long
    arm_stall(local)
    now = rdtsc()
    since = load_private(local.relax_since)
    if since == 0 or now - load_private(local.relax_last) > 2 * SPIN:
        store_private(local.relax_since, now)
        since = now
    back_off(local, now - since)
    store_private(local.relax_last, rdtsc())


def wait_for_interrupt() -> None:
    """Idle for a moment: watch the doorbell, then yield, then block on the socket.

    The caller checks its own condition in between and calls again; a series of calls that find nothing is one wait.
    """
    local = this_process()
    since = rdtsc()
    if since - load_private(local.idle_last) > 2 * SPIN:
        store_private(local.idle_since, since)
    if pending(local) == 0 and since - load_private(local.idle_since) >= YIELD:
        poll_socket(local)
    while pending(local) == 0 and rdtsc() - since < SPIN:
        if frames_in_flight(local):
            receive(local)
            yield_processor(local)
        elif load_constant(local.crowded) == 0:
            pause()
        else:
            break
    count_heartbeat(local)
    if pending(local) == 0:
        yield_processor(local)
        store_private(local.idle_last, rdtsc())


def poll_socket(local: Local) -> None:
    """Block until something is on the socket, for a bounded time, and take it."""
    if zmq_poll(local.poll_item[0], 1, IDLE_MILLISECONDS) > 0:
        receive(local)


def deadline_after(delta: int) -> int:
    """Return the TSC time ``delta`` ticks ahead."""
    return rdtsc() + delta


def deadline_passed(deadline: int) -> int:
    """Return whether a TSC time has passed; ``LONG_PAST`` needs no reading of the clock."""
    if deadline == LONG_PAST:
        return 1
    return 1 if rdtsc() >= deadline else 0
