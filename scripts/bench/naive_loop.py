"""The stress loop that one would write today: multiprocessing, pyzmq, shared_memory, a Lock.

Two processes, pinned. Each round the vCPU says IN_GUEST_MODE and then looks at ON, while the sender sets PIR and ON and
then looks at the mode; the barrier between the vCPU's two steps is missing, and cannot be had: plain Python has no
fence. A round in which both looked too early strands the interrupt. The Lock around the sender's read-modify-writes
stands for the locked instructions; it is what `multiprocessing` has.

This file is complete in itself and imports nothing of the project: it is what pirace is compared with.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import secrets
import sys
import time
from dataclasses import dataclass
from multiprocessing import shared_memory
from multiprocessing.synchronize import Lock
from typing import Literal

import zmq

LINE = 8
MODE, ON, PIR, GO, DONE, SENT, READY = (LINE * i for i in range(7))
WORDS = LINE * 7
OUTSIDE, IN_GUEST = 0, 1
OVER = -1
LOOK_AT_CLOCK = 1024
SPREAD = 8

Notify = Literal["zmq", "word"]


@dataclass(frozen=True)
class Wanted:
    """What to run."""

    seconds: float
    notify: Notify
    lock: bool


class Words:
    """The shared words, attached by name."""

    def __init__(self, name: str | None = None) -> None:
        self.memory = shared_memory.SharedMemory(name, create=name is None, size=8 * WORDS)
        self.words = memoryview(self.memory.buf or b"").cast("q")

    def close(self) -> None:
        """Release the memory."""
        self.words.release()
        self.memory.close()


def pin(number: int) -> None:
    """Stay on a processor of one's own if there is one."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[number % len(processors)]})


def jitter(x: int) -> int:
    """Delay by some rounds of an empty loop."""
    x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    for _ in range((x >> 16) % SPREAD):
        pass
    return x


def vcpu(name: str, address: str, wanted: Wanted, results: multiprocessing.Queue[dict[str, float]]) -> None:
    """Enter the guest once a round; check whether the interrupt was stranded; print the totals."""
    shared = Words(name)
    w = shared.words
    pin(0)
    context = zmq.Context()
    pull = context.socket(zmq.PULL)
    pull.bind(address)
    while not w[READY]:
        time.sleep(0.001)
    stranded = synced = taken = number = 0
    first: float | None = None
    x = secrets.randbits(31)
    begun = time.perf_counter()
    until = begun + wanted.seconds
    while number % LOOK_AT_CLOCK or time.perf_counter() < until:
        number += 1
        w[GO] = number
        x = jitter(x)
        w[MODE] = IN_GUEST
        if w[ON]:
            synced += 1
        else:
            while w[DONE] != number:
                pass
            if w[PIR] and w[SENT] == taken:
                stranded += 1
                first = first if first is not None else time.perf_counter() - begun
        while w[DONE] != number:
            pass
        while w[SENT] != taken:
            if wanted.notify == "zmq":
                pull.recv()
            taken += 1
        w[MODE] = OUTSIDE
        w[ON] = w[PIR] = 0
    seconds = time.perf_counter() - begun
    w[GO] = OVER
    totals = {"seconds": seconds, "rounds": number, "sightings": stranded, "notified": taken, "synced": synced}
    results.put(totals | ({} if first is None else {"first": first}))
    context.destroy(linger=0)
    shared.close()


class NoLock:
    """What is entered where there is no lock."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def sender(name: str, address: str, wanted: Wanted, own: Lock) -> None:
    """Post once a round."""
    shared = Words(name)
    w = shared.words
    pin(1)
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.connect(address)
    lock = own if wanted.lock else NoLock()
    x = secrets.randbits(31)
    number = 0
    w[READY] = 1
    while True:
        go = w[GO]
        if go == OVER:
            break
        if go == number:
            continue
        number = go
        x = jitter(x)
        with lock:
            pir_was_set = w[PIR]
            w[PIR] = 1
        if not pir_was_set:
            with lock:
                on_was_set = w[ON]
                w[ON] = 1
            if not on_was_set and w[MODE] == IN_GUEST:
                w[SENT] += 1
                if wanted.notify == "zmq":
                    push.send(b"\xf2")
        w[DONE] = number
    context.destroy(linger=0)
    shared.close()


def stress(wanted: Wanted) -> dict[str, float]:
    """Run both processes for the time wanted; return the totals."""
    context = multiprocessing.get_context("spawn")
    shared = Words()
    results: multiprocessing.Queue[dict[str, float]] = context.Queue()
    address = f"ipc://@naive-{secrets.token_hex(8)}"
    name = shared.memory.name
    lock = context.Lock()  # gone with its last reference, also for a child that has still to find it
    both = [
        context.Process(target=vcpu, args=(name, address, wanted, results), daemon=True),
        context.Process(target=sender, args=(name, address, wanted, lock), daemon=True),
    ]
    for process in both:
        process.start()
    totals = results.get(timeout=wanted.seconds + 60)
    for process in both:
        process.join()
    shared.close()
    shared.memory.unlink()
    return totals


def positive(text: str) -> float:
    """Read a finite number above zero."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: not a finite number above zero")
    return number


def main() -> int:
    """Run, and print the totals."""
    parser = argparse.ArgumentParser(prog="naive-stress", description="The stress loop that one would write today.")
    parser.add_argument("--seconds", type=positive, default=60.0)
    parser.add_argument("--notify", choices=["zmq", "word"], default="zmq", help="an IPI is a message, or only a word")
    parser.add_argument("--no-lock", action="store_true", help="plain read-modify-writes: another bug of its own")
    parser.add_argument("--json", action="store_true", help="the totals as one line of JSON")
    asked = parser.parse_args()
    totals = stress(Wanted(asked.seconds, asked.notify, not asked.no_lock))
    if asked.json:
        print(json.dumps(totals))
        return 0
    rate = totals["rounds"] / totals["seconds"]
    print(
        f"{totals['rounds']:,} rounds in {totals['seconds']:.1f} s ({rate:,.0f}/s), {totals['notified']:,} notified, "
        f"{totals['synced']:,} synced, {totals['sightings']:,} stranded "
        f"({totals['sightings'] / totals['seconds']:.3g}/s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
