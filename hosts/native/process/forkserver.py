"""multiprocess's fork server, as this host needs it: preloaded, in a private folder, stoppable, ignoring SIGINT.

The module-level server object of multiprocess is what its processes are started through; its fields are used here
because it has no interface to stop it. The names are checked at import, so another version fails at once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import multiprocess
import multiprocess.connection
import multiprocess.forkserver
import multiprocess.process
import multiprocess.resource_tracker

import hosts
from hosts.native.process import preload
from hosts.signals import STOPPING

Lost = Callable[[int, int], None]
"""Called with the process id of a fork server that died unasked, and its exit code (a signal's number, negated)."""

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

    def __init__(self, root: Root, folder: Path, lost: Lost | None = None) -> None:
        """Note what to load; nothing runs yet. ``lost`` is called from another thread when the server dies unasked."""
        self._folder = folder
        self._lost = lost
        self._watch: threading.Thread | None = None
        self._death: int | None = None
        self._own: int | None = None
        """The process id of the one started here."""
        self._asked: frozenset[int] = frozenset()
        self._wanted = json.dumps({"loader": root.loader, "argument": root.argument, "folder": str(folder)})

    def start(self) -> bool:
        """Start it if it is not running, and return whether it had died. It still loads then.

        RuntimeError if another one runs: multiprocess has one for each process, and would take that, and its program.
        """
        if self.is_alive() and self._own != self.pid:
            raise RuntimeError("this process has the fork server of another program already")
        if self._death is not None and self.is_alive():
            return False
        died = self.pid is not None and not self.is_alive()
        self._forget()
        config = multiprocess.process.current_process()._config  # noqa: SLF001
        config["tempdir"] = str(self._folder)  # where its socket goes
        multiprocess.forkserver.set_forkserver_preload([preload.__name__])
        path = os.pathsep.join(filter(None, [str(_top_folder()), os.environ.get("PYTHONPATH")]))
        # What lies in the folder where one happens to be is not to be imported: it may bear the name of any module.
        given = {preload.ENVIRONMENT: self._wanted, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
        with _environment(given), _signals_blocked():
            # The start of the resource tracker ends with signals unblocked, and the start of the fork server begins
            # with it, unless it runs already: the fork server would inherit that.
            multiprocess.resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
            multiprocess.forkserver.ensure_running()
            self._own = self.pid
            self._note()
        return died

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Start processes meanwhile by this very fork server, or raise EOFError.

        multiprocess would start another one in its place, without a root and without a word about the first.
        """
        _server.ensure_running = self._insist
        try:
            yield
        finally:
            del _server.ensure_running  # the class's own shows again

    def _insist(self) -> None:
        if not self.is_alive():
            raise EOFError("it is gone")

    def _note(self) -> None:
        """Open a pidfd of the server just started: it is not reaped before, so the number is its own."""
        pid = self.pid
        if pid is None:
            return
        self._death = os.pidfd_open(pid)
        if self._lost is None:
            return
        watch = threading.Thread(target=self._await_death, args=(pid, self._lost), daemon=True)
        try:
            watch.start()
        except RuntimeError as error:
            self._forget()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        self._watch = watch

    def _await_death(self, pid: int, lost: Lost) -> None:
        with contextlib.suppress(ChildProcessError):  # somebody else has collected it
            end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            if end is None:
                return
            status = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
            if status not in self._asked:
                lost(pid, status)

    def _forget(self) -> None:
        """Release the handles of a dead server, once its death has been reported."""
        if self._watch is not None:
            self._watch.join()
        if self._death is not None:
            os.close(self._death)
        self._watch = self._death = None

    def wait_dead(self, seconds: float) -> bool:
        """Wait until the server is dead, for so many seconds at most; return whether it is."""
        return self._death is not None and bool(multiprocess.connection.wait([self._death], seconds))

    @property
    def pid(self) -> int | None:
        """The process id, or None before the start."""
        pid: int | None = _server._forkserver_pid  # noqa: SLF001
        return pid

    def is_alive(self) -> bool:
        """Return whether it runs. Does not reap it: that is for :meth:`start` and :meth:`stop`."""
        if self.pid is None:
            return False
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        return False

    def stop(self) -> None:
        """End the server and reap it."""
        pid = self.pid
        if pid is None:
            return
        # By how it ended, not by whether it lived: a killed one is no zombie before its descriptors are closed.
        self._asked = frozenset({0})
        os.close(_server._forkserver_alive_fd)  # noqa: SLF001 - what asks it to end
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            if not self.wait_dead(_STOP_SECONDS):
                self._asked |= {-signal.SIGKILL}
                os.kill(pid, signal.SIGKILL)
            self._forget()
            os.waitpid(pid, 0)
        self._asked = frozenset()
        _server._forkserver_pid = _server._forkserver_alive_fd = _server._forkserver_address = None  # noqa: SLF001
        multiprocess.process.current_process()._config["tempdir"] = None  # noqa: SLF001

    def error(self) -> str | None:
        """Return the traceback of a preload that failed."""
        with contextlib.suppress(OSError):
            return (self._folder / preload.ERROR_FILE).read_text(encoding="utf-8")
        return None


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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
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
