"""The files that a command writes.

Each is opened before the work begins, and what is in it stays until there is something to be written. A failure to
write later ends no work and hides no verdict: it is told at the end, and only an exit status of 0 becomes another.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from hosts.cli.streams import note_unwritten
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.user_code import UserCode, paths_of

STDOUT: Final = "-"


@contextlib.contextmanager
def opened(option: str, path: str, reads: Sequence[str] = ()) -> Iterator[Output]:
    """Open a file that is to be written; Failure. While ``-`` is, what people read goes to the standard error."""
    if path == STDOUT or _is_stream(path, 1):
        if sys.stdout is sys.stderr:
            raise Failure(f"{option} {path}: the standard output is taken by another option", EXIT_USAGE)
        output = Output(f"{option} {path}", sys.stdout)
        with contextlib.redirect_stdout(sys.stderr):
            yield output
        return
    output = Output(f"{option} {path}", *_file(option, path, reads))
    try:
        yield output
    finally:
        output.close(path)


def users_files(code: UserCode | None) -> list[str]:
    """Return the files of a user's own, which the command reads."""
    return list(paths_of(code))


def write_now(option: str, path: str, text: str) -> bool:
    """Write a further file; return whether it was written."""
    try:
        with opened(option, path) as output:
            output.write(text)
            return not output.failed
    except Failure as failure:
        note_unwritten(str(failure))
        return False


class Output:
    """An output file or stream; a write error ends the writing, not the command."""

    def __init__(self, name: str, to: int | IO[str], made: bool = False) -> None:  # noqa: FBT001, FBT002
        """``to``: a file descriptor, or a stream that is open already; ``made``: the file was created."""
        self._name, self._to, self._made = name, to, made
        self._plain = isinstance(to, int) and stat.S_ISREG(os.fstat(to).st_mode)
        self._before = os.fstat(to).st_size if isinstance(to, int) else 0
        self._size = 0
        """Bytes of what has been written whole."""
        self.failed = False

    @property
    def is_file(self) -> bool:
        """Return whether it is a regular file."""
        return self._plain

    def write(self, text: str) -> None:
        """Append text; the first write replaces the old content."""
        if self.failed:
            return
        if not isinstance(self._to, int):
            self._to.write(text)
            self._to.flush()
            return
        data = text.encode()
        try:
            self._put(self._to, data)
            self._size += len(data)
        except OSError as error:
            self._fail(error)
            with contextlib.suppress(OSError):
                os.ftruncate(self._to, self._size or self._before)

    def flush(self) -> None:
        """Do nothing: all is written at once."""

    def close(self, path: str) -> None:
        """Close it, and remove a file that was created and not used."""
        if not isinstance(self._to, int):
            return
        with contextlib.suppress(OSError):
            if self._made and not self._size and os.path.samestat(Path(path).stat(), os.fstat(self._to)):
                Path(path).unlink()
        try:
            os.close(self._to)
        except OSError as error:
            self._fail(error)

    def _put(self, fd: int, data: bytes) -> None:
        if not self._plain:
            while data:
                data = data[os.write(fd, data) :]
            return
        if not self._size:
            _reserve(fd, len(data))
        done = 0
        while done < len(data):
            done += os.pwrite(fd, data[done:], self._size + done)
        if not self._size:
            os.ftruncate(fd, len(data))

    def _fail(self, error: OSError) -> None:
        self.failed = True
        note_unwritten(f"{self._name}: {error.strerror or error}: what it has is not all")


def _reserve(fd: int, size: int) -> None:
    """Allocate space in a file, so that its content is not lost if the new content does not fit."""
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def _file(option: str, path: str, reads: Sequence[str]) -> tuple[int, bool]:
    """Open and lock a file that the command does not read; return its descriptor, and whether it was created."""
    for read in reads:
        with contextlib.suppress(OSError):
            if Path(path).samefile(read):
                raise Failure(f"{option} {path}: this command reads it; choose another file", EXIT_USAGE)
    try:
        if _is_stream(path, 2):
            return os.dup(2), False
        fd, made = _open(path)
    except OSError as error:
        raise Failure(f"{option} {path}: {error.strerror or error}", EXIT_USAGE) from None
    why = _refused(fd)
    if why:
        os.close(fd)
        raise Failure(f"{option} {path}: {why}", EXIT_USAGE)
    return fd, made


def _open(path: str) -> tuple[int, bool]:
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags), False
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o666), True


def _refused(fd: int) -> str:
    """Return why a file must not be written, or nothing."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISBLK(mode):
        return "this is a disk"
    if stat.S_ISREG(mode):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "another run writes it, or it is given twice"
        except OSError:  # no locks on this file system
            return ""
    return ""


def _is_stream(path: str, fd: int) -> bool:
    """Return whether a path is the standard output or error, which must not be opened a second time."""
    try:
        there, here = Path(path).stat(), os.fstat(fd)
    except OSError:
        return False
    return os.path.samestat(there, here) and (not stat.S_ISCHR(here.st_mode) or os.isatty(fd))
