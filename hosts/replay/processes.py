"""The scheduler's side of the processes: starting them, sending commands, noticing when any of them dies.

A process that dies closes its pipe; nothing here depends on time. There is nothing to wind down: a process
that is left at the end is killed, and the region, the sockets (abstract) and the pipes have no names to leave behind.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import multiprocess
import multiprocess.connection

from hosts.explorer.counterexample.witness import Witness
from hosts.replay.memory import Memory
from hosts.replay.messages import Command, Connect, Report
from hosts.replay.process import ProcessArguments, main
from hosts.replay.program import ReplayProgram
from hosts.replay.setting import Setting
from hosts.replay.task_log import LogSaved, LogWanted, SavedLogs, first_log
from hosts.signals import STOPPING
from hosts.word64 import BASE


class EnvironmentLacks(Exception):  # noqa: N818 - not an error of the program
    """The machine has no memory, processes or sockets for us; the message is for the user."""


class Died(Exception):  # noqa: N818 - not an error of the program
    """A process has ended; the message names it."""


@dataclass
class ReplayProcesses:
    """The processes of one replay. Use it in a ``with`` statement."""

    witness: Witness
    code: ReplayProgram
    processes: list[Any] = field(default_factory=list)
    pipes: list[Any] = field(default_factory=list)
    logs: SavedLogs = field(default_factory=SavedLogs)

    def __enter__(self) -> Self:
        """Start them; each stops before its first operation."""
        try:
            self.memory = Memory()
            for offset, value in self.witness.initial.items():
                self.memory.write(BASE + offset, value)
            for vcpu, context in enumerate(self.code.contexts):
                self.memory.write(context, first_log(vcpu))
            name, token = secrets.token_hex(8), secrets.randbits(63)
            for cpu in range(len(self.witness.threads)):
                self._start(cpu, name, token)
            for cpu in range(len(self.pipes)):
                self._answer(cpu)
            for pipe in self.pipes:
                pipe.send(Connect())
            for cpu in range(len(self.pipes)):
                self._answer(cpu)
        except OSError as error:
            self.close()
            raise EnvironmentLacks(f"cannot start the processes: {error}") from None
        except Died as error:  # before its first operation: libzmq aborts if it is not given a thread
            self.close()
            raise EnvironmentLacks(f"cannot start the processes: {error}") from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.close()

    def _start(self, cpu: int, name: str, token: int) -> None:
        witness = self.witness
        ours, theirs = multiprocess.Pipe()
        setting = Setting(
            cpu,
            len(witness.threads),
            witness.buffer,
            witness.overtake,
            {BASE + offset: word for offset, word in witness.shared.items()},
            cpu in (*witness.interrupted, *witness.interrupted_last),
            self.code.functions,
            self.code.files,
            None if cpu in witness.interrupted else self.code.last_points,
            witness.eager,
            self.code.last_points,
            self.code.deferrable,
            frozenset(BASE + offset for offset, owner in witness.alone.items() if owner == cpu),
        )
        foreign_pipes = [*self.pipes, ours]
        arguments = ProcessArguments(
            setting,
            self.memory,
            self.code.drivers[cpu],
            self.code.interrupt,
            self.code.task,
            name,
            token,
            theirs,
            foreign_pipes,
        )
        process = multiprocess.get_context("fork").Process(target=main, args=(arguments, os.getpid()), daemon=True)
        with _no_interrupts():  # a Ctrl-C in the middle would leave a process that nobody knows
            process.start()
            self.processes.append(process)
            self.pipes.append(ours)
        theirs.close()

    def execute(self, cpu: int, command: Command) -> Report:
        """Send a command; return the report of the process that has executed it. Died if any process has ended."""
        with contextlib.suppress(BrokenPipeError):  # it has died: _answer says so
            self.pipes[cpu].send(command)
        return self._answer(cpu)

    def _answer(self, cpu: int) -> Report:
        sentinels = [process.sentinel for process in self.processes]
        ready = multiprocess.connection.wait([self.pipes[cpu], *sentinels])
        report: Report | None = None
        if self.pipes[cpu] in ready:
            with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
                report = self._report(cpu)
        if report is not None and report.environment:
            raise EnvironmentLacks(report.environment)
        gone = [i for i, sentinel in enumerate(sentinels) if sentinel in ready]
        if report is None or gone:
            gone = gone or [cpu]  # its pipe is closed, so it is ending
            for each in gone:
                self.processes[each].join()
                self._raise_lack(self.pipes[each])
            raise Died(self._exit_description(gone[0]))
        return report

    def _report(self, cpu: int) -> Report:
        """Receive a report; keep, and send, the logs of tasks that are switched in between."""
        while True:
            match self.pipes[cpu].recv():
                case LogSaved() as saved:
                    self.logs.save(saved)
                case LogWanted(number):
                    self.pipes[cpu].send(self.logs.whole(number))
                case report:
                    assert isinstance(report, Report)  # noqa: S101 - there is no other message
                    return report

    def _raise_lack(self, pipe: Any) -> None:
        """Raise EnvironmentLacks if the last report of an ended process says that it lacked something."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while pipe.poll():
                report = pipe.recv()
                if isinstance(report, Report) and report.environment:
                    raise EnvironmentLacks(report.environment)

    def _exit_description(self, cpu: int) -> str:
        """Return how a process has ended."""
        code = self.processes[cpu].exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return f"the process of pCPU {cpu} {how}"

    def close(self) -> None:
        """Kill the processes that are left, and release everything."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()
            process.close()
        for pipe in self.pipes:
            pipe.close()
        self.processes, self.pipes = [], []
        if hasattr(self, "memory"):
            self.memory.close()


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
