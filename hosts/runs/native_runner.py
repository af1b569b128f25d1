"""Runner of the native host: builds the program, and races planned configurations on real processes."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from emu.machine import Machine
from emu.observe.accounting import ROUNDS
from emu.workload.setup import choose_race, power_on
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_FAULT, EXIT_USAGE
from hosts.loader.rule.blame import blamed_file, compiler_error
from hosts.loader.rule.faults import RuleFault
from hosts.loader.user_code import UserCode
from hosts.runs.collect import Undelivered
from hosts.runs.runner import Ended, Placement, Regime, Request, Runner, Watch

try:
    from hosts.compiler.cache import CacheError
    from hosts.native.memory import layout
    from hosts.native.memory.addresses import MEMORY_AT
    from hosts.native.memory.region import SharedMemory
    from hosts.native.process import configuration as process
    from hosts.native.process.forkserver import Root
    from hosts.native.process.outcome import Outcome
    from hosts.native.process.supervisor import Supervisor
    from hosts.native.program.build import LIVE, LOADER, BuildError, Built, Progress, build
except ImportError as missing:
    raise Failure(f"something to run on is missing: {missing}", EXIT_ENVIRONMENT) from missing

from hosts.loader.program import LoaderError, PolicyError

REGIMES: Final[dict[Regime, int]] = {
    "calm": layout.REGIME_NONE,
    "delays": layout.REGIME_DELAYS,
    "starvation": layout.REGIME_STARVATION,
}
PLACEMENTS: Final[dict[Placement, process.AffinityMode]] = {
    "pinned": process.AffinityMode.PINNED,
    "shared": process.AffinityMode.SHARED,
    "unpinned": process.AffinityMode.UNPINNED,
}


START_TRIES: Final = 3
"""Consecutive failed starts of a machine before the run is given up."""
HANG_SECONDS: Final = 2.0
"""On a processor, without a heartbeat or a further round; either comes every few microseconds."""


def check_machine() -> None:
    """Refuse a machine on which native runs mean nothing."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise Failure(f"needs Linux on x86-64, not {sys.platform} on {platform.machine()}", EXIT_ENVIRONMENT)


def built(code: UserCode | None, progress: Progress) -> Built:
    """Return the compiled program; Failure if there is none."""
    try:
        return build(code, progress)
    except PolicyError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    except CacheError as error:
        raise Failure(str(error), EXIT_ENVIRONMENT) from error
    except (LoaderError, BuildError) as error:
        path = blamed_file(str(error), code)
        if not path:
            raise Failure(str(error), EXIT_FAULT) from error
        raise Failure(compiler_error(str(error), path), EXIT_USAGE) from error


@contextmanager
def native_runner(program: Built, files: Sequence[str] = ()) -> Iterator[Runner]:
    """Return a runner of the program's configurations; ``files``: the user's, of which a fault names one."""
    try:
        supervisor = Supervisor(Root(LOADER, program.path))
        entered = supervisor.__enter__()
    except OSError as error:
        raise Failure(f"cannot start processes: {error}", EXIT_ENVIRONMENT) from error
    try:
        yield NativeRunner(entered, files)
    finally:
        supervisor.__exit__(*sys.exc_info())


class NativeRunner:
    """Runs configurations on real processes."""

    def __init__(self, supervisor: Supervisor, files: Sequence[str] = ()) -> None:
        self._supervisor, self._files = supervisor, files
        self._failed_starts = 0

    def run(self, request: Request, watch: Watch) -> Ended:
        """Run one; Failure if this machine cannot run any."""
        try:
            done = self._supervisor.run(
                configuration(request),
                setup=lambda memory: set_up(memory, request),
                enough=lambda memory: watch.enough(memory.words),
                progress=lambda memory, seconds: watch.progress(memory.words, seconds),
                advancing=rounds,
            )
        except OSError as error:
            raise Failure(f"no room for a machine: {error.strerror or error}", EXIT_ENVIRONMENT) from error
        self._check_start(done)
        return Ended(
            words=done.words,
            seconds=done.seconds,
            overhead=done.overhead,
            crash=done.crash,
            fault=RuleFault(*done.fault).told(self._files) if done.fault is not None else None,
            cancelled=done.cancelled,
            stalled=done.stalled,
            undelivered=tuple(
                Undelivered(each.sender, each.target, each.vector, each.sent, each.taken) for each in done.undelivered
            ),
        )

    def _check_start(self, done: Outcome) -> None:
        """Tolerate a few failed starts of a machine; Failure if a resource is lacking or there are too many."""
        self._failed_starts = self._failed_starts + 1 if done.crash is not None and done.seconds == 0 else 0
        if done.crash is not None and (done.lacking or self._failed_starts >= START_TRIES):
            why = done.crash.partition("\n")[0]
            raise Failure(f"cannot start a machine: {why}", EXIT_ENVIRONMENT)


def configuration(request: Request) -> process.Configuration:
    """Return the configuration for the supervisor."""
    mutation, tasks = request.planned.mutation, request.planned.scenario.tasks
    return process.Configuration(
        pcpus=request.planned.pcpus,
        seconds=request.seconds,
        seed=request.seed,
        placement=PLACEMENTS[request.placement],
        role=LIVE,
        regime=REGIMES[request.regime],
        fabric_fault=mutation.fabric_fault if mutation is not None else layout.FAULT_NONE,
        hang_seconds=HANG_SECONDS,
        contexts=tuple(Machine(MEMORY_AT).vcpus[i].sched.context for i in range(tasks)),
    )


def rounds(memory: SharedMemory) -> int:
    """Return how far the slowest vCPU is: it opens no round before every actor has finished the last one's turn.

    Of tasks, which go from pCPU to pCPU: how far all together are.
    """
    machine = memory.machine
    tasks = memory.read(machine.config.task_pcpus)
    counts = [
        memory.read(machine.pcpus[cpu].counters[ROUNDS]) for cpu in range(tasks or memory.read(machine.config.vcpus))
    ]
    return sum(counts) if tasks else min(counts, default=0)


def set_up(memory: SharedMemory, request: Request) -> None:
    """Write the machine that is raced."""
    planned = request.planned
    power_on(memory.machine, planned.pcpus, planned.vcpus, memory.write, planned.scenario.task_pcpus)
    for word, value in planned.own.first_words(memory.machine, planned.pcpus, planned.vcpus):
        memory.write(word, value)
    choose_race(memory.machine, planned.scenario, planned.policy.number, planned.mutation, memory.write)
