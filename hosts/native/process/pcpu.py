"""The main program of one pCPU: an operating-system process that ends with its fork server and with its supervisor.

Two ways to that end, because each alone has a hole: the kernel kills the process when the fork server dies (also when
stopped), and a thread waits for the supervisor's pipe to break (also while compiled code runs: it holds no GIL).
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import multiprocess.connection
import multiprocess.forkserver
import multiprocess.process
import multiprocess.reduction
import multiprocess.resource_tracker

from emu.machine import MAX_PCPUS
from emu.memory import Word
from hosts.native.fabric import wire
from hosts.native.fabric.frame_kinds import kind_of_vector
from hosts.native.fabric.sockets import Fabric
from hosts.native.memory import region
from hosts.native.memory.layout import BOUND, CLOSE, CLOSED, CONNECT, DONE, GO, READY, RUNNING, STARTED, HostCpu, Run
from hosts.native.memory.mapping import words_at
from hosts.native.memory.private_words import FRAME_WORDS, Local
from hosts.native.process import tasks
from hosts.native.process.preloaded import PRELOADED
from hosts.signals import STOPPING

EXIT_NO_ROOT: Final = 70
EXIT_ORPHAN: Final = 71
HANDSHAKE_SECONDS: Final = 60.0

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_TIMERSLACK: Final = 29
_TIMER_SLACK_NANOSECONDS: Final = 1_000
_POLL_IN: Final = 1
_NAP_SECONDS: Final = 0.0003


@dataclass
class PcpuArguments:
    """The arguments of one pCPU process. The memory's descriptor travels beside them."""

    fd: Any
    name: str
    token: int
    cpu: int
    pcpus: int
    role: int
    argument: int
    processor: int | None
    """The processor to stay on, or None."""
    stacks: Any = None
    """The descriptor of the tasks' stacks, if there are tasks."""
    contexts: tuple[Word, ...] = ()
    """The tasks' context words."""
    task_role: int = 0

    def __getstate__(self) -> dict[str, Any]:
        """Send the descriptors themselves along, not their numbers."""
        duplicate = multiprocess.reduction.DupFd
        stacks = duplicate(self.stacks) if self.contexts else None
        return {**vars(self), "fd": duplicate(self.fd), "stacks": stacks}


def main(arguments: PcpuArguments) -> NoReturn:
    """Main loop of one pCPU process, from its start to its exit."""
    tie_to_parents()
    if PRELOADED.root_address == 0:
        os._exit(EXIT_NO_ROOT)
    region.map_machine(arguments.fd.detach())
    region.map_doorbell(arguments.cpu)
    host, own = region.host_words(), region.host_words().cpus[arguments.cpu]
    _set(own.pid, os.getpid())
    _set(own.root_at, PRELOADED.root_address)
    if arguments.contexts:
        tasks.prepare(arguments.stacks.detach(), arguments.contexts, arguments.task_role, fills=arguments.cpu == 0)
    _set(own.phase, STARTED)
    fabric = Fabric(arguments.name, arguments.token, arguments.cpu, arguments.pcpus)
    fabric.bind()
    _set(own.phase, BOUND)
    _await_phase(host.run, CONNECT)
    fabric.connect()
    fabric.await_hellos(HANDSHAKE_SECONDS)
    fill_local(arguments, fabric, host.run, own)
    if arguments.processor is not None:
        os.sched_setaffinity(
            0, {arguments.processor}
        )  # this thread only: libzmq's has started and goes where there is room
    root = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(PRELOADED.root_address)
    _set(own.phase, READY)
    _await_phase(host.run, GO)
    _set(own.phase, RUNNING)
    _set(own.result, root(arguments.role, arguments.argument))
    _set(own.phase, DONE)
    _await_phase(host.run, CLOSE)  # until then others may be waiting for frames that are still in this process
    fabric.close()
    _set(own.phase, CLOSED)
    os._exit(0)


def tie_to_parents() -> None:
    """Make this process end when the fork server or the supervisor does."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != PRELOADED.fork_server:  # it died before the line above
        os._exit(EXIT_ORPHAN)
    for number in STOPPING:  # to the whole group: the supervisor hears them, and ends this
        signal.signal(number, signal.SIG_IGN)
    supervisor = multiprocess.process.parent_process()
    threading.Thread(target=_end_with, args=(supervisor.sentinel,), daemon=True).start()
    # Held by every child, this pipe would keep the fork server alive without a supervisor.
    server = multiprocess.forkserver._forkserver  # noqa: SLF001
    os.close(server._forkserver_alive_fd)  # noqa: SLF001
    libc.prctl(_PR_SET_TIMERSLACK, _TIMER_SLACK_NANOSECONDS)


def _end_with(sentinel: int) -> NoReturn:
    multiprocess.connection.wait([sentinel])
    os._exit(EXIT_ORPHAN)


def _set(word: int, value: int) -> None:
    words_at(word, 1)[0] = value


def _await_phase(run: Run, phase: int) -> None:
    word = words_at(run.phase, 1)
    while word[0] < phase:
        time.sleep(_NAP_SECONDS)


def fill_local(arguments: PcpuArguments, fabric: Fabric, run: Run, own: HostCpu) -> None:
    """Fill in the private words of this process, which compiled code reads."""
    local = region.local()
    pcpu = region.machine().pcpus[arguments.cpu]
    head, middle = wire.words_of(wire.Frame(arguments.token, 0, arguments.cpu, 0, 0))
    for word, value in (
        (local.cpu, arguments.cpu),
        (local.pcpu_at, pcpu.at),
        (local.irq_enabled_at, pcpu.irq.enabled),
        (local.sightings_at, pcpu.sightings),
        (local.non_root_at, pcpu.irq.non_root),
        (local.own_at, own.at),
        (local.run_at, run.at),
        (local.ring_at, region.host_words().rings[arguments.cpu].at),
        (local.pull, fabric.pull.underlying),
        (local.pcpus, arguments.pcpus),
        (local.root_at, PRELOADED.root_address),
        (local.head, head),
        (local.middle, middle & wire.MIDDLE_MASK),
        (local.random, seed_of(int(words_at(run.seed, 1)[0]), arguments.cpu)),
        (local.regime, words_at(run.regime, 1)[0]),
        (local.fault, words_at(run.fabric_fault, 1)[0]),
        (local.fault_one_in, words_at(run.fault_one_in, 1)[0]),
        (local.crowded, words_at(run.crowded, 1)[0]),
        (local.bin, -1),
        (local.poll_item[0], fabric.pull.underlying),
        (local.poll_item[1], _POLL_IN << 32),
    ):
        _set(word, value)
    table = bytes(kind_of_vector(vector) for vector in range(256))
    words_at(local.kinds.at, 32)[:] = memoryview(table).cast("q")
    for target, socket in enumerate(fabric.push):
        _set(local.push[target], socket.underlying)
        fill_frame(local, arguments, target)
    words_at(local.sequence.at, MAX_PCPUS)[:] = 1  # 0 was the hello
    words_at(own.arrived.at, MAX_PCPUS)[:] = 1


def fill_frame(local: Local, arguments: PcpuArguments, target: int) -> None:
    """Prepare the frame to a pCPU."""
    frame = wire.encode(wire.Frame(arguments.token, arguments.cpu, target, 0, 0))
    at = local.frames[target * FRAME_WORDS]
    words_at(at, FRAME_WORDS)[:] = memoryview(frame.ljust(8 * FRAME_WORDS, b"\0")).cast("q")


def seed_of(seed: int, cpu: int) -> int:
    """Return the non-zero state of a pCPU's random numbers, from the run's seed (splitmix64), as a signed word."""
    mask = (1 << 64) - 1
    z = (seed * 0x2545F4914F6CDD1D + (cpu + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z = (z ^ (z >> 31)) or 1
    return z - (1 << 64) if z >> 63 else z
