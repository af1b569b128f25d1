"""Starts the pCPU processes of a run, watches them, ends them, and keeps what there is whatever happens."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

import multiprocess
import multiprocess.connection

from hosts.native import pcpu
from hosts.native.forkserver import ForkServer, Root, main_module_hidden
from hosts.native.layout import BOUND, CLOSE, CLOSED, CONNECT, DONE, GO, READY
from hosts.native.outcome import Configuration, Outcome, Placement, Worker, undelivered
from hosts.native.region import SharedMemory
from hosts.native.rundir import RunFolder

Setup = Callable[[SharedMemory], None]
Enough = Callable[[SharedMemory], bool]
Progress = Callable[[SharedMemory, float], None]

TICK: Final = 0.01
PROGRESS_SECONDS: Final = 0.1
START_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 3.0
PATIENCE: Final = 6
"""How many times its bound a run may take to wind down if the machine does not let it run."""
CANCEL_SECONDS: Final = 0.3
"""What a cancelled run may take to wind down before it is killed."""
STALL_SECONDS: Final = 1.0
_LOST: Final = 255
"""What multiprocess gives as the exit code of a process whose fork server is gone."""


class CrashError(Exception):
    """Something went wrong with the processes of a run; it has an outcome all the same."""


class Supervisor:
    """Runs configurations of one compiled program, one after another.

    Within :meth:`run` Ctrl-C raises nothing: it ends the run, whose outcome says so, so that no process is lost
    between its start and the note of its number.
    """

    def __init__(self, root: Root) -> None:
        """Say which program; the fork server starts with the context."""
        self._root = root

    def __enter__(self) -> Self:
        with _interrupts_noted() as interrupt:
            self._folder = RunFolder()
            self._server = ForkServer(self._root, self._folder.path)
            atexit.register(self.close)
            self._server.start()
        if interrupt.noted:
            self.close()
            raise KeyboardInterrupt
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the fork server and remove the folder."""
        with _interrupts_noted():
            self._server.stop()
            self._folder.close()
        atexit.unregister(self.close)

    @property
    def server_pid(self) -> int | None:
        """The process id of the fork server."""
        return self._server.pid

    def run(
        self,
        configuration: Configuration,
        *,
        setup: Setup | None = None,
        enough: Enough | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Run one configuration for its seconds, or until ``enough`` says so (asked a hundred times a second).

        ``setup`` fills in the machine before anything runs; ``progress`` is shown the live words ten times a second.
        """
        with SharedMemory() as memory, _interrupts_noted() as noted:
            one = _Run(configuration, memory, self._server, noted)
            return one.run(setup, enough, progress)


class _Interrupt:
    """Whether Ctrl-C was pressed."""

    noted = False


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[_Interrupt]:
    interrupt = _Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupt.noted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


class _Run:
    """One run."""

    def __init__(self, wanted: Configuration, memory: SharedMemory, server: ForkServer, interrupt: _Interrupt) -> None:
        self.wanted = wanted
        self.memory = memory
        self.server = server
        self.interrupt = interrupt
        self.processes: list[Any] = []
        self.killed: set[int] = set()
        self.stalled: set[int] = set()
        self.times = dict.fromkeys(range(wanted.pcpus), (0.0, 0.0))
        """Seconds that each pCPU has run, and has waited for a processor."""
        self._beats: dict[int, tuple[int, float]] = {}

    def run(self, setup: Setup | None, enough: Enough | None, progress: Progress | None) -> Outcome:
        begun = time.monotonic()
        self._fill()
        if setup is not None:
            setup(self.memory)
        crash: str | None = None
        went = stopped = 0.0
        stuck: tuple[int, ...] = ()
        try:
            self._start()
            went = time.monotonic()
            self._watch(went, enough, progress)
            stopped = time.monotonic()
            stuck = self._wind_down()
        except CrashError as error:
            crash = str(error)
            stopped = stopped or time.monotonic()
            went = went or stopped
            self._write(self.memory.host.run.stop, 1)
        finally:
            self._kill()
        workers = self._workers()
        if stuck:
            crash = crash or f"did not end within {self.wanted.stop_seconds:g} s: pCPU " + ", ".join(map(str, stuck))
        return Outcome(
            memory=self.memory.copy(),
            seconds=stopped - went,
            overhead=time.monotonic() - begun - (stopped - went),
            workers=workers,
            crash=crash,
            cancelled=self.interrupt.noted,
            stuck=stuck,
            stalled=tuple(sorted(self.stalled)),
            undelivered=undelivered(self.memory, self.wanted.pcpus),
        )

    # --- starting

    def _fill(self) -> None:
        wanted, run = self.wanted, self.memory.host.run
        self.token = secrets.randbits(62)
        self.name = secrets.token_hex(12)
        self.processors = self._place()
        for word, value in (
            (run.token, self.token),
            (run.pcpus, wanted.pcpus),
            (run.seed, wanted.seed),
            (run.regime, wanted.regime),
            (run.fabric_fault, wanted.fabric_fault),
            (run.fault_one_in, wanted.fault_one_in),
            (run.crowded, 1 if self.crowded else 0),
        ):
            self._write(word, value)

    def _place(self) -> list[int | None]:
        allowed, pcpus = sorted(os.sched_getaffinity(0)), self.wanted.pcpus
        self.crowded = pcpus > len(allowed) or (self.wanted.placement is Placement.SHARED and pcpus > 1)
        if self.wanted.placement is Placement.UNPINNED:
            return [None] * pcpus
        if self.wanted.placement is Placement.SHARED:
            return [allowed[-1]] * pcpus
        return [allowed[cpu % len(allowed)] for cpu in range(pcpus)]

    def _start(self) -> None:
        context = multiprocess.get_context("forkserver")
        with main_module_hidden():
            for cpu in range(self.wanted.pcpus):
                if self.interrupt.noted:
                    return
                self._start_one(context, cpu)
        run = self.memory.host.run
        for phase, permission in ((BOUND, CONNECT), (READY, GO)):
            if not self._await(phase, START_SECONDS) and not self.interrupt.noted:
                raise CrashError(f"not up within {START_SECONDS:g} s: {self._behind(phase)}")
            self._write(run.phase, permission)

    def _start_one(self, context: Any, cpu: int) -> None:
        wanted = self.wanted
        life = pcpu.Life(
            fd=self.memory.fd,
            name=self.name,
            token=self.token,
            cpu=cpu,
            pcpus=wanted.pcpus,
            role=wanted.role,
            argument=wanted.argument,
            processor=self.processors[cpu],
        )
        process = context.Process(target=pcpu.main, args=(life,), name=f"pcpu{cpu}", daemon=True)
        try:
            self.server.start()
            process.start()
        except (OSError, EOFError) as error:
            raise CrashError(f"the fork server died while pCPU {cpu} was started ({error!r})") from error
        self.processes.append(process)

    # --- watching

    def _watch(self, went: float, enough: Enough | None, progress: Progress | None) -> None:
        shown = went
        while not self.interrupt.noted:
            now = time.monotonic()
            if now - shown >= PROGRESS_SECONDS:
                shown = now
                self._look_after(now)
                if progress is not None:
                    progress(self.memory, now - went)
            left = went + self.wanted.seconds - now
            if left <= 0 or (enough is not None and enough(self.memory)):
                return
            self._sleep(min(TICK, left))

    def _look_after(self, now: float) -> None:
        for cpu, process in enumerate(self.processes):
            host = self.memory.host.cpus[cpu]
            beat = self.memory.read(host.heartbeat)
            before = self._beats.get(cpu)
            if before is None or before[0] != beat:
                self._beats[cpu] = (beat, now)
            elif now - before[1] > STALL_SECONDS:
                self.stalled.add(cpu)
            self._note_times(cpu, process.pid)
            error = self.memory.read(host.error)
            if error != 0:
                raise CrashError(f"pCPU {cpu}: libzmq failed with errno {error} ({os.strerror(error)})")

    def _note_all_times(self) -> None:
        self.times = dict(self.times)
        for cpu, process in enumerate(self.processes):
            self._note_times(cpu, process.pid)

    def _note_times(self, cpu: int, pid: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            ran, waited, _ = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()
            self.times[cpu] = (int(ran) / 1e9, int(waited) / 1e9)

    def _sleep(self, seconds: float) -> None:
        """Sleep, but not past the death of a process."""
        dead = multiprocess.connection.wait([process.sentinel for process in self.processes], seconds)
        for process in self.processes:
            if process.sentinel in dead and not self._may_end(process):
                raise CrashError(self._epitaph(process))

    def _may_end(self, process: Any) -> bool:
        cpu = self.processes.index(process)
        return bool(process.exitcode == 0 and self.memory.read(self.memory.host.cpus[cpu].phase) == CLOSED)

    def _epitaph(self, process: Any) -> str:
        if process.exitcode == _LOST and self._server_died():
            return "the fork server was killed, and the pCPUs with it"
        if process.exitcode == pcpu.EXIT_NO_ROOT:
            return f"the compiled program could not be loaded:\n{self.server.error()}"
        cpu = self.processes.index(process)
        told = Worker(cpu, process.pid, process.exitcode, False, 0, 0.0, 0.0).describe()  # noqa: FBT003
        return told or f"pCPU {cpu} left the run early"

    def _server_died(self) -> bool:
        # Its pipes break a moment before it can be seen to be dead.
        until = time.monotonic() + CLOSE_SECONDS
        while self.server.is_alive():
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True

    # --- ending

    def _wind_down(self) -> tuple[int, ...]:
        """Stop; the pCPUs that do not come to an end in time are returned."""
        run = self.memory.host.run
        self._write(run.stop, 1)
        if len(self.processes) < self.wanted.pcpus or self._behind(READY):
            return ()  # cancelled before all were up: there is nothing to wait for
        bound = CANCEL_SECONDS if self.interrupt.noted else self.wanted.stop_seconds
        self._note_all_times()
        self._await(DONE, bound, longest=bound if self.interrupt.noted else PATIENCE * bound)
        behind = self._behind(DONE)
        self._note_all_times()
        if not behind:
            self._write(run.phase, CLOSE)
            self._await(CLOSED, CLOSE_SECONDS)
            self._join(CLOSE_SECONDS)
        return () if self.interrupt.noted else behind

    def _await(self, phase: int, seconds: float, longest: float = 0.0) -> bool:
        """Wait until all have come to a phase; up to ``longest``, time that the machine ran others does not count."""
        begun = time.monotonic()
        until = begun + seconds
        interrupted = self.interrupt.noted
        before = self.times
        while behind := self._behind(phase):
            if time.monotonic() > until:
                self._note_all_times()
                starved = max(self.times[cpu][1] - before[cpu][1] for cpu in behind) if longest else 0.0
                until = begun + min(seconds + starved, longest)
                if time.monotonic() > until:
                    return False
            if self.interrupt.noted and not interrupted:
                interrupted, longest, until = True, 0.0, min(until, time.monotonic() + CANCEL_SECONDS)
            self._sleep(0.001)
        return True

    def _behind(self, phase: int) -> tuple[int, ...]:
        cpus = self.memory.host.cpus
        return tuple(cpu for cpu in range(self.wanted.pcpus) if self.memory.read(cpus[cpu].phase) < phase)

    def _join(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))

    def _kill(self) -> None:
        """Kill what is left, and wait until it is gone."""
        for cpu, process in enumerate(self.processes):
            if process.exitcode is None:
                self.killed.add(cpu)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        self._join(CLOSE_SECONDS)

    def _workers(self) -> tuple[Worker, ...]:
        return tuple(
            Worker(
                cpu=cpu,
                pid=process.pid,
                exit_code=process.exitcode,
                killed=cpu in self.killed,
                error=self.memory.read(self.memory.host.cpus[cpu].error),
                cpu_seconds=self.times[cpu][0],
                waited_seconds=self.times[cpu][1],
            )
            for cpu, process in enumerate(self.processes)
        )

    def _write(self, word: int, value: int) -> None:
        self.memory.write(word, value)
