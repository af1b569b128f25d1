"""The folder of compiled programs: one folder for each, named by the hash of all that it was made from.

A program is written into a temporary folder beside the others and renamed when it is complete, so a folder with a
final name is whole. Locks go with their process: a user of a program holds its folder's lock shared, and to
remove one takes the lock exclusively. The lock on building saves work and no more: two builds at once disturb nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

KEPT: Final = 8
"""Programs that are kept: the user's last policies."""

_LOCK: Final = "lock"
_BUILDING: Final = ".building-"
_ROOM_BYTES: Final = 4 << 20
"""What a program may take at the most."""
_FRESH_SECONDS: Final = 60.0
"""A temporary folder without a lock file and younger than this is only just being made."""


class CacheError(Exception):
    """The folder of compiled programs cannot be used."""


def default_folder() -> Path:
    """Return the user's folder for what can be made again."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if chosen.startswith("/") else Path.home() / ".cache"
    return base / "pirace"


class Cache:
    """The compiled programs of one user."""

    def __init__(self, folder: Path | None = None) -> None:
        """Nothing is made or looked at yet."""
        self.folder = default_folder() if folder is None else folder

    def find(self, key: str) -> Entry | None:
        """Return the program of that key if it is there; it stays there while the entry is open."""
        path = self.folder / key
        try:
            fd = os.open(path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        fcntl.flock(fd, fcntl.LOCK_SH)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(fd), (path / _LOCK).stat()):  # it was not removed before the lock was ours
                with contextlib.suppress(OSError):  # what cannot be written to can be used
                    os.utime(path)
                return Entry(path, fd)
        os.close(fd)
        return None

    @contextlib.contextmanager
    def building(self) -> Iterator[Path]:
        """Return a temporary folder, gone at the end unless :meth:`keep` took it; CacheError if it cannot be had."""
        with self._writable():
            self._sweep()
            path = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=self.folder))
        try:
            with self._writable():
                _reserve(path)
                unlocked = path / (_LOCK + "-new")
                fd = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH)
                unlocked.rename(path / _LOCK)  # under its final name it was never unlocked while its owner lived
                yield path
            finally:
                os.close(fd)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        """Make the folder if need be; what the system refuses becomes one CacheError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise CacheError(
                f"compiled programs are kept in {self.folder}, which cannot be written to ({error.strerror}): "
                "set XDG_CACHE_HOME to a folder that can"
            ) from error

    def keep(self, path: Path, key: str) -> None:
        """Rename a complete temporary folder to its final name; if another build was faster, its result stands."""
        with contextlib.suppress(OSError):
            path.rename(self.folder / key)
        self._prune()

    def others(self) -> list[Path]:
        """Return the folders of all programs, the last used first."""
        found: list[tuple[float, Path]] = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                if not path.name.startswith(".") and path.is_dir():
                    found.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(found, reverse=True)]

    @contextlib.contextmanager
    def one_builder(
        self, patience: float, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[Callable[[], None] | None]:
        """Wait for another build to end, but not for ever: one that is stopped holds its lock.

        Yields what the builder calls as a sign of life, for which others wait ``patience`` seconds each time;
        None if the lock was not got.
        """
        with self._writable():
            fd = os.open(self.folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            locked = _locked_within(fd, 0.0)
            if not locked:
                on_wait()
                locked = _locked_within(fd, patience)
            yield (lambda: os.utime(fd)) if locked else None
        finally:
            os.close(fd)

    def _prune(self) -> None:
        for path in self.others()[KEPT:]:
            _remove_unused(path)

    def _sweep(self) -> None:
        for path in self.folder.glob(_BUILDING + "*"):
            with contextlib.suppress(OSError):
                if (path / _LOCK).exists() or time.time() - path.stat().st_mtime > _FRESH_SECONDS:
                    _remove_unused(path)


class Entry:
    """A compiled program that nobody removes until this is closed."""

    def __init__(self, path: Path, fd: int) -> None:
        """Own the lock behind ``fd``."""
        self.path = path
        self._fd = fd

    def close(self) -> None:
        """Release the entry: other processes may remove it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Remove it: its content turned out to be broken. Who has loaded it is not disturbed."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()


def _locked_within(fd: int, patience: float) -> bool:
    begun = time.time()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alive = min(max(os.fstat(fd).st_mtime, begun), time.time())
            if time.time() - alive >= patience:
                return False
            time.sleep(0.02)
        else:
            return True


def _reserve(folder: Path) -> None:
    """Check that there is room before anything is compiled."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)


def _remove_unused(path: Path) -> None:
    try:
        fd = os.open(path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)
