"""What can go wrong with the processes of a run, which has an outcome all the same."""

from __future__ import annotations

from hosts.loader.rule.faults import RuleFault


class CrashError(Exception):
    """Something went wrong with the processes of a run; it has an outcome all the same."""


class LackError(CrashError):
    """The machine lacks what a further process takes."""


class HangError(CrashError):
    """A pCPU makes no progress although the machine lets it run."""

    def __init__(self, hung: dict[int, str]) -> None:
        super().__init__("; ".join(f"pCPU {cpu} hung: {how}" for cpu, how in hung.items()))
        self.cpus = tuple(hung)


class StoppedError(CrashError):
    """pCPUs that a signal has stopped keep the run from its end."""

    def __init__(self, cpus: tuple[int, ...]) -> None:
        super().__init__(f"stopped by a signal: pCPU {', '.join(map(str, cpus))}")
        self.cpus = cpus


class RuleError(CrashError):
    """The user's rule did what no machine can."""

    def __init__(self, cpu: int, fault: tuple[int, int, int]) -> None:
        super().__init__(f"pCPU {cpu}: {RuleFault(*fault)}")
        self.fault = fault
