"""The one reader of ``/proc``: processes and their threads, steal time, resident memory, the processor's name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

STOPPED: Final = "Tt"
"""The states of a process that a signal or a debugger has stopped."""
ENDED: Final = "ZX"
"""The states of a process that is dead: a zombie, or about to be gone."""

_PROC: Final = Path("/proc")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STEAL: Final = 8
"""Column of ``/proc/stat``."""
_STATE: Final = 0
_GROUP: Final = 2
_PROCESSOR: Final = 36
"""Fields of ``stat``, counted from behind the command's name."""
_THREAD_FILES: Final = ("status", "stat", "schedstat", "wchan", "syscall", "stack")
"""Files below ``/proc/PID/task/TID`` that describe a thread; the last two are for the privileged."""
_STATUS_LINES: Final = ("Name", "State", "Threads", "SigPnd", "ShdPnd", "SigBlk", "Cpus_allowed_list", "VmRSS")
"""Lines of ``status`` that say something about a hang."""


class ThreadStat(NamedTuple):
    """State and run times of a process's main thread, as the kernel's scheduler has them."""

    state: str
    """R, S, D, T (stopped), t (traced), Z (zombie), X (dead)."""
    processor: int
    """The processor that it ran on last."""
    ran: float
    """Seconds on a processor."""
    waited: float
    """Seconds that it was ready to run and the machine ran something else."""


def main_thread(pid: int) -> ThreadStat | None:
    """Return the state of a process's main thread; None if the process is gone."""
    folder = _PROC / f"{pid}/task/{pid}"
    try:
        ran, waited, _ = (folder / "schedstat").read_text(encoding="ascii").split()
        fields = _stat(folder)
    except (OSError, ValueError):
        return None
    return ThreadStat(fields[_STATE], int(fields[_PROCESSOR]), int(ran) / 1e9, int(waited) / 1e9)


def group_lives(group: int) -> bool:
    """Return whether a process group has a member that is not a zombie."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = _stat(entry)
                if int(fields[_GROUP]) == group and fields[_STATE] not in ENDED:
                    return True
    return False


def _stat(folder: Path) -> list[str]:
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def stolen_seconds() -> dict[int, float]:
    """Return the seconds of each processor that the hypervisor gave to others (steal time), where it is reported."""
    found = {}
    with contextlib.suppress(OSError):
        for line in (_PROC / "stat").read_text(encoding="ascii").splitlines():
            name, *columns = line.split()
            if name[3:].isdigit() and name.startswith("cpu") and len(columns) >= _STEAL:
                found[int(name[3:])] = int(columns[_STEAL - 1]) / _TICKS
    return found


def threads_text(pid: int) -> Iterator[str]:
    """Return what the kernel says of each thread of a process, as lines for a person."""
    with contextlib.suppress(OSError):
        for task in sorted((_PROC / f"{pid}/task").iterdir(), key=lambda path: int(path.name)):
            yield f"-- thread {task.name}"
            for name in _THREAD_FILES:
                yield from _thread_file(task / name)


def _thread_file(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return []
    if path.name == "status":
        return [line for line in text.splitlines() if line.startswith(_STATUS_LINES)]
    return [f"{path.name}: {line}" for line in text.splitlines()]


def resident_bytes() -> int:
    """Return the bytes of memory that this process has resident."""
    return int((_PROC / "self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def cpu_model() -> str:
    """Return the processor's name as the kernel reports it; nothing if it does not."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""
