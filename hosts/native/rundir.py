"""One folder for the temporary files of a run, removed by whoever is left, swept by the next start if nobody is.

The only file that has to be there is the fork server's socket; it lies in a folder of mode 0700, since whoever can
write to it can have any code run. A locked file in the folder says that its owner lives: a lock goes with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Final

PREFIX: Final = "pirace-"
LOCK: Final = "lock"
_FRESH_SECONDS: Final = 60.0
"""A folder without a lock file and younger than this is being made."""
_LONGEST: Final = 70
"""A socket's path ends at 107 bytes, and multiprocess adds a name of its own."""


def base_folder() -> Path:
    """Give the folder for temporary folders: the user's choice, unless a socket's path would not fit there."""
    chosen = Path(tempfile.gettempdir())
    return chosen if len(os.fsencode(chosen)) <= _LONGEST else Path("/tmp")  # noqa: S108 - mkdtemp makes it private


class RunFolder:
    """The folder of this process's runs."""

    def __init__(self) -> None:
        """Sweep what the dead have left, then make and lock a folder."""
        base = base_folder()
        sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        unlocked = self.path / (LOCK + "-new")
        self._fd = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        unlocked.rename(self.path / LOCK)  # under its final name it was never unlocked

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
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and _is_stale(path, status):
                shutil.rmtree(path, ignore_errors=True)


def _is_stale(path: Path, status: os.stat_result) -> bool:
    try:
        fd = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - status.st_mtime > _FRESH_SECONDS
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
