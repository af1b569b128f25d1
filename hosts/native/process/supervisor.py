"""The supervisor of a compiled program's runs: it owns the fork server and the folder of what is gone at the end."""

from __future__ import annotations

import atexit
import contextlib
from pathlib import Path
from typing import Self

from hosts.native.memory.region import SharedMemory
from hosts.native.memory.task_stacks import StackMemory
from hosts.native.process.configuration import Configuration
from hosts.native.process.crash_dump import Stacks
from hosts.native.process.forkserver import ForkServer, Lost, Root
from hosts.native.process.outcome import Outcome
from hosts.native.process.supervised_run import Enough, Progress, Setup, SupervisedRun
from hosts.native.process.watchdog import Advancing, Watchdog
from hosts.rundir import RunFolder
from hosts.signals import Interrupt, interrupts_noted


class Supervisor:
    """Runs configurations of one compiled program, one after another.

    Within :meth:`run` Ctrl-C raises nothing: it ends the run, whose outcome says so, so that no process is lost
    between its start and the note of its number.
    """

    def __init__(self, root: Root, lost: Lost | None = None) -> None:
        """``root`` is the compiled program; the fork server starts with the context.

        ``lost`` is called from another thread when the fork server dies unasked, whether anything runs or not.
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
        """The folder that is removed with this process, however it ends."""
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
        ``memory_file`` holds all words, and outlives all processes; the caller removes it.
        ``advancing`` tells the watchdog a number that changes as long as anything in the machine goes on.
        """
        with (
            SharedMemory(memory_file) as memory,
            StackMemory(len(configuration.contexts)) as task_stacks,
            interrupts_noted() as self._interrupt,
        ):
            watchdog = Watchdog(memory, configuration.hang_seconds, advancing)
            with contextlib.closing(Stacks(self._folder.path)) as stacks:
                run = SupervisedRun(configuration, memory, self._server, self._interrupt, watchdog, stacks, task_stacks)
                return run.run(setup, enough, progress)

    def cancel(self) -> None:
        """End the run that is under way, if any, as Ctrl-C does. For another thread."""
        self._interrupt.note()
