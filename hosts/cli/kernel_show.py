"""The output of ``pirace kernel``: a block of lines for each function, and records of the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hosts.loader.c.report import Fate, FunctionReport, Note
from hosts.loader.kernel.bring import NotTaken, Taken
from hosts.loader.user_code import UserCode
from hosts.plural import counted


def summary(label: str, taken: Taken, code: UserCode) -> str:
    """Return what was read, and how much of it is taken."""
    refused = sum(each.is_error for each in taken.not_taken)
    said = f"{label}: {counted(len(code.kernel), 'file')} read, {counted(len(taken.forms), 'function')} taken"
    return f"{said}, {refused} refused" if refused else said


def blocks(taken: Taken) -> Iterator[tuple[str, list[str]]]:
    """Yield a title and lines for each function that was translated or inlined."""
    for report in taken.reports:
        if report.fate is not Fate.REFUSED:
            yield _title(report, taken), list(_lines(report))


def _title(report: FunctionReport, taken: Taken) -> str:
    """Return where a function is and what became of it."""
    place = f"{report.file}:{report.line}"
    if report.name in taken.forms:
        form = taken.forms[report.name]
        other = "" if form.function == report.name else f" in the place of {report.name}"
        return f"{form.function}  {place}  taken{other}"
    return f"{report.function}  {place}  {report.fate.value}"


def _lines(report: FunctionReport) -> Iterator[str]:
    """Yield what was decided in a function, each kind in the order of its lines."""
    for kind, notes in _kinds(report):
        for note, lines in _grouped(notes):
            became = f" {note.became}" if note.became else ""
            reason = f": {note.reason}" if note.reason else ""
            yield f"  {_numbers(lines)}: {kind.format(what=note.what, became=became.strip())}{reason}"


def _kinds(report: FunctionReport) -> Iterator[tuple[str, list[Note]]]:
    yield "#if {what}: {became}", report.directives
    yield "{what} is {became}", report.calls
    yield "{what} is left out", report.dropped
    yield "{what} is {became}", report.constants
    yield "{what} {became}", report.remarks


def _grouped(notes: Iterable[Note]) -> Iterator[tuple[Note, list[int]]]:
    """Yield what is said of several lines once."""
    groups: dict[tuple[str, str, str], tuple[Note, list[int]]] = {}
    for note in sorted(notes):
        _, lines = groups.setdefault((note.what, note.became, note.reason), (note, []))
        if note.line not in lines:
            lines.append(note.line)
    yield from groups.values()


def _numbers(lines: list[int]) -> str:
    return ", ".join(map(str, sorted(lines)))


def not_taken_lines(taken: Taken) -> Iterator[str]:
    """Yield why functions that the kernel has are not taken; those with one reason together."""
    refused = [each for each in taken.not_taken if each.is_error]
    if refused:
        yield "refused (this machine's own functions stay):"
        yield from (f"  {each.name}: {each.error}" for each in refused)
    rest: dict[str, list[NotTaken]] = {}
    for each in taken.not_taken:
        if not each.is_error:
            rest.setdefault(each.reason, []).append(each)
    if rest:
        yield "never taken:"
        for reason, several in rest.items():
            yield f"  {', '.join(each.name for each in several)}: {reason}"


# --- records -----------------------------------------------------------------------------------------------------


def function_record(report: FunctionReport, taken: Taken) -> dict[str, Any]:
    """Return the record of one function."""
    return {
        "record": "kernel-function",
        "function": report.function,
        "name": report.name,
        "file": report.file,
        "line": report.line,
        "fate": "taken" if report.name in taken.forms and report.fate is Fate.TRANSLATED else report.fate.value,
        "why": report.refusal,
        "calls": [_note(each) for each in report.calls],
        "dropped": [_note(each) for each in report.dropped],
        "directives": [_note(each) for each in report.directives],
        "constants": [_note(each) for each in report.constants],
    }


def records_of_not_taken(taken: Taken) -> Iterator[dict[str, Any]]:
    """Yield the records of functions that stay this machine's own, besides those with a report."""
    told = {report.name for report in taken.reports}
    for each in taken.not_taken:
        if each.name not in told:
            yield {
                "record": "kernel-function",
                "function": each.signature.name,
                "name": each.name,
                "file": each.signature.file,
                "line": each.signature.line,
                "fate": "refused" if each.is_error else "not-taken",
                "why": str(each.error) if each.error is not None else each.reason,
                **{kind: [] for kind in ("calls", "dropped", "directives", "constants")},
            }


def _note(note: Note) -> dict[str, Any]:
    return {
        "file": note.file,
        "line": note.line,
        "what": note.what,
        "became": note.became,
        "reason": note.reason,
    }
