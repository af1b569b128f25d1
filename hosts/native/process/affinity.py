"""The check at the end of a run that each pCPU kept its affinity: else its figures are of no placement."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from hosts.procfs import ENDED, main_thread


def affinity_lost(pids: Mapping[int, int], processors: Sequence[int | None]) -> dict[int, str]:
    """Return the pCPUs that were pinned to a processor and lost that affinity, and what was seen of each.

    Affinity is set once; a change of the cpuset, a processor that goes offline, or any process that may set it can
    change it later. A process that is gone cannot be checked and is left out.
    """
    found = {}
    for cpu, pid in pids.items():
        wanted = processors[cpu]
        if wanted is not None and (seen := _loss(pid, wanted)):
            found[cpu] = f"pCPU {cpu} did not stay on processor {wanted}: {seen}"
    return found


def _loss(pid: int, wanted: int) -> str:
    now = main_thread(pid)
    try:
        allowed = os.sched_getaffinity(pid)
    except OSError:
        return ""
    if now is None or now.state in ENDED:
        return ""
    if now.processor != wanted:
        return f"at the end it ran on {now.processor}"
    if allowed != {wanted}:
        return f"at the end it was allowed to run on {', '.join(map(str, sorted(allowed)))}"
    return ""
