"""The sockets of one pCPU: PULL at its own address, PUSH to every pCPU, itself included.

Addresses are abstract (nothing in the file system, nothing to leave behind), random, and fresh for each run. Abstract
names are public in /proc/net/unix, so libzmq is told to accept no other user (``IPC_FILTER_UID``).
"""

from __future__ import annotations

import os
import time

import zmq

from hosts.native.fabric import wire


def address(name: str, cpu: int) -> str:
    """Return the address that pCPU ``cpu`` of the run ``name`` listens at."""
    return f"ipc://@pirace-{name}-{cpu}"


class Fabric:
    """The ZeroMQ context and sockets of one pCPU. To be made after the fork and before the process is pinned."""

    def __init__(self, name: str, token: int, cpu: int, pcpus: int) -> None:
        """Make the context; its IO thread starts with the first socket."""
        self._name, self._token, self.cpu, self.pcpus = name, token, cpu, pcpus
        self._context = zmq.Context(io_threads=1)
        self.pull: zmq.Socket[bytes] = self._context.socket(zmq.PULL)
        self.push: list[zmq.Socket[bytes]] = []

    def bind(self) -> None:
        """Listen. What is under way is bounded by the senders' counters, so libzmq's own limits are off."""
        self.pull.set_hwm(0)
        self.pull.linger = 0
        self.pull.setsockopt(zmq.IPC_FILTER_UID, os.getuid())
        self.pull.bind(address(self._name, self.cpu))

    def connect(self) -> None:
        """Connect to all pCPUs, which are bound by now, and send a hello on each connection."""
        for target in range(self.pcpus):
            socket: zmq.Socket[bytes] = self._context.socket(zmq.PUSH)
            self.push.append(socket)
            socket.set_hwm(0)
            socket.linger = 0
            socket.connect(address(self._name, target))
            socket.send(wire.encode(wire.Frame(self._token, self.cpu, target, 0, 0)))

    def await_hellos(self, seconds: float) -> None:
        """Wait until a hello has come from every sender; other frames are ignored until then."""
        missing, until = set(range(self.pcpus)), time.monotonic() + seconds
        while missing:
            left = until - time.monotonic()
            if left <= 0 or not self.pull.poll(int(1000 * left) + 1):
                raise TimeoutError(f"pCPU {self.cpu}: no word from {sorted(missing)} in {seconds:.0f} s")
            frame = wire.decode(self.pull.recv())
            if frame is not None and (frame.token, frame.target, frame.sequence) == (self._token, self.cpu, 0):
                missing.discard(frame.sender)

    def close(self) -> None:
        """Close everything; frames that have not been received are dropped."""
        self._context.destroy(linger=0)
