"""The folder for the temporary files of a run: removed at its end, or by the next start if it was killed.

The only file that has to be there is the fork server's socket; it lies in a folder of mode 0700, since whoever can
write to it can have any code run. The folder itself is locked while its owner lives: the lock goes with the process,
and a removal that is cut off, in whatever order it goes, leaves what the next sweep takes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = ".pirace-run-"
"""Prefix of the folders; one without a living owner is removed."""
_LONGEST: Final = 64
"""A socket's path ends at 107 bytes, and multiprocess adds a name of its own."""


def base_folder() -> Path:
    """Return the folder for temporary folders: the user's choice, unless a socket's path would not fit there."""
    chosen = Path(tempfile.gettempdir())
    return chosen if len(os.fsencode(chosen)) <= _LONGEST else Path("/tmp")  # noqa: S108 - mkdtemp makes it private


class RunFolder:
    """A temporary folder that does not outlive its owner; ``with`` returns its path."""

    def __init__(self) -> None:
        """Sweep what the dead have left, then make and lock a folder."""
        base = base_folder()
        sweep(base)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            fd = _locked(self.path)
            if fd is not None:
                break  # else somebody's sweep was quicker than the lock
        self._fd = fd

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder."""
        if self._fd >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._fd)
            self._fd = -1


def sweep(base: Path) -> None:
    """Remove this user's folders whose owner is gone."""
    for path in base.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            fd = _locked(path)
            if fd is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(fd)


def _locked(path: Path) -> int | None:
    """Lock a folder, and return the descriptor of the lock; None if it is locked, or the folder is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), path.lstat()):  # it was not removed before it was locked
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(fd)
        raise
    os.close(fd)
    return None
