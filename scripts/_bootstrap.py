"""Makes or refreshes the private .venv, then becomes the command it was given: `_bootstrap.py EXTRAS COMMAND...`.

Called by `_bootstrap.sh` with a Python found fit, once `_stamp.py` has said that the environment is not ready.
Three ways lead to one, so that a Python and either its venv module or any pip are enough: venv with its own pip; venv
without pip and the system's pip; and, where the venv module is missing too, the few files it makes, laid out by hand.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import _stamp
from _environment import (
    FAULT,
    LACKING,
    PYTHON,
    ROOT,
    SetUpError,
    choose_pip,
    install,
    make,
    name_root_in_ascii,
    real_venv,
    run,
    say,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 128 + signal.SIGINT

WHY = {
    "stamp": "nothing finished there yet",
    "root": "the checkout was moved or copied",
    "python": "its Python changed",
    "asked": "PIRACE_PYTHON names another Python",
    "pyproject": "pyproject.toml changed",
    "extras": "packages that this takes besides are missing",
}
MENDED_BY_PIP_ALONE = {"pyproject", "extras"}


@contextlib.contextmanager
def locked() -> Iterator[int]:
    """Hold the lock on .venv, for one start at a time. It goes with its holders, however they end; its file stays."""
    with (ROOT / ".venv.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is setting up .venv: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


@contextlib.contextmanager
def stamp_away(*, given_back: bool) -> Iterator[None]:
    """Take the stamp off while .venv changes; put the old one back if a refresh failed.

    A pip that fails undoes what it began, so the next start, with a network perhaps, need not begin from nothing. A pip
    that is interrupted does not.
    """
    stamp = Path(_stamp.STAMP)
    old = stamp.read_bytes() if given_back else b""
    stamp.unlink(missing_ok=True)
    try:
        yield
    except SetUpError:
        if old:
            stamp.write_bytes(old)
        raise


def set_up(extras: set[str], lock: int) -> None:
    """Bring .venv to what is wanted; the stamp goes first and comes last."""
    cause = _stamp.outdated(extras)
    if cause is None:
        return  # another start has done it
    real_venv()
    refresh = cause in MENDED_BY_PIP_ALONE
    if refresh:
        extras = extras | _stamp.extras_of(_stamp.read())  # `stress-run` does not take the tests' tools away
    pip = choose_pip(refresh=refresh)

    size = "" if refresh else " and 400 MB"
    say(f"setting up .venv with Python {version()} ({WHY[cause]}): takes about a minute{size}")
    began = time.monotonic()
    with stamp_away(given_back=refresh):
        if not refresh or pip is None:
            pip = make(lock, pip)
        install(lock, pip, extras)
        name_root_in_ascii()
    _stamp.write(extras)
    confirm(extras)
    say(f".venv is ready ({time.monotonic() - began:.0f} s)")


def confirm(extras: set[str]) -> None:
    """Hold the new environment against the check that the next start makes; a difference would set up for ever."""
    check = run([PYTHON, "-E", "-s", "-S", _stamp.__file__, ",".join(sorted(extras))])
    if check.status != 0:
        raise SetUpError("the finished .venv does not pass its own check", check.output, FAULT)


def terminated(signum: int, _frame: object) -> NoReturn:
    """Turn SIGTERM, or a terminal that is closed, into an exit that takes pip along."""
    sys.exit(128 + signum)


def main(extras: str) -> int:
    """Set up and return the exit status: 0, or why not."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, terminated)
    try:
        with locked() as lock:
            set_up(set(extras.split(",")) - {""}, lock)
    except SetUpError as error:
        for line in error.last_lines:
            print(line, file=sys.stderr)
        say(str(error))
        return error.status
    except OSError as error:
        say(f"cannot set up .venv: {error}")
        return LACKING
    except KeyboardInterrupt:
        say("set-up interrupted; the next start begins anew")
        return INTERRUPTED
    return 0


def become(command: list[str]) -> NoReturn:
    """Hand this process to the command, SIGPIPE included: Python ignores it, and exec would hand that on."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - a door of this project, as it was called


if __name__ == "__main__":
    if status := main(sys.argv[1]):
        sys.exit(status)
    become(sys.argv[2:])
