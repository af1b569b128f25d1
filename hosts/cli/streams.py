"""Standard output and standard error of a command, which may fail as files do; what could not be written is reported.

A full disk or a terminal that is gone ends no work and hides no verdict: it is told at the end, and only an exit status
of 0 becomes another.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_EXPECTED

_unwritten: Final[list[str]] = []
"""What could not be written in this command."""


def note_unwritten(line: str) -> None:
    """Note a file that could not be written, to be reported at the end."""
    _unwritten.append(line)


def told_at_the_end(status: int) -> int:
    """Report on the standard error what could not be written; return the exit status of the command."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    lines = list(dict.fromkeys(_unwritten))
    _unwritten.clear()
    for line in lines:
        with contextlib.suppress(OSError, ValueError):
            click.echo(f"pirace: {line}", err=True)
    return EXIT_ENVIRONMENT if lines and status == EXIT_EXPECTED else status


@contextlib.contextmanager
def streams_that_may_fail() -> Iterator[None]:
    """Discard output that cannot be printed (full disk, closed terminal) instead of failing."""
    before = sys.stdout, sys.stderr
    _unwritten.clear()
    sys.stdout, sys.stderr = (_forgiving(stream) for stream in before)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        sys.stdout, sys.stderr = before


class _Forgiving(io.FileIO):
    """A standard stream that survives write errors. A broken pipe is not one of them: it ends the command."""

    def write(self, data: Any) -> int:
        """Write, or note the error."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            name = "the standard output" if self.fileno() == 1 else "the standard error"
            note_unwritten(f"{name}: {error.strerror or error}")
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def _forgiving(stream: Any) -> Any:
    """Return a stream that survives write errors for one of the process's own, and the null device for a closed one."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - as long as the command
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO or raw.fileno() not in (1, 2):
        return stream
    patient: Any = _Forgiving(raw.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        patient if raw is buffer else io.BufferedWriter(patient),  # by PYTHONUNBUFFERED
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
