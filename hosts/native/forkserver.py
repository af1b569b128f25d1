"""multiprocess's fork server, as this host needs it: preloaded, in a private folder, stoppable, deaf to signals.

The module-level server object of multiprocess is what its processes are started through; its fields are used here
because it has no interface to stop it. The names are checked at import, so another version fails at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import multiprocess
import multiprocess.forkserver
import multiprocess.process

import hosts
from hosts.native import preload

_STOP_SECONDS: Final = 3.0

_server: Final[Any] = multiprocess.forkserver._forkserver  # noqa: SLF001
for _name in ("_forkserver_pid", "_forkserver_alive_fd", "_forkserver_address"):
    if not hasattr(_server, _name):
        raise ImportError(f"this version of multiprocess has no ForkServer.{_name}")


@dataclass(frozen=True)
class Root:
    """Where the compiled root comes from: ``module:function``, called with ``argument``, gives its address."""

    loader: str
    argument: str = ""


class ForkServer:
    """The fork server of one compiled program."""

    def __init__(self, root: Root, folder: Path) -> None:
        """Say what to load; nothing runs yet."""
        self._folder = folder
        self._wanted = json.dumps({"loader": root.loader, "argument": root.argument, "folder": str(folder)})

    def start(self) -> None:
        """Start it if it is not running (it may have been killed). Returns while it still loads."""
        config = multiprocess.process.current_process()._config  # noqa: SLF001
        config["tempdir"] = str(self._folder)  # where its socket goes
        multiprocess.forkserver.set_forkserver_preload([preload.__name__])
        path = os.pathsep.join(filter(None, [str(_top_folder()), os.environ.get("PYTHONPATH")]))
        with _environment({preload.ENVIRONMENT: self._wanted, "PYTHONPATH": path}), _signals_blocked():
            multiprocess.forkserver.ensure_running()

    @property
    def pid(self) -> int | None:
        """The process id, or None."""
        pid: int | None = _server._forkserver_pid  # noqa: SLF001
        return pid

    def is_alive(self) -> bool:
        """Tell whether it runs. Does not collect it: that is for :meth:`start` and :meth:`stop`."""
        if self.pid is None:
            return False
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        return False

    def stop(self) -> None:
        """End it and collect it."""
        if self.pid is None:
            return
        os.close(_server._forkserver_alive_fd)  # noqa: SLF001 - what asks it to end
        _collect(self.pid)
        _server._forkserver_pid = _server._forkserver_alive_fd = _server._forkserver_address = None  # noqa: SLF001
        multiprocess.process.current_process()._config["tempdir"] = None  # noqa: SLF001

    def error(self) -> str | None:
        """Give the traceback of a preload that failed."""
        with contextlib.suppress(OSError):
            return (self._folder / preload.ERROR_FILE).read_text(encoding="utf-8")
        return None


def _collect(pid: int) -> None:
    until = time.monotonic() + _STOP_SECONDS
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.002)


def _top_folder() -> Path:
    # On Python 3.11 the fork server's preload is not told sys.path.
    return Path(next(iter(hosts.__path__))).resolve().parent


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    # The child inherits the blocked signals: a Ctrl-C cannot end it before its preload ignores them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def main_module_hidden() -> Iterator[None]:
    """Keep multiprocess from running the program's main script again in every child: they need nothing of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
