"""What is kept of a pCPU that hung, or died of a fault: its stacks, and what the kernel knows of it.

Stacks are written by the pCPU itself, by Python's faulthandler on a signal (and on SIGSEGV and its like), into a file
of the run's folder that the fork server has opened for all of its children. Compiled code has no Python frames: where
it was is told by the machine's memory, which is kept as well.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from hosts.procfs import threads_text

STACKS: Final = "stacks"
"""Name of the file in the run's folder."""
SIGNAL: Final = signal.SIGUSR2

STANDARD_ERROR: Final = 2
_PATIENCE: Final = 0.5
_NAP: Final = 0.002
_MOST: Final = 16
"""pCPUs that are asked at most; the hung ones come first."""

_file: list[IO[bytes]] = []


def show_stacks_on_signal(folder: Path) -> None:
    """Have this process, and all that are forked from it, write their stacks on SIGUSR2 and on faults."""
    file = (folder / STACKS).open("ab", buffering=0)
    _file.append(file)  # open for as long as the process lives
    os.dup2(file.fileno(), STANDARD_ERROR)  # last words of a library go where the stacks do, not to the user
    faulthandler.register(SIGNAL, file, all_threads=True)
    faulthandler.enable(file, all_threads=True)


class Stacks:
    """The file of stacks, from the run's beginning."""

    def __init__(self, folder: Path) -> None:
        """Note what is in it already."""
        self._path = folder / STACKS
        self._file = self._path.open("a+b", buffering=0)  # a fork server that dies removes the folder
        self._begun = self._size()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def ask(self, pid: int) -> None:
        """Have a process write its stacks, and wait until it has, or a moment."""
        before, until = self._size(), time.monotonic() + _PATIENCE
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGNAL)
            while self._size() == before and time.monotonic() < until:
                time.sleep(_NAP)
        size = before
        while size != (size := self._size()) and time.monotonic() < until:
            time.sleep(_NAP)

    def note(self, line: str) -> None:
        """Write a line of one's own."""
        with contextlib.suppress(OSError):
            self._file.write(f"\n{line}\n".encode())

    def text(self) -> str:
        """Return what has been written since the beginning."""
        return os.pread(self._file.fileno(), self._size(), self._begun).decode(errors="replace").strip()


def gather(stacks: Stacks, pids: Mapping[int, int], suspects: tuple[int, ...]) -> dict[str, str]:
    """Ask the living pCPUs, the suspects first; give the files to keep, by name."""
    facts = []
    for cpu in sorted(pids, key=lambda cpu: (cpu not in suspects, cpu))[:_MOST]:
        facts.append(_facts(cpu, pids[cpu]))
        if "\nState:\tT" not in facts[-1]:  # who is stopped cannot answer
            stacks.note(f"pCPU {cpu}, process {pids[cpu]}:")
            stacks.ask(pids[cpu])
    return {"proc.txt": "\n".join(facts), "stacks.txt": stacks.text()}


def _facts(cpu: int, pid: int) -> str:
    """Return what the kernel says of a pCPU's threads."""
    return "\n".join([f"== pCPU {cpu}, process {pid}", *threads_text(pid)]) + "\n"
