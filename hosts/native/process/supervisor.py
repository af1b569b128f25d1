"""Starts the pCPU processes of a run, watches them, ends them, and keeps what there is whatever happens."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Self

import multiprocess
import multiprocess.connection

from hosts.loader.rule.faults import RuleFault
from hosts.native.memory.layout import BOUND, CLOSE, CLOSED, CONNECT, DONE, GO, READY
from hosts.native.memory.region import SharedMemory
from hosts.native.process import pcpu
from hosts.native.process.affinity import strays
from hosts.native.process.crash_dump import Stacks, gather
from hosts.native.process.forkserver import ForkServer, Lost, Root, main_module_hidden
from hosts.native.process.outcome import Configuration, Outcome, Placement, Worker, undelivered
from hosts.native.process.watchdog import Advancing, Watchdog
from hosts.resource_limits import EXHAUSTED, lack_in
from hosts.rundir import RunFolder
from hosts.signals import Interrupt, interrupts_noted

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
_LOST: Final = 255
"""What multiprocess gives as the exit code of a process whose fork server is gone."""


class CrashError(Exception):
    """Something went wrong with the processes of a run; it has an outcome all the same."""


class LackError(CrashError):
    """The machine has not what a further process takes."""


class HangError(CrashError):
    """A pCPU makes no progress although the machine lets it run."""

    def __init__(self, hung: dict[int, str]) -> None:
        super().__init__("; ".join(f"pCPU {cpu} hung: {how}" for cpu, how in hung.items()))
        self.cpus = tuple(hung)


class StoppedError(CrashError):
    """pCPUs that a signal has stopped keep the run from its end."""

    def __init__(self, cpus: tuple[int, ...]) -> None:
        super().__init__(f"stopped by a signal: pCPU {', '.join(map(str, cpus))}")
        self.cpus = cpus


class RuleError(CrashError):
    """A user's rule did what no machine can."""

    def __init__(self, cpu: int, fault: tuple[int, int, int]) -> None:
        super().__init__(f"pCPU {cpu}: {RuleFault(*fault)}")
        self.fault = fault


class Supervisor:
    """Runs configurations of one compiled program, one after another.

    Within :meth:`run` Ctrl-C raises nothing: it ends the run, whose outcome says so, so that no process is lost
    between its start and the note of its number.
    """

    def __init__(self, root: Root, lost: Lost | None = None) -> None:
        """Say which program; the fork server starts with the context.

        ``lost`` is told from another thread when the fork server dies unasked, whether anything runs or not.
        """
        self._root = root
        self._lost = lost
        self._interrupt = Interrupt()

    def __enter__(self) -> Self:
        with interrupts_noted() as interrupt:
            self._folder = RunFolder()
            self._server = ForkServer(self._root, self._folder.path, self._lost)
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
        with interrupts_noted():
            self._server.stop()
            self._folder.close()
        atexit.unregister(self.close)

    @property
    def server_pid(self) -> int | None:
        """The process id of the fork server."""
        return self._server.pid

    @property
    def folder(self) -> Path:
        """The folder for what is gone when this is, however it ends."""
        return self._folder.path

    def run(
        self,
        configuration: Configuration,
        *,
        setup: Setup | None = None,
        enough: Enough | None = None,
        progress: Progress | None = None,
        memory_file: Path | None = None,
        advancing: Advancing | None = None,
    ) -> Outcome:
        """Run one configuration for its seconds, or until ``enough`` says so (asked a hundred times a second).

        ``setup`` fills in the machine before anything runs; ``progress`` is shown the live words ten times a second.
        ``memory_file`` holds all words, for whoever comes when all of this is dead; the caller removes it.
        ``advancing`` tells the watchdog a number that changes as long as anything in the machine goes on.
        """
        with SharedMemory(memory_file) as memory, interrupts_noted() as self._interrupt:
            watchdog = Watchdog(memory, configuration.hang_seconds, advancing)
            with contextlib.closing(Stacks(self._folder.path)) as stacks:
                one = _Run(configuration, memory, self._server, self._interrupt, watchdog, stacks)
                return one.run(setup, enough, progress)

    def cancel(self) -> None:
        """End the run that is under way, if any, as Ctrl-C does. For another thread."""
        self._interrupt.noted = True


class _Run:
    """One run."""

    def __init__(
        self,
        wanted: Configuration,
        memory: SharedMemory,
        server: ForkServer,
        interrupt: Interrupt,
        watchdog: Watchdog,
        stacks: Stacks,
    ) -> None:
        self.wanted = wanted
        self.memory = memory
        self.server = server
        self.interrupt = interrupt
        self.watchdog = watchdog
        self.stacks = stacks
        self.processes: list[Any] = []
        self.killed: set[int] = set()
        self.replaced = False
        """The fork server had died since the run before."""
        self.halted: tuple[int, ...] = ()
        self.evidence: dict[str, str] = {}
        self.strayed: dict[int, str] = {}

    def run(self, setup: Setup | None, enough: Enough | None, progress: Progress | None) -> Outcome:
        begun = time.monotonic()
        self._fill()
        if setup is not None:
            setup(self.memory)
        crash: str | None = None
        rule_fault: tuple[int, int, int] | None = None
        went = stopped = 0.0
        stuck: tuple[int, ...] = ()
        hung: tuple[int, ...] = ()
        lacking = False
        try:
            self._start()
            went = time.monotonic()
            self._watch(went, enough, progress)
            stopped = time.monotonic()
            stuck = self._wind_down()
            if stuck:
                self.evidence = gather(self.stacks, self._pids(), stuck)
        except StoppedError as error:
            self.halted = error.cpus
            stopped = stopped or time.monotonic()
            went = went or stopped
            self._write(self.memory.host.run.stop, 1)
        except CrashError as error:
            crash, lacking = str(error), isinstance(error, LackError)
            rule_fault = error.fault if isinstance(error, RuleError) else None
            if isinstance(error, HangError):
                hung = error.cpus
                self.evidence = gather(self.stacks, self._pids(), hung)
            if not went and (lack := lack_in(f"{self.stacks.text()}\n{self.server.error() or ''}")):
                crash, lacking = f"{crash.partition(chr(10))[0]} ({lack})", True
            stopped = stopped or time.monotonic()
            went = went or stopped
            self._write(self.memory.host.run.stop, 1)
        finally:
            self._kill()
        workers = self._workers()
        if stuck:
            crash = f"did not end within {self.wanted.stop_seconds:g} s: pCPU " + ", ".join(map(str, stuck))
        if crash is not None and not self.evidence and (fault := self.stacks.text()):
            self.evidence = {"stacks.txt": fault}
        return Outcome(
            memory=self.memory.copy(),
            seconds=stopped - went,
            overhead=time.monotonic() - begun - (stopped - went),
            workers=workers,
            crash=crash,
            fault=rule_fault,
            cancelled=self.interrupt.noted,
            stuck=stuck,
            stalled=tuple(sorted(self.watchdog.stalled)),
            halted=self.halted,
            undelivered=() if self.halted else undelivered(self.memory, self.wanted.pcpus),
            hung=hung,
            lacking=lacking,
            labels=(*self._labels(), *self.strayed.values(), *self.watchdog.labels(stopped - went)),
            strayed=tuple(self.strayed),
            evidence=self.evidence,
        )

    def _labels(self) -> tuple[str, ...]:
        return ("the fork server had died before this run, which has a new one",) if self.replaced else ()

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
        if self.wanted.processors:
            self.crowded = len(set(self.wanted.processors)) < pcpus
            return list(self.wanted.processors)
        self.crowded = pcpus > len(allowed) or (self.wanted.placement is Placement.SHARED and pcpus > 1)
        if self.wanted.placement is Placement.UNPINNED:
            return [None] * pcpus
        if self.wanted.placement is Placement.SHARED:
            return [allowed[-1]] * pcpus
        return [allowed[cpu % len(allowed)] for cpu in range(pcpus)]

    def _start(self) -> None:
        if strange := sorted(set(self.wanted.processors) - os.sched_getaffinity(0)):
            raise CrashError(f"processor {', '.join(map(str, strange))} is offline, or kept from this process")
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
            if cpu == 0:  # later it must be the same one: the first pCPUs have died with another
                self.replaced = self.server.start()
            with self.server.kept():
                process.start()
        except (OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno in EXHAUSTED:
                raise LackError(f"pCPU {cpu} cannot be started: {error.strerror}") from error
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
        for cpu in range(len(self.processes)):
            error = self.memory.read(self.memory.host.cpus[cpu].error)
            if error != 0:
                raise CrashError(f"pCPU {cpu}: libzmq failed with errno {error} ({os.strerror(error)})")
        self._look_at(now, range(len(self.processes)))

    def _look_at(self, now: float, cpus: Iterable[int]) -> None:
        hung = self.watchdog.look(now, {cpu: self.processes[cpu].pid for cpu in cpus})
        if hung:
            raise HangError(hung)

    def _pids(self) -> dict[int, int]:
        return {cpu: process.pid for cpu, process in enumerate(self.processes)}

    def _sleep(self, seconds: float) -> None:
        """Sleep, but not past the death of a process, nor of the fork server, which holds the other ends."""
        dead = multiprocess.connection.wait([process.sentinel for process in self.processes], seconds)
        for process in self.processes:
            if process.sentinel in dead and not self._may_end(process):
                raise self._death(process)

    def _may_end(self, process: Any) -> bool:
        cpu = self.processes.index(process)
        return bool(process.exitcode == 0 and self.memory.read(self.memory.host.cpus[cpu].phase) == CLOSED)

    def _death(self, process: Any) -> CrashError:
        cpu = self.processes.index(process)
        words = self.memory.host.cpus[cpu].fault
        where, value, bound = (self.memory.read(words[i]) for i in range(3))
        return RuleError(cpu, (where, value, bound)) if where else CrashError(self._epitaph(process))

    def _epitaph(self, process: Any) -> str:
        if process.exitcode == _LOST and self.server.wait_dead(CLOSE_SECONDS):  # its pipes break a moment before
            return "the fork server was killed, and the pCPUs with it"
        if process.exitcode == pcpu.EXIT_NO_ROOT:
            return f"the compiled program could not be loaded:\n{self.server.error()}"
        cpu = self.processes.index(process)
        told = Worker(cpu, process.pid, process.exitcode, False, 0, 0.0, 0.0).describe()  # noqa: FBT003
        return told or f"pCPU {cpu} left the run early"

    # --- ending

    def _wind_down(self) -> tuple[int, ...]:
        """Stop; the pCPUs that do not come to an end in time are returned."""
        run = self.memory.host.run
        self._write(run.stop, 1)
        if len(self.processes) < self.wanted.pcpus or self._behind(READY):
            return ()  # cancelled before all were up: there is nothing to wait for
        bound = CANCEL_SECONDS if self.interrupt.noted else self.wanted.stop_seconds
        self._await(DONE, bound, longest=bound if self.interrupt.noted else PATIENCE * bound)
        behind = self._behind(DONE)
        self.watchdog.note_times(self._pids())
        self.strayed = strays(self._pids(), self.processors)
        if not behind:
            self._write(run.phase, CLOSE)
            self._await(CLOSED, CLOSE_SECONDS)
            self._join(CLOSE_SECONDS)
            for process in self.processes:  # killed on its last steps: nothing is lost, but somebody kills here
                if process.exitcode not in (None, 0):
                    raise self._death(process)
        return () if self.interrupt.noted else behind

    def _await(self, phase: int, seconds: float, longest: float = 0.0) -> bool:
        """Wait until all have come to a phase; up to ``longest``, time that a pCPU was not let run does not count."""
        begun = looked = time.monotonic()
        until = begun + seconds
        interrupted = self.interrupt.noted
        kept_before = self.watchdog.kept(self._pids()) if longest else {}
        while behind := self._behind(phase):
            now = time.monotonic()
            if longest and now - looked >= PROGRESS_SECONDS:
                looked = now
                self._look_at(now, behind)
            if now > until:
                kept = self.watchdog.kept({cpu: self.processes[cpu].pid for cpu in behind}) if longest else {}
                until = begun + min(seconds + max((kept[cpu] - kept_before[cpu] for cpu in kept), default=0.0), longest)
                if now > until:
                    if longest and (halted := self.watchdog.stopped({cpu: self.processes[cpu].pid for cpu in behind})):
                        raise StoppedError(halted)
                    return False
            if self.interrupt.noted and not interrupted:
                interrupted, longest, until = True, 0.0, min(until, now + CANCEL_SECONDS)
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
                cpu_seconds=self.watchdog.times.get(cpu, (0.0, 0.0))[0],
                waited_seconds=self.watchdog.times.get(cpu, (0.0, 0.0))[1],
            )
            for cpu, process in enumerate(self.processes)
        )

    def _write(self, word: int, value: int) -> None:
        self.memory.write(word, value)
