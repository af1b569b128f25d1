"""What the fork server does before its first child: take the addresses, load the compiled root, freeze.

Imported by the fork server only. Whatever goes wrong is kept for the children to report, because multiprocess swallows
some errors of a preload and turns the others into an EOFError in the supervisor.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import shutil
import signal
import traceback
from pathlib import Path
from typing import Final

from hosts.native.process.preloaded import PRELOADED
from hosts.signals import STOPPING

ENVIRONMENT: Final = "PIRACE_PRELOAD"
ERROR_FILE: Final = "preload-error"


def _remove(folder: str) -> None:
    # Children leave by os._exit, so only the fork server comes here.
    if os.getpid() == PRELOADED.fork_server:
        shutil.rmtree(folder, ignore_errors=True)


def _load(wanted: dict[str, str]) -> int:
    from hosts.native.memory import region
    from hosts.native.process import crash_dump

    crash_dump.show_stacks_on_signal(Path(wanted["folder"]))
    region.reserve()
    module, function = wanted["loader"].split(":")
    address: int = getattr(importlib.import_module(module), function)(wanted["argument"])
    from hosts.native.process import pcpu  # noqa: F401 - the children find it imported

    return address


def _ignore_signals() -> None:
    # The fork server lives exactly as long as somebody holds its alive pipe; a signal to the whole group is not for it.
    # The supervisor has them blocked until they are ignored here.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _prepare() -> int:
    wanted: dict[str, str] = json.loads(os.environ[ENVIRONMENT])
    atexit.register(_remove, wanted["folder"])
    try:
        address = _load(wanted)
    except BaseException:  # noqa: BLE001 - reported by the supervisor
        Path(wanted["folder"], ERROR_FILE).write_text(traceback.format_exc(), encoding="utf-8")
        return 0
    gc.collect()
    gc.freeze()  # the children share these pages as long as nobody's collector touches them
    return address


if ENVIRONMENT in os.environ:  # set by the supervisor for its fork server alone
    _ignore_signals()
    PRELOADED.fork_server = os.getpid()
    PRELOADED.root_address = _prepare()
