"""What a pCPU process does for the tasks of its run before the start, and what is said of one that has died of them."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Sequence
from typing import Any, Final

from emu.memory import Word
from hosts.native.memory import region, task_stacks
from hosts.native.memory.layout import EXIT_RUNNING_TASK, EXIT_TASK, HostCpu
from hosts.native.memory.mapping import words_at
from hosts.native.memory.region import SharedMemory
from hosts.native.memory.task_stacks import STACK_BYTES
from hosts.native.process.preloaded import PRELOADED

_SA_SIGINFO: Final = 0x4
_SA_ONSTACK: Final = 0x0800_0000
_MASK_WORDS: Final = 16


class _Sigaction(ctypes.Structure):
    """``struct sigaction`` of glibc on x86-64."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * _MASK_WORDS),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


def prepare(fd: int, contexts: Sequence[Word], role: int, *, fills: bool) -> None:
    """Map the tasks' stacks; one pCPU ``fills`` them, all before the start."""
    task_stacks.map_stacks(fd, len(contexts))
    if fills:
        for number, context in enumerate(contexts):
            task_stacks.fill(number, context, PRELOADED.root_address, role)
    _watch_faults()


def _watch_faults() -> None:
    """Have the compiled root note the address of an access that faults, and then the handler there has been."""
    sigaction: Any = ctypes.CDLL(None, use_errno=True).sigaction
    sigaction.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    before = _Sigaction()
    after = _Sigaction(handler=PRELOADED.root_address, flags=_SA_SIGINFO | _SA_ONSTACK)
    if sigaction(signal.SIGSEGV, ctypes.byref(after), ctypes.byref(before)) != 0:
        raise OSError(ctypes.get_errno(), "sigaction")
    words_at(region.local().fault_handler_at, 1)[0] = before.handler or 0


def differing_roots(memory: SharedMemory, pcpus: int) -> bool:
    """Return whether compiled code lies at different addresses: a task could not go from one process to another."""
    return len({memory.read(memory.host.cpus[cpu].root_at) for cpu in range(pcpus)} - {0}) > 1


def end_of(memory: SharedMemory, own: HostCpu, exit_code: int | None) -> str | None:
    """Return what a pCPU has died of, if that has to do with tasks."""
    if exit_code == EXIT_TASK:
        return "a task came to its end, which none does"
    if exit_code == EXIT_RUNNING_TASK:
        return "a task was to be resumed that is not suspended"
    number = task_stacks.overflowed(memory.read(own.fault_at)) if exit_code == -signal.SIGSEGV else None
    return None if number is None else f"the stack of task {number} has overflowed: it has {STACK_BYTES // 1024} KiB"
