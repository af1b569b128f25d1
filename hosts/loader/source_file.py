"""A file that a user brings, read once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from hosts.reading import read_bytes


@dataclass(frozen=True)
class SourceFile:
    """A file of the user's, with what it held when it was read."""

    path: str
    read: bytes | OSError | ValueError = field(repr=False)
    """The bytes of the file, or the error with which it could not be read (ValueError: this can be no path)."""

    @property
    def content(self) -> bytes:
        """The bytes of the file; the error with which it could not be read."""
        if isinstance(self.read, bytes):
            return self.read
        raise self.read.with_traceback(None)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content; the error with which the file could not be read."""
        return hashlib.sha256(self.content).hexdigest()


def source_file(path: str) -> SourceFile:
    """Read one file."""
    try:
        return SourceFile(path, read_bytes(path))
    except (OSError, ValueError) as error:
        return SourceFile(path, error.with_traceback(None))
