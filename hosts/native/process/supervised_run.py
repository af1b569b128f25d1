"""One run under supervision: its processes are started, watched, and brought to an end; its outcome is kept."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hosts.native.memory.layout import BOUND, CLOSE, CLOSED, CONNECT, DONE, GO, READY
from hosts.native.memory.region import SharedMemory
from hosts.native.memory.task_stacks import StackMemory
from hosts.native.process import pcpu, tasks
from hosts.native.process.affinity import affinity_lost
from hosts.native.process.configuration import Configuration
from hosts.native.process.crash_dump import Stacks, gather
from hosts.native.process.forkserver import ForkServer, main_module_hidden
from hosts.native.process.outcome import Outcome, undelivered
from hosts.native.process.pcpu_processes import CLOSE_SECONDS, PcpuProcesses
from hosts.native.process.run_errors import CrashError, HangError, LackError, RuleError, StoppedError
from hosts.native.process.watchdog import Watchdog
from hosts.resource_limits import lack_in
from hosts.signals import Interrupt

Setup = Callable[[SharedMemory], None]
Enough = Callable[[SharedMemory], bool]
Progress = Callable[[SharedMemory, float], None]

TICK: Final = 0.01
PROGRESS_SECONDS: Final = 0.1
START_SECONDS: Final = 30.0
PATIENCE: Final = 6
"""How many times its bound a run may take to wind down if the machine does not let it run."""
CANCEL_SECONDS: Final = 0.3
"""What a cancelled run may take to wind down before it is killed."""


@dataclass
class _End:
    """How a run came to its end."""

    went: float = 0.0
    stopped: float = 0.0
    crash: str | None = None
    rule_fault: tuple[int, int, int] | None = None
    lacking: bool = False
    stuck: tuple[int, ...] = ()
    hung: tuple[int, ...] = ()
    halted: tuple[int, ...] = ()
    affinity_lost: Mapping[int, str] = field(default_factory=dict)
    crash_dump: Mapping[str, str] = field(default_factory=dict)


class SupervisedRun:
    """One run."""

    def __init__(
        self,
        wanted: Configuration,
        memory: SharedMemory,
        server: ForkServer,
        interrupt: Interrupt,
        watchdog: Watchdog,
        stacks: Stacks,
        task_stacks: StackMemory,
    ) -> None:
        """``interrupt`` ends the run early; ``stacks`` is where a pCPU's stacks are written when it hangs."""
        self.wanted = wanted
        self.memory = memory
        self.server = server
        self.interrupt = interrupt
        self.watchdog = watchdog
        self.stacks = stacks
        self.task_stacks = task_stacks
        self.processes = PcpuProcesses(server, memory, wanted.pcpus)
        self.end = _End()

    def run(self, setup: Setup | None, enough: Enough | None, progress: Progress | None) -> Outcome:
        """Run it from the start of its processes to their end."""
        begun = time.monotonic()
        self._fill()
        if setup is not None:
            setup(self.memory)
        end = self.end
        try:
            self._start()
            end.went = time.monotonic()
            self._watch(end.went, enough, progress)
            end.stopped = time.monotonic()
            end.stuck = self._wind_down()
            if end.stuck:
                end.crash_dump = gather(self.stacks, self.processes.pids(), end.stuck)
        except StoppedError as error:
            end.halted = error.cpus
            self._stop_now()
        except CrashError as error:
            self._note(error)
            self._stop_now()
        finally:
            self.processes.kill()
        return self._outcome(begun)

    def _note(self, error: CrashError) -> None:
        end = self.end
        end.crash, end.lacking = str(error), isinstance(error, LackError)
        end.rule_fault = error.fault if isinstance(error, RuleError) else None
        if isinstance(error, HangError):
            end.hung = error.cpus
            end.crash_dump = gather(self.stacks, self.processes.pids(), end.hung)
        if not end.went and (lack := lack_in(f"{self.stacks.text()}\n{self.server.error() or ''}")):
            end.crash, end.lacking = f"{end.crash.partition(chr(10))[0]} ({lack})", True

    def _stop_now(self) -> None:
        self.end.stopped = self.end.stopped or time.monotonic()
        self.end.went = self.end.went or self.end.stopped
        self.memory.write(self.memory.host.run.stop, 1)

    def _outcome(self, begun: float) -> Outcome:
        end, seconds = self.end, self.end.stopped - self.end.went
        workers = self.processes.workers()
        if end.stuck:
            end.crash = f"did not end within {self.wanted.stop_seconds:g} s: pCPU " + ", ".join(map(str, end.stuck))
        if end.crash is not None and not end.crash_dump and (fault := self.stacks.text()):
            end.crash_dump = {"stacks.txt": fault}
        return Outcome(
            memory=self.memory.copy(),
            seconds=seconds,
            overhead=time.monotonic() - begun - seconds,
            workers=workers,
            crash=end.crash,
            fault=end.rule_fault,
            cancelled=self.interrupt.noted,
            stuck=end.stuck,
            stalled=tuple(sorted(self.watchdog.stalled)),
            halted=end.halted,
            undelivered=() if end.halted else undelivered(self.memory, self.wanted.pcpus),
            hung=end.hung,
            lacking=end.lacking,
            labels=(*self._labels(), *end.affinity_lost.values(), *self.watchdog.labels(seconds)),
            affinity_lost=tuple(end.affinity_lost),
            crash_dump=end.crash_dump,
        )

    def _labels(self) -> tuple[str, ...]:
        return ("the fork server had died before this run, which has a new one",) if self.processes.replaced else ()

    def _fill(self) -> None:
        wanted, run = self.wanted, self.memory.host.run
        self.token = secrets.randbits(62)
        self.name = secrets.token_hex(12)
        self.processors, crowded = wanted.place()
        for word, value in (
            (run.token, self.token),
            (run.pcpus, wanted.pcpus),
            (run.seed, wanted.seed),
            (run.regime, wanted.regime),
            (run.fabric_fault, wanted.fabric_fault),
            (run.fault_one_in, wanted.fault_one_in),
            (run.crowded, 1 if crowded else 0),
        ):
            self.memory.write(word, value)

    def _start(self) -> None:
        if strange := sorted(set(self.wanted.processors) - os.sched_getaffinity(0)):
            raise CrashError(f"processor {', '.join(map(str, strange))} is offline, or kept from this process")
        with main_module_hidden():
            for cpu in range(self.wanted.pcpus):
                if self.interrupt.noted:
                    return
                self.processes.start(self._arguments(cpu))
        run = self.memory.host.run
        for phase, permission in ((BOUND, CONNECT), (READY, GO)):
            if not self._await(phase, START_SECONDS) and not self.interrupt.noted:
                raise CrashError(f"not up within {START_SECONDS:g} s: {self.processes.behind(phase)}")
            if self.wanted.contexts and tasks.differing_roots(self.memory, self.wanted.pcpus):
                raise CrashError("the compiled program does not lie at the same address in all pCPUs")
            self.memory.write(run.phase, permission)

    def _arguments(self, cpu: int) -> pcpu.PcpuArguments:
        return pcpu.PcpuArguments(
            fd=self.memory.fd,
            name=self.name,
            token=self.token,
            cpu=cpu,
            pcpus=self.wanted.pcpus,
            role=self.wanted.role,
            argument=self.wanted.argument,
            processor=self.processors[cpu],
            stacks=self.task_stacks.fd,
            contexts=self.wanted.contexts,
            task_role=self.wanted.task_role,
        )

    def _watch(self, went: float, enough: Enough | None, progress: Progress | None) -> None:
        shown = went
        while not self.interrupt.noted:
            now = time.monotonic()
            if now - shown >= PROGRESS_SECONDS:
                shown = now
                self._check_health(now)
                if progress is not None:
                    progress(self.memory, now - went)
            left = went + self.wanted.seconds - now
            if left <= 0 or (enough is not None and enough(self.memory)):
                return
            self.processes.sleep(min(TICK, left))

    def _check_health(self, now: float) -> None:
        """Raise CrashError if libzmq has failed a pCPU, or a pCPU hangs."""
        for cpu in self.processes.pids():
            error = self.memory.read(self.memory.host.cpus[cpu].error)
            if error != 0:
                raise CrashError(f"pCPU {cpu}: libzmq failed with errno {error} ({os.strerror(error)})")
        self._check_progress(now, None)

    def _check_progress(self, now: float, cpus: Iterable[int] | None) -> None:
        hung = self.watchdog.look(now, self.processes.pids(cpus))
        if hung:
            raise HangError(hung)

    def _wind_down(self) -> tuple[int, ...]:
        """Stop; return the pCPUs that do not come to an end in time."""
        run = self.memory.host.run
        self.memory.write(run.stop, 1)
        if not self.processes.complete or self.processes.behind(READY):
            return ()  # cancelled before all were up: there is nothing to wait for
        bound = CANCEL_SECONDS if self.interrupt.noted else self.wanted.stop_seconds
        self._await(DONE, bound, longest=bound if self.interrupt.noted else PATIENCE * bound)
        behind = self.processes.behind(DONE)
        self.watchdog.note_times(self.processes.pids())
        self.end.affinity_lost = affinity_lost(self.processes.pids(), self.processors)
        if not behind:
            self.memory.write(run.phase, CLOSE)
            self._await(CLOSED, CLOSE_SECONDS)
            self.processes.close()
        return () if self.interrupt.noted else behind

    def _await(self, phase: int, seconds: float, longest: float = 0.0) -> bool:
        """Wait until all have come to a phase; up to ``longest``, time that a pCPU was not let run does not count."""
        begun = looked = time.monotonic()
        until = begun + seconds
        interrupted = self.interrupt.noted
        kept_before = self.watchdog.kept(self.processes.pids()) if longest else {}
        while behind := self.processes.behind(phase):
            now = time.monotonic()
            if longest and now - looked >= PROGRESS_SECONDS:
                looked = now
                self._check_progress(now, behind)
            if now > until:
                kept = self.watchdog.kept(self.processes.pids(behind)) if longest else {}
                until = begun + min(seconds + max((kept[cpu] - kept_before[cpu] for cpu in kept), default=0.0), longest)
                if now > until:
                    if longest and (halted := self.watchdog.stopped(self.processes.pids(behind))):
                        raise StoppedError(halted)
                    return False
            if self.interrupt.noted and not interrupted:
                interrupted, longest, until = True, 0.0, min(until, now + CANCEL_SECONDS)
            self.processes.sleep(0.001)
        return True
