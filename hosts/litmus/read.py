"""Reading a test file: heading, metadata, and its three parts, as herd7 divides a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from hosts.litmus.assembly import read_threads
from hosts.litmus.errors import LitmusError
from hosts.litmus.final_condition import observed_places, read_final_condition
from hosts.litmus.initial import read_initial
from hosts.litmus.registers import Arch
from hosts.litmus.syntax import Place, Register, Test
from hosts.litmus.tokens import Cursor, without_comments
from hosts.reading import read_bytes

HEADING: Final = re.compile(r"[ \t\r]*(\w+)(?:[ \t\r]+([\w/.+:\[\]-]+))?", re.ASCII)
AFTER_NAME: Final = re.compile(r'[ \t\r]*(?:\([^()\n]*\)[ \t\r]*)?(?:\s*"[^"]*"[ \t\r]*)?;?')
"""A name for printing and the documentation, which may begin in the next line."""
UNNAMED: Final = "--"
"""What herd7 takes for no name; it wants one or the other."""
MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""What some editors put in front of a text."""
METADATA: Final = re.compile(r"[^{\n]*\n|[ \t]*[A-Za-z][\w/.-]*[ \t]*=[^\n]*\n")
FINAL_CONDITION: Final = re.compile(
    r"\b(?:final|forall|exists|cases|observed|Observed|locations|filter)\b|~[ \t]*exists\b"
)


def read_file(file: str) -> Test:
    """Read a file; comments may be in any encoding, the rest of a test is ASCII."""
    try:
        content = read_bytes(file)
    except OSError as error:
        raise LitmusError(0, error.strerror or str(error)) from None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return read_test(text.removeprefix(MARK), Path(file).stem)


def read_test(text: str, name: str = "") -> Test:
    """Read a test, called ``name`` if its heading has none; LitmusError says what is not read, and where."""
    heading = HEADING.match(text)
    if heading is None:
        raise LitmusError(1, "a heading is wanted: X86 NAME or X86_64 NAME")
    arch = _arch(heading.group(1))
    given = heading.group(2)
    after = AFTER_NAME.match(text, heading.end())
    at = after.end() if after is not None else heading.end()
    text = without_comments(_blank(text, 0, at))
    opening = text.find("{", _metadata(text, at))
    if opening < 0:
        raise LitmusError(_line(text, len(text)), "an initial state in braces is wanted")
    closing = _closing(text, opening)
    asked = FINAL_CONDITION.search(text, closing + 1)
    end = asked.start() if asked is not None else len(text)
    initial = read_initial(_part(text, opening + 1, closing), arch)
    threads = read_threads(_part(text, closing + 1, end), arch)
    final_condition = read_final_condition(_part(text, end, _end(text, end)), arch, initial)
    test = Test(
        arch,
        name if given in (None, UNNAMED) else given,
        initial.types,
        initial.values,
        threads,
        final_condition,
        _line(text, opening),
        initial.arrays,
        initial.lines,
    )
    _check_threads(test)
    return test


def _arch(name: str) -> Arch:
    if name == "X86":
        return "X86"
    if name == "X86_64":
        return "X86_64"
    raise LitmusError(1, f"{name} is not read, only X86 and X86_64")


def _metadata(text: str, at: int) -> int:
    """Return where lines like ``Orig=PodWR Fre``, which nobody reads, are over."""
    while (line := METADATA.match(text, at)) is not None:
        at = line.end()
    return at


def _closing(text: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise LitmusError(_line(text, opening), "this brace is never closed")


def _end(text: str, start: int) -> int:
    """Return where the condition ends: ``<<`` opens what nobody reads."""
    found = text.find("<<", start)
    return found if found >= 0 else len(text)


def _part(text: str, start: int, end: int) -> Cursor:
    return Cursor(text[start:end], _line(text, start))


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def _check_threads(test: Test) -> None:
    """Nothing is said of a thread that is not there."""
    given: set[Place] = {*test.types, *test.initial}
    for where, named in (("the initial state", given), ("the condition", observed_places(test.final_condition))):
        for place in named:
            if isinstance(place, Register) and place.thread >= len(test.threads):
                raise LitmusError(
                    test.line, f"{where} names thread {place.thread}, the last is {len(test.threads) - 1}"
                )
