"""``pirace litmus``: from files to what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import click

from hosts.cli.errors import Failure
from hosts.cli.loops import have_loops
from hosts.litmus.errors import LitmusError
from hosts.litmus.outcome import Finals, IncompleteError, MemoryModel, Outcome, run
from hosts.litmus.read import read_file
from hosts.litmus.render import lines, name
from hosts.litmus.syntax import Address
from hosts.report.exits import EXIT_FAULT, EXIT_UNEXPECTED, EXIT_USAGE


def litmus_command(
    files: Sequence[str], memory_model: MemoryModel = "tso", json_file: str | None = None, finals: Finals | None = None
) -> int:
    """Run each file; print what it comes to, or the one line that says what is wrong with it; give the exit status."""
    status = 0
    with ExitStack() as stack:
        write = None
        if json_file is not None:
            from hosts.cli.stress import command, json_to
            from hosts.report.environment import environment
            from hosts.report.jsonl import environment_record

            write = stack.enter_context(json_to(json_file))
            if write is not None:
                write.write(environment_record(environment(0, 0.0, "unpinned", command())))
        for file in files:
            try:
                test = read_file(file)
                if finals is None:
                    have_loops()
                outcome = run(test, memory_model, finals)
            except LitmusError as error:
                line = f":{error.line}" if error.line else ""
                click.echo(f"{file}{line}: {error.reason}", err=True)
                status = EXIT_USAGE
                continue
            except IncompleteError as error:
                raise Failure(f"{file}: the explorer did not get to the end: {error}", EXIT_FAULT) from None
            for each in lines(outcome):
                click.echo(each)
            if write is not None:
                write.write(dict(record(file, memory_model, outcome)))
            if not outcome.ok:
                status = max(status, EXIT_UNEXPECTED)
    return status


def record(file: str, memory_model: MemoryModel, outcome: Outcome) -> Iterator[tuple[str, Any]]:
    """Give what a test came to, for programs."""
    test = outcome.test
    yield "record", "litmus"
    yield "host", "explorer"
    yield "file", file
    yield "test", test.name
    yield "arch", test.arch
    yield "model", memory_model
    yield "quantifier", test.question.quantifier
    yield "ok", outcome.ok
    yield "observation", outcome.observation
    yield "witnesses", outcome.witnesses
    shown = [
        {name(place, test.arch): value.name if isinstance(value, Address) else value for place, value in state}
        for state in outcome.states
    ]
    yield "states", shown
