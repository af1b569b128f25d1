"""The end of a pCPU whose user's rule did what no machine can do."""

from __future__ import annotations

from hosts.native.codegen.intrinsics import exit_process, store
from hosts.native.memory.layout import EXIT_RULE
from hosts.native.runtime.process_locals import own_words, this_process


def rule_fault(where: int, value: int, bound: int) -> None:
    """Note the fault, the line last, and end the process: nothing of what the rule would do next is done."""
    own = own_words(this_process())
    store(own.fault[1], value)
    store(own.fault[2], bound)
    store(own.fault[0], where)
    exit_process(EXIT_RULE)
