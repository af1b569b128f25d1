"""The processes of a run's pCPUs, as the supervisor has them: starting, waiting, killing, and how each has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import Any, Final

import multiprocess
import multiprocess.connection

from hosts.native.memory.layout import CLOSED
from hosts.native.memory.region import SharedMemory
from hosts.native.process import pcpu, tasks
from hosts.native.process.forkserver import ForkServer
from hosts.native.process.outcome import Worker
from hosts.native.process.run_errors import CrashError, LackError, RuleError
from hosts.resource_limits import EXHAUSTED

CLOSE_SECONDS: Final = 3.0
"""How long a process may take to end after its last word, or when it is killed."""
_LOST: Final = 255
"""What multiprocess gives as the exit code of a process whose fork server is gone."""


class PcpuProcesses:
    """The processes of one run, by pCPU."""

    def __init__(self, server: ForkServer, memory: SharedMemory, pcpus: int) -> None:
        """``pcpus`` processes are to be started by ``server``; they share ``memory``."""
        self.server = server
        self.memory = memory
        self._pcpus = pcpus
        self._processes: list[Any] = []
        self._killed: set[int] = set()
        self.replaced = False
        """The fork server had died since the run before."""

    def start(self, arguments: pcpu.PcpuArguments) -> None:
        """Start the next pCPU."""
        cpu = arguments.cpu
        context = multiprocess.get_context("forkserver")
        process = context.Process(target=pcpu.main, args=(arguments,), name=f"pcpu{cpu}", daemon=True)
        try:
            if cpu == 0:  # later it must be the same one: the first pCPUs have died with another
                self.replaced = self.server.start()
            with self.server.kept():
                process.start()
        except (OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno in EXHAUSTED:
                raise LackError(f"pCPU {cpu} cannot be started: {error.strerror}") from error
            raise CrashError(f"the fork server died while pCPU {cpu} was started ({error!r})") from error
        self._processes.append(process)

    @property
    def complete(self) -> bool:
        """True once every pCPU has been started."""
        return len(self._processes) == self._pcpus

    def pids(self, cpus: Iterable[int] | None = None) -> dict[int, int]:
        """Return the process ids of these pCPUs, or of all that have been started."""
        return {cpu: self._processes[cpu].pid for cpu in (range(len(self._processes)) if cpus is None else cpus)}

    def behind(self, phase: int) -> tuple[int, ...]:
        """Return the pCPUs that have not come to a phase."""
        cpus = self.memory.host.cpus
        return tuple(cpu for cpu in range(self._pcpus) if self.memory.read(cpus[cpu].phase) < phase)

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past the death of a process, nor of the fork server, which holds the other ends."""
        dead = multiprocess.connection.wait([process.sentinel for process in self._processes], seconds)
        for cpu, process in enumerate(self._processes):
            if process.sentinel in dead and not self._may_end(cpu):
                raise self._death(cpu)

    def _may_end(self, cpu: int) -> bool:
        exit_code = self._processes[cpu].exitcode
        return bool(exit_code == 0 and self.memory.read(self.memory.host.cpus[cpu].phase) == CLOSED)

    def _death(self, cpu: int) -> CrashError:
        words = self.memory.host.cpus[cpu].fault
        where, value, bound = (self.memory.read(words[i]) for i in range(3))
        return RuleError(cpu, (where, value, bound)) if where else CrashError(self._exit_description(cpu))

    def _exit_description(self, cpu: int) -> str:
        process = self._processes[cpu]
        if process.exitcode == _LOST and self.server.wait_dead(CLOSE_SECONDS):  # its pipes break a moment before
            return "the fork server was killed, and the pCPUs with it"
        if process.exitcode == pcpu.EXIT_NO_ROOT:
            return f"the compiled program could not be loaded:\n{self.server.error()}"
        if told := tasks.end_of(self.memory, self.memory.host.cpus[cpu], process.exitcode):
            return f"pCPU {cpu}: {told}"
        ended = Worker(cpu, process.pid, process.exitcode, False, 0).describe()  # noqa: FBT003
        return ended or f"pCPU {cpu} left the run early"

    def close(self) -> None:
        """Wait until all have ended by themselves; CrashError if one was killed on its last steps.

        Nothing is lost then, but somebody kills processes here.
        """
        self.join(CLOSE_SECONDS)
        for cpu, process in enumerate(self._processes):
            if process.exitcode not in (None, 0):
                raise self._death(cpu)

    def join(self, seconds: float) -> None:
        """Wait so long for the ends of all."""
        until = time.monotonic() + seconds
        for process in self._processes:
            process.join(max(0.0, until - time.monotonic()))

    def kill(self) -> None:
        """Kill what is left, and wait until it is gone."""
        for cpu, process in enumerate(self._processes):
            if process.exitcode is None:
                self._killed.add(cpu)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        self.join(CLOSE_SECONDS)

    def workers(self) -> tuple[Worker, ...]:
        """Return how each ended."""
        return tuple(
            Worker(
                cpu=cpu,
                pid=process.pid,
                exit_code=process.exitcode,
                killed=cpu in self._killed,
                error=self.memory.read(self.memory.host.cpus[cpu].error),
            )
            for cpu, process in enumerate(self._processes)
        )
