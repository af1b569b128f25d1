"""``pirace litmus``: runs litmus tests and prints their outcomes."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import click

from hosts.cli.litmus_show import Shown
from hosts.cli.records import Records, records_to
from hosts.errors import Failure
from hosts.exit_codes import EXIT_EXPECTED, EXIT_FAULT, EXIT_UNEXPECTED, EXIT_UNPROVEN, EXIT_USAGE
from hosts.litmus.bounds import Bounds, IncompleteError
from hosts.litmus.errors import LitmusError
from hosts.litmus.files import LitmusFile, litmus_files
from hosts.litmus.outcome import Finals, MemoryModel, Outcome, run
from hosts.litmus.read import read_file
from hosts.litmus.render import lines, name
from hosts.litmus.syntax import Address
from hosts.signals import cancelled_by_interrupts

Why = Literal["refused", "bounded", "fault"]
"""Why a file has no answer."""

EXITS: Final[Mapping[Why, int]] = {"refused": EXIT_USAGE, "bounded": EXIT_UNPROVEN, "fault": EXIT_FAULT}
WORST: Final = (EXIT_FAULT, EXIT_USAGE, EXIT_UNEXPECTED, EXIT_UNPROVEN, EXIT_EXPECTED)
"""Of several exit codes the command returns the first of these."""
BOUNDS: Final = {
    "seconds": "bounded by its time limit, no answer: more --budget",
    "memory": "bounded by its memory limit, no answer: more --memory",
    "room": "bounded, no answer: so long a store buffer does not fit into a state of this search; without --no-reduce",
    "buffer": "bounded, no answer: a loop fills the store buffer without end, as it has neither a fence nor a lock",
}
AT_ONCE: Final = 1000
"""Lines that are printed together."""


@dataclass(frozen=True)
class LitmusOptions:
    """The options of the command."""

    model: MemoryModel = "tso"
    json_file: str | None = None
    reduce: bool = True
    budget_seconds: float = 60.0
    memory_bytes: int = 4 * 10**9
    debug: bool = False


@dataclass(frozen=True)
class Unanswered:
    """A file that has no answer."""

    file: str
    why: Why
    line: int
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.reason}"


class Cancelled(Exception):  # noqa: N818 - nothing is wrong
    """The command was interrupted."""


def litmus_command(files: Sequence[str], options: LitmusOptions | None = None, finals: Finals | None = None) -> int:
    """Run each file; print its outcome, or one line that says why it has none; return the exit status.

    ``finals`` searches instead of what the options say.
    """
    given = options or LitmusOptions()
    with records_to(given.json_file, files) as records:
        records.environment()
        command = _Command(given, finals, records)
        with cancelled_by_interrupts(command.cancel):
            for each in litmus_files(files):
                command.run(each)
    if command.cancelled:
        raise KeyboardInterrupt
    return next(status for status in WORST if status in command.statuses)


class _Command:
    """The files of one command."""

    def __init__(self, given: LitmusOptions, finals: Finals | None, records: Records) -> None:
        self._given = given
        self._finals = finals
        self._records = records
        self.statuses = {EXIT_EXPECTED}
        self.cancelled = False

    def cancel(self) -> None:
        """End the search; the remaining files only get a record."""
        self.cancelled = True

    def run(self, each: LitmusFile) -> None:
        """Run a file and print its outcome, or why it has none."""
        try:
            outcome = self._outcome(each)
        except Cancelled:
            self._records.not_done("litmus", each.file, "cancelled")
        except (LitmusError, IncompleteError, MemoryError) as error:
            self._tell(_unanswered(each.file, error))
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001 - the others are to be run
            if self._given.debug:
                traceback.print_exc()
            hint = "" if self._given.debug else " (--debug shows where)"
            told = f"internal error: {type(error).__name__}: {error}{hint}"
            self._tell(Unanswered(each.file, "fault", 0, told))
        else:
            _print(lines(outcome))
            if self._records.wanted:  # a million states are some seconds' work
                self._records.write(dict(record(each.file, self._given.model, outcome)))
            self.statuses.add(EXIT_EXPECTED if outcome.ok else EXIT_UNEXPECTED)

    def _tell(self, told: Unanswered) -> None:
        """Report a file that has no answer."""
        click.echo(str(told), err=True)
        self.statuses.add(EXITS[told.why])
        self._records.write(unanswered_record(told, self._given.model))

    def _outcome(self, each: LitmusFile) -> Outcome:
        self._go_on()
        if each.error is not None:
            raise each.error
        test = read_file(each.file)
        with ExitStack() as stack:
            shown = Shown(each.file, stack)

            def told(states: int) -> None:
                self._go_on()
                shown(states)

            bounds = Bounds(self._given.budget_seconds, self._given.memory_bytes, told)
            outcome = run(test, self._given.model, self._searching(told), bounds)
        self._go_on()
        return outcome

    def _go_on(self) -> None:
        """Raise Cancelled if the command was interrupted."""
        if self.cancelled:
            raise Cancelled

    def _searching(self, told: Callable[[int], None]) -> Finals | None:
        """Return the search for the final states, if it is not the reduced one."""
        if self._finals is not None or self._given.reduce:
            return self._finals
        from hosts.litmus.unreduced import final_states
        from hosts.runs.search_loops import have_loops

        have_loops()
        return partial(final_states, report=told, reduce=False)


def _unanswered(file: str, error: LitmusError | IncompleteError | MemoryError) -> Unanswered:
    if isinstance(error, LitmusError):
        return Unanswered(file, "refused", error.line, error.reason)
    if isinstance(error, MemoryError):
        return Unanswered(file, "bounded", 0, "bounded by this machine's memory, or a limit: no answer")
    return Unanswered(file, "bounded", 0, BOUNDS[str(error)])


def _print(told: Iterator[str]) -> None:
    """Print many lines, some at once."""
    some: list[str] = []
    for line in told:
        some.append(line)
        if len(some) == AT_ONCE:
            click.echo("\n".join(some))
            some.clear()
    click.echo("\n".join(some))


def record(file: str, memory_model: MemoryModel, outcome: Outcome) -> Iterator[tuple[str, Any]]:
    """Return the record of an outcome."""
    test = outcome.test
    yield "record", "litmus"
    yield "host", "explorer"
    yield "file", file
    yield "test", test.name
    yield "arch", test.arch
    yield "model", memory_model
    yield "quantifier", test.final_condition.quantifier
    yield "ok", outcome.ok
    yield "observation", outcome.observation
    yield "witnesses", outcome.witnesses
    shown = [
        {name(place, test.arch): value.name if isinstance(value, Address) else value for place, value in state}
        for state in outcome.states
    ]
    yield "states", shown


def unanswered_record(told: Unanswered, memory_model: MemoryModel) -> dict[str, Any]:
    """Return the record of a file without an answer."""
    return {
        "record": "litmus-unanswered",
        "file": told.file,
        "model": memory_model,
        "why": told.why,
        "line": told.line or None,
        "reason": told.reason,
    }
