"""The lock of a campaign's folder, so that one soak at a time writes there; it ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from hosts.soak.errors import Busy, Unwritable

LOCK: Final = "lock"
_TRIES: Final = 10
_PAUSE: Final = 0.02
"""Tries and seconds between them: a process that only asks whether the folder is in use holds the lock briefly."""


class FolderLock:
    """The right to write into a campaign's folder."""

    def __init__(self, folder: Path) -> None:
        """Take the lock; Busy if another process holds it."""
        try:
            self._fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            said = "make it writable, or choose another folder (--campaign)"
            raise Unwritable(f"{folder}: cannot be written to: {error.strerror}; {said}") from None
        try:
            self._take(folder)
        except BaseException:
            self.release()
            raise

    def _take(self, folder: Path) -> None:
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE)
            except OSError as error:
                raise Unwritable(f"{folder / LOCK}: cannot be locked: {error.strerror}") from None
            else:
                self._sign()
                return
        raise Busy(f"{folder}: another soak is running there ({_holder(self._fd)}); choose another folder, or end it")

    def _sign(self) -> None:
        """Write the holder's process id into the file: for people, so a full disk does not matter."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _holder(fd: int) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f"process {int(os.pread(fd, 32, 0))}"
    return "its process is not known"


def is_locked(folder: Path) -> bool:
    """Return whether a process holds the lock of a folder."""
    try:
        fd = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
