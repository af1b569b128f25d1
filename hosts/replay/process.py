"""The main program of one process of a replay: a pCPU that does what the director says, and ends with it."""

from __future__ import annotations

import ctypes
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import zmq

from emu.waist import set_host
from hosts.loader.rule.faults import RuleFault
from hosts.loader.rule.userpolicy import ENTRY
from hosts.native.fabric.sockets import Fabric
from hosts.replay.apic import Apic
from hosts.replay.host import ReplayHost
from hosts.replay.memory import Memory
from hosts.replay.messages import Report
from hosts.replay.scheduling_points import Diverged, Turns
from hosts.replay.setting import Setting
from hosts.signals import STOPPING

HELLO_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Part:
    """What one process is given. It is forked, so all of this is simply there."""

    setting: Setting
    memory: Memory
    driver: Callable[[], None]
    interrupt: Callable[[], None]
    name: str
    token: int
    pipe: Any
    not_ours: Sequence[Any]
    """Ends of pipes that only the director may hold: who keeps one open hides that another has died."""


def main(part: Part, director: int) -> None:
    """Live as a pCPU; ``director`` is the process that must be the parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != director:  # it died before the line above
        os._exit(1)
    for number in STOPPING:  # to the whole group: its director hears them, and ends it
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    for other in part.not_ours:
        other.close()
    try:
        _live(part)
    except (EOFError, BrokenPipeError):  # the director has gone
        pass
    finally:
        os._exit(0)


def _live(part: Part) -> None:
    setting = part.setting
    try:
        fabric = Fabric(part.name, part.token, setting.cpu, setting.pcpus)
        fabric.bind()
        part.pipe.send(Report())
        part.pipe.recv()  # Connect: all listen
        fabric.connect()
        fabric.await_hellos(HELLO_SECONDS)
    except (OSError, zmq.ZMQError) as error:
        part.pipe.send(Report(environment=f"pCPU {setting.cpu} cannot have its sockets: {error}"))
        return
    host = ReplayHost(setting, part.memory, Apic(part.memory, fabric, part.token), part.interrupt)
    turns = Turns(part.pipe, host)
    host.follow(turns)
    set_host(host)
    _watch(turns)
    part.pipe.send(Report())
    try:
        part.driver()
        turns.end()
    except Diverged as error:
        part.pipe.send(Report(turns.done, diverged=str(error)))
    except (EOFError, BrokenPipeError):
        raise
    except RuleFault as fault:
        part.pipe.send(Report(turns.done, error=fault.told(_rule_of(setting))))
    except Exception as error:  # noqa: BLE001 - the user's policy may do anything
        part.pipe.send(Report(turns.done, error=_told(error)))
    part.pipe.recv()  # the end of the pipe


def _rule_of(setting: Setting) -> str | None:
    """Name the user's rule, as ``file.py:function``."""
    names = (f"{place.file}:{ENTRY}" for place in setting.places.values() if place.function == ENTRY)
    return next(names, None)


def _watch(turns: Turns) -> None:
    """Look at the turns once in a while of the process's own time, which stands still while it waits."""
    signal.signal(signal.SIGVTALRM, lambda *_: turns.look())
    signal.setitimer(signal.ITIMER_VIRTUAL, LOOK_SECONDS, LOOK_SECONDS)


def _told(error: Exception) -> str:
    """Say where an error comes from, in a line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}: {type(error).__name__}: {error}"
