"""Tasks on this host: the switch from one to another, and what ends a pCPU that runs them, told before it is gone.

The kernel calls the compiled root for SIGSEGV, on a signal stack: the task's own may be what is full. The number of the
signal is the role, the description of the fault (``siginfo_t``) the argument.
"""

from __future__ import annotations

import signal
from typing import Final

from hosts.native.codegen.intrinsics import (
    call_address,
    exchange,
    exchange_stacks,
    exit_process,
    load_private,
    store,
)
from hosts.native.memory.layout import EXIT_RUNNING_TASK, EXIT_TASK
from hosts.native.runtime.process_locals import own_words, this_process

MEMORY_FAULT: Final = int(signal.SIGSEGV)
"""The role of the compiled root in which it is the handler of SIGSEGV."""
_ADDRESS: Final = 16
"""Where ``siginfo_t`` has the address that was accessed."""


def switch_to(prev: int, following: int) -> None:
    """Suspend the running task and resume another. A context word is 0 while its task runs, so no two pCPUs run one."""
    stack = exchange(following, 0)
    if stack == 0:
        exit_process(EXIT_RUNNING_TASK)
    exchange_stacks(prev, stack)


def task_ended() -> None:
    """End the process: a task has returned from where it began, and there is nothing to return to."""
    exit_process(EXIT_TASK)


def note_fault(description: int) -> None:
    """Note the address that was accessed, and have Python's handler write the stacks and end the process."""
    local = this_process()
    store(own_words(local).fault_at, load_private(description + _ADDRESS))
    call_address(load_private(local.fault_handler_at), MEMORY_FAULT, 0)
