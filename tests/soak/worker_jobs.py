"""What tests have worker processes do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from hosts.errors import Failure
from hosts.soak.workers.failures import CannotRun
from hosts.soak.workers.job import RUNNING, WORKER

AT_ONCE: Final = {"scenario": "tscdeadline-immed", "policy": "elide-self-2022", "mutation": "no-fastpath-sync"}
"""A seeded bug for which it takes no race: what the vCPU posts to itself stays behind each time."""


def pid() -> int:
    """Return the worker's process id."""
    return os.getpid()


def die(number: int) -> None:
    """Die by a signal."""
    os.kill(os.getpid(), number)


def sleep_with_child(file: str, seconds: float) -> None:
    """Say that it will be over at once, start a process, write both numbers down, and take long."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    WORKER.stage(RUNNING, 0.0)
    written = Path(file + ".new")
    written.write_text(f"{os.getpid()} {other.pid}", encoding="ascii")
    written.rename(file)
    time.sleep(seconds)


def stop_and_go(file: str) -> str:
    """Have somebody stop this process, for longer than it may take, and let it go on."""
    WORKER.stage(RUNNING, 0.0)
    script = f"import os, time; time.sleep(2); os.kill({os.getpid()}, {int(signal.SIGCONT)})"
    subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    Path(file).touch()
    os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def fail() -> None:
    """Say that nothing can be run here."""
    raise CannotRun("no room", 3)


def fail_otherwise() -> None:
    """Fail as no task does, with an error that cannot be sent."""
    raise Failure("no such thing", 64)


ENDLESS = """
from emu.machine import Vcpu
from emu.waist import READ_ONCE, cpu_relax


def waits(vcpu: Vcpu, pi_vec: int) -> None:
    while READ_ONCE(vcpu.mode) < 9:
        cpu_relax()
"""


LOSING: Final = """
from emu.machine import Vcpu
from emu.waist import READ_ONCE, cpu_relax, one_in


def loses(vcpu: Vcpu, pi_vec: int) -> None:
    if one_in(10000) == 1:
        while READ_ONCE(vcpu.mode) < 9:
            cpu_relax()
"""


def losing_rule(folder: Path) -> str:
    """Write a policy that tells nobody, thousands of times, and then waits for ever; give its name."""
    file = folder / "losing.py"
    file.write_text(LOSING, encoding="utf-8")
    return f"{file}:loses"


KICKS: Final = """
from emu.cpu import apic_send_IPI
from emu.kvm_main import kvm_vcpu_kick
from emu.waist import READ_ONCE


def kicks(vcpu, vec):
    if vec == 0x99:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    kvm_vcpu_kick(vcpu)
"""


def kicking_rule(folder: Path) -> str:
    """Write a policy that kicks whatever the mode and notifies nobody, which its source does not say; give its name."""
    file = folder / "kicks.py"
    file.write_text(KICKS, encoding="utf-8")
    return f"{file}:kicks"


def endless_rule(folder: Path) -> str:
    """Write a policy that waits for ever, with a heartbeat, and promises no C7; give its name."""
    file = folder / "mine.py"
    file.write_text(f"CHECKS = 'C1 C2 C3 C4 C5 C8 C9 C10 C6 C11 C12 C13 C14'\n{ENDLESS}", encoding="utf-8")
    return f"{file}:waits"
