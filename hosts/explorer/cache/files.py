"""Cache files: named by a hash of all they were made from, written atomically, and checked when they are read.

A file is written beside its final name and renamed when it is complete. It begins with the hash of its content, so a
truncated or damaged one counts as missing. A process that cannot write goes on without; a file that a killed process
left behind is removed by the next writer.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hosts.compiler.cache import default_folder

MOST_BYTES: Final = 256 << 20
"""Of all files together."""
MOST_FILES: Final = 256
_LOCK: Final = ".lock"
_WRITING: Final = ".writing-"


class Files:
    """A folder of cache files."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.most_files = most_files

    @classmethod
    def of_user(cls, kind: str) -> Files:
        """Return the user's folder for one kind of files."""
        return cls(default_folder() / f".{kind}")

    def read(self, key: str) -> bytes | None:
        """Return what is kept under a key; None if there is nothing, or not what was written."""
        path = self.folder / key
        try:
            content = path.read_bytes()
        except OSError:
            return None
        size = hashlib.sha256().digest_size
        if hashlib.sha256(content[size:]).digest() != content[:size]:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the last used are kept
        return content[size:]

    def write(self, key: str, content: bytes) -> bool:
        """Store content under a key; return whether that was possible. It is not while another process writes."""
        if len(content) > self.most_bytes:
            return False
        path = self.folder / f"{_WRITING}{key}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                self._sweep()
                try:
                    path.write_bytes(hashlib.sha256(content).digest() + content)
                    path.rename(self.folder / key)
                finally:
                    path.unlink(missing_ok=True)
                self._prune()
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the writers' lock; OSError if another process does. The lock ends with its process."""
        fd = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(fd)

    def _sweep(self) -> None:
        """Remove the temporary files of killed writers; the lock is held."""
        for path in self.folder.glob(_WRITING + "*"):
            path.unlink(missing_ok=True)

    def _prune(self) -> None:
        """Remove the files that were not used for the longest, until the others are few and small enough."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                if not path.name.startswith("."):
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        room = self.most_bytes
        for number, (_, size, path) in enumerate(sorted(found, reverse=True)):
            room -= size
            if room < 0 or number >= self.most_files:
                with contextlib.suppress(OSError):
                    path.unlink()
