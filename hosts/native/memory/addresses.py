"""The addresses of the native host's memory: the same in every process, so that compiled code has them as constants."""

from __future__ import annotations

from typing import Final

PAGE_BYTES: Final = 4096

MEMORY_AT: Final = 0x7000_0000
"""Where the machine lies in every process that has one, the shared host words behind it.

Below 2 GB, where an address fits into the instruction that uses it: a word of the machine costs no register and no
instruction more than one on the stack does. So far up that neither a program that is linked to a fixed place nor its
heap comes near: that begins below 1.1 GB, and goes elsewhere when it finds its way barred."""

LOCAL_AT: Final = 0x7200_0000
"""Where the private host words lie in every pCPU process."""

DOORBELL_AT: Final = 0x7300_0000
"""Where a pCPU process sees its own doorbell, besides among all of them: so an interrupt point need not ask where."""

STACKS_AT: Final = 0x7400_0000
"""Where the stacks of tasks lie in every process (:mod:`hosts.native.memory.task_stacks`)."""
