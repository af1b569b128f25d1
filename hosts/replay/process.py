"""The main program of one process of a replay: a pCPU that executes the scheduler's commands, and ends with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import zmq

from emu.waist import Host, set_host
from hosts.loader.rule.faults import RuleFault
from hosts.native.fabric.sockets import Fabric
from hosts.replay.apic import Apic
from hosts.replay.host import ReplayHost
from hosts.replay.memory import Memory
from hosts.replay.messages import Report
from hosts.replay.scheduling_points import Diverged, SchedulingPoints
from hosts.replay.setting import Setting
from hosts.replay.tasks import NotSuspended, TaskError, Tasks
from hosts.signals import STOPPING

HELLO_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class ProcessArguments:
    """The arguments of one process. It is forked, so nothing of them is serialised."""

    setting: Setting
    memory: Memory
    driver: Callable[[], None]
    interrupt: Callable[[], None]
    task: Callable[[], None] | None
    """What a vCPU's task runs; None: the scope has no tasks."""
    name: str
    token: int
    pipe: Any
    foreign_pipes: Sequence[Any]
    """Ends of pipes that only the scheduler may hold: an open copy would hide that another process has died."""


def main(arguments: ProcessArguments, scheduler_pid: int) -> None:
    """Main loop of one process; ``scheduler_pid`` is the process that must be the parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != scheduler_pid:  # it died before the line above
        os._exit(1)
    for number in STOPPING:  # sent to the whole group: the scheduler handles them, and ends this
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    for other in arguments.foreign_pipes:
        other.close()
    try:
        _run(arguments)
    except (EOFError, BrokenPipeError):  # the scheduler has ended
        pass
    finally:
        os._exit(0)


def _run(arguments: ProcessArguments) -> None:
    setting = arguments.setting
    try:
        fabric = Fabric(arguments.name, arguments.token, setting.cpu, setting.pcpus)
        fabric.bind()
        arguments.pipe.send(Report())
        arguments.pipe.recv()  # Connect: all listen
        fabric.connect()
        fabric.await_hellos(HELLO_SECONDS)
    except (OSError, zmq.ZMQError) as error:
        arguments.pipe.send(Report(environment=f"pCPU {setting.cpu} cannot have its sockets: {error}"))
        return
    host = ReplayHost(setting, arguments.memory, Apic(arguments.memory, fabric, arguments.token), arguments.interrupt)
    points = SchedulingPoints(arguments.pipe, host)
    host.follow(points)
    waist = host if arguments.task is None else Tasks(host, arguments.task, arguments.pipe)
    set_host(cast("Host", waist))
    _watch(points)
    arguments.pipe.send(Report())
    try:
        with contextlib.suppress(NotSuspended):
            arguments.driver()
        points.end()
    except Diverged as error:
        arguments.pipe.send(Report(points.done, diverged=str(error)))
    except (EOFError, BrokenPipeError):
        raise
    except TaskError as fault:
        arguments.pipe.send(Report(points.done, error=str(fault)))
    except RuleFault as fault:
        arguments.pipe.send(Report(points.done, error=fault.told(setting.files)))
    except Exception as error:  # noqa: BLE001 - the user's policy may do anything
        arguments.pipe.send(Report(points.done, error=_error_text(error)))
    arguments.pipe.recv()  # the end of the pipe


def _watch(points: SchedulingPoints) -> None:
    """Check for progress regularly in the process's own CPU time, which does not pass while it waits."""
    signal.signal(signal.SIGVTALRM, lambda *_: points.check_progress())
    signal.setitimer(signal.ITIMER_VIRTUAL, LOOK_SECONDS, LOOK_SECONDS)


def _error_text(error: Exception) -> str:
    """Return an error and its source line as one line of text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}: {type(error).__name__}: {error}"
