"""Reading of files that a user names: once and whole, or refused with an OSError of one line."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 64 << 20
"""No file that is meant is larger: a witness of some thousand steps has a few million bytes."""

_NOT_PLAIN: Final = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def read_bytes(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """Read a file. OSError, also of what is no plain file: a pipe may say nothing for ever, a device never end."""
    size = os.stat(path).st_size  # noqa: PTH116 - a path, or text
    content = read_head(path, 0 if size > most else most + 1)
    if max(size, len(content)) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MB: not what is meant here")
    return content


def read_head(path: str | Path, size: int) -> bytes:
    """Read so much of a file, or all; OSError, as :func:`read_bytes`."""
    _check_plain(os.stat(path).st_mode)  # noqa: PTH116 - a path, or text
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
        _check_plain(os.fstat(fd).st_mode)
        return file.read(size)


def read_text(path: str | Path, most: int = MOST_BYTES) -> str:
    """Read a text; OSError, also of one that is empty, or not UTF-8."""
    content = read_bytes(path, most)
    if not content.strip():
        raise OSError(errno.ENODATA, "the file is empty")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OSError(errno.EILSEQ, f"line {line} is no text (UTF-8 is read)") from None


def _check_plain(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _NOT_PLAIN if is_kind(mode)), "a device")
        raise OSError(errno.EINVAL, f"this is {kind}; a file is wanted")
