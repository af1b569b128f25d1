"""``pirace kernel``: what is understood of a kernel's C functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from hosts.cli.kernel_python import beside
from hosts.cli.kernel_show import (
    blocks,
    function_record,
    is_told,
    not_taken_lines,
    records_of_not_taken,
    root_of,
    summary,
)
from hosts.cli.records import records_to
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.kernel.bring import Taken, check_taken, take
from hosts.loader.kernel.sources import label_of
from hosts.loader.program import PolicyError, protocol_scope
from hosts.loader.user_code import CodeSpec, UserCode, read_code
from hosts.terminal import put, room, say, wide_console


def kernel_command(
    path: str,
    *,
    only: Sequence[str] = (),
    stubs: Sequence[str] = (),
    as_python: bool = False,
    json_file: str | None = None,
) -> int:
    """Read the kernel's files, say what is understood of them, and return the exit status."""
    spec = CodeSpec(kernel=path, only=tuple(only), stubs=tuple(stubs))
    try:
        code = read_code(spec)
        assert code is not None  # noqa: S101 - a path was given
        taken = take(code, *protocol_scope())
    except PolicyError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    with records_to(json_file, [each.path for each in code.kernel]) as records:
        show(wide_console(), taken, code, as_python=as_python)
        records.environment()
        for report in (each for each in taken.reports if is_told(each)):
            records.write(function_record(report, taken))
        for record in records_of_not_taken(taken):
            records.write(record)
    try:
        check_taken(taken, code)
    except PolicyError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    return 0


def show(console: Console, taken: Taken, code: UserCode, *, as_python: bool) -> None:
    """Print everything."""
    say(console, summary(label_of(str(code.spec.kernel)), taken, code))
    for title, lines in blocks(taken, root_of(code)):
        say(console, "")
        say(console, title, "bold")
        for line in lines:
            say(console, line, hanging=" " * 8)
    if as_python:
        contents = {each.path: each.content for each in code.kernel}
        for row in beside(taken, contents, console.width if room(console) else None, root_of(code)):
            put(console, row)
    say(console, "")
    for said in not_taken_lines(taken):
        say(console, said)
