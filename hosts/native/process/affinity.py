"""Looks at the end of a run whether each pCPU is still where it was put: figures of a placement are of nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from hosts.native.process.watchdog import standing


def strays(pids: Mapping[int, int], processors: Sequence[int | None]) -> dict[int, str]:
    """Give the pCPUs that were put on a processor and are not, or need not be, there any more, and what was seen.

    A pCPU is told its processor once; later a change of its cpuset, a processor that goes offline, or anybody who may
    set its affinity can send it elsewhere. What is gone cannot be asked, and is none.
    """
    found = {}
    for cpu, pid in pids.items():
        wanted = processors[cpu]
        if wanted is not None and (seen := _stray(pid, wanted)):
            found[cpu] = f"pCPU {cpu} did not stay on processor {wanted}: {seen}"
    return found


def _stray(pid: int, wanted: int) -> str:
    now = standing(pid)
    try:
        allowed = os.sched_getaffinity(pid)
    except OSError:
        return ""
    if now is None or now.state in "ZX":
        return ""
    if now.processor != wanted:
        return f"at the end it ran on {now.processor}"
    if allowed != {wanted}:
        return f"at the end it was allowed to run on {', '.join(map(str, sorted(allowed)))}"
    return ""
