"""The output of ``pirace kernel``: a block of lines for each function, and records of the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hosts.loader.c.report import Fate, FunctionReport, Note
from hosts.loader.kernel import bring
from hosts.loader.kernel.bring import NotTaken, Taken
from hosts.loader.kernel.names import CONSTANT
from hosts.loader.user_code import UserCode
from hosts.plural import counted

_ADAPTERS: Final = Path(bring.__file__).parent / "adapters"
_PLAIN: Final = re.compile(r"(\w+)\((?:_\d(?:, _\d)*)?\)")
"""A call that is given the arguments of the C function."""
_LIBRARY: Final = ("lib_", "kernel_", "emu_")


def summary(label: str, taken: Taken, code: UserCode) -> str:
    """Return what was read, and how much of it is taken."""
    refused = sum(each.is_error for each in taken.not_taken)
    said = f"{label}: {counted(len(code.kernel), 'file')} read, {counted(len(taken.forms), 'function')} taken"
    return f"{said}, {refused} refused" if refused else said


def blocks(taken: Taken, root: str) -> Iterator[tuple[str, list[str]]]:
    """Yield a title and lines for each function that was translated or inlined; paths are from ``root`` on."""
    for report in taken.reports:
        if report.fate is not Fate.REFUSED and is_told(report):
            yield _title(report, taken, root), list(_lines(report, root))


def is_told(report: FunctionReport) -> bool:
    """Return whether there is something to say of a function: an adapter is told only if it leaves out or answers."""
    if report.function.startswith("wrap_"):
        return False
    answers = [each for each in report.constants if each.reason not in ("", CONSTANT)]
    return Path(report.file).parent != _ADAPTERS or bool(report.dropped or answers)


def _stands_for(report: FunctionReport, taken: Taken) -> str:
    """Return the name in ``emu/`` of the function whose place one takes; an empty string if it does not."""
    names = (name for name, form in taken.forms.items() if form.whole == report.function)
    return next(names, "") if report.fate is not Fate.REFUSED else ""


def root_of(code: UserCode) -> str:
    """Return the folder that all files of the kernel are in."""
    folders = [str(Path(each.path).absolute().parent) for each in code.kernel]
    return os.path.commonpath(folders) if folders else ""


def short(path: str, root: str) -> str:
    """Return a path as people read it."""
    if Path(path).is_absolute() and Path(path).parent == _ADAPTERS:
        return f"pirace's {Path(path).name}"
    return os.path.relpath(path, root) if root else path


def _title(report: FunctionReport, taken: Taken, root: str) -> str:
    """Return where a function is and what became of it."""
    place = f"{short(report.file, root)}:{report.line}"
    name = _stands_for(report, taken)
    if not name:
        return f"{report.function}  {place}  {report.fate.value}"
    other = "" if name == report.function else f" in the place of {name}"
    return f"{report.function}  {place}  taken{other}"


def _lines(report: FunctionReport, root: str) -> Iterator[str]:
    """Yield what was decided in a function, each kind in the order of its lines."""
    yield from _said(report.directives, "{what}: {became}")
    calls = [_call(each, root) for each in report.calls]
    yield from _said([each for each in calls if each is not None], "{what} {became}")
    yield from _said(report.dropped, "{what} is left out")
    yield from _said([each for each in report.constants if each.reason != CONSTANT], "{what} is {became}")
    yield from _said(report.remarks, "{what} {became}")


def _said(notes: Iterable[Note], form: str) -> Iterator[str]:
    for note, lines in _grouped(notes):
        reason = f": {note.reason}" if note.reason else ""
        yield f"  {_numbers(lines)}: {form.format(what=note.what, became=note.became)}{reason}"


def _call(note: Note, root: str) -> Note | None:
    """Return a call as it is told: by which function of emu it is done, or where its own function is."""
    what = note.what
    for prefix in _LIBRARY:
        what = what.removeprefix(prefix)
    place, _, line = note.reason.rpartition(":")
    if line.isdigit():
        if Path(place).parent == _ADAPTERS:
            return replace(note, what=what, became="goes to this machine's, with other parameters", reason="")
        became = "is inlined" if note.became == "inlined" else f"is the kernel's, {note.became}"
        return replace(note, what=what, became=f"{became}, from {short(place, root)}:{line}", reason="")
    plain = _PLAIN.fullmatch(note.became)
    name = plain[1] if plain is not None else re.sub(r"\b_(\d)\b", "...", note.became)
    return replace(note, what=what, became="is emu's" if name == what else f"is emu's {name}")


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
    name = _stands_for(report, taken)
    return {
        "record": "kernel-function",
        "function": report.function,
        "name": name or report.name,
        "file": report.file,
        "line": report.line,
        "fate": "taken" if name else report.fate.value,
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
