"""Why a hunk does not apply: the place in the file that is most like it, and the first line that differs there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hosts.loader.kernel.unified_diff import Hunk

_SHOWN: Final = 60
"""Characters of a line that are shown."""


def reason(hunk: Hunk, lines: Sequence[bytes], guess: int, file: str) -> str:
    """Return the reason in one phrase. ``guess``: index of the line at which the hunk should have been."""
    wanted = hunk.side("-")
    if not lines:
        return f"{file} is empty"
    if wanted[0].endswith(b"\n") and lines[0].endswith(b"\r\n") != wanted[0].endswith(b"\r\n"):
        return f"the lines of {file} end in {'CR LF' if lines[0].endswith(_CRLF) else 'LF'}, those of the patch do not"
    at, alike = _most_alike(wanted, lines, guess)
    if 3 * alike < len(wanted):
        return f"its lines are nowhere in {file}; is it a patch for another tree?"
    for index, text in enumerate(wanted):
        there = lines[at + index] if at + index < len(lines) else None
        if there != text:
            return _difference(file, at + index + 1, there, text)
    return f"its lines are in {file} at line {at + 1}, but above those of the hunk before it"


_CRLF: Final = b"\r\n"


def _most_alike(wanted: Sequence[bytes], lines: Sequence[bytes], guess: int) -> tuple[int, int]:
    """Return the place with most of the lines wanted, of several the one nearest to the guess, and how many it has."""
    places: dict[bytes, list[int]] = {}
    for index, text in enumerate(wanted):
        places.setdefault(text, []).append(index)
    alike: dict[int, int] = {}
    for at, text in enumerate(lines):
        for index in places.get(text, ()):
            if at >= index:
                alike[at - index] = alike.get(at - index, 0) + 1
    if not alike:
        return 0, 0
    at = min(alike, key=lambda each: (-alike[each], abs(each - guess)))
    return at, alike[at]


def _difference(file: str, number: int, there: bytes | None, wanted: bytes) -> str:
    if there is None:
        return f"{file} ends before {_text(wanted)}"
    if there.split() == wanted.split():
        return f"{file}:{number} has other blanks or another line end than the patch: {_text(wanted)}"
    return f"{file}:{number} is {_text(there)}, and the patch has {_text(wanted)}"


def _text(line: bytes) -> str:
    text = " ".join(line.decode("utf-8", "replace").split())
    return f"'{text[:_SHOWN]}...'" if len(text) > _SHOWN else f"'{text}'"
