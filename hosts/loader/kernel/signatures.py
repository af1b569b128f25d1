"""Which functions C files define, and with which parameters and result: found by their shape, without parsing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_DEFINITION: Final = re.compile(
    rb"^(?P<result>[A-Za-z_][\w \t\n*]*?[ \t\n*])(?P<name>[A-Za-z_]\w*)[ \t]*\((?P<parameters>[^;{}()]*)\)\s*\{",
    re.MULTILINE,
)
_COMMENT: Final = re.compile(rb"/\*.*?\*/|//[^\n]*", re.DOTALL)
_NO_RESULT: Final = re.compile(r"\bvoid$")


@dataclass(frozen=True)
class Signature:
    """A function that a file defines."""

    name: str
    file: str
    line: int
    parameters: tuple[str, ...]
    """As they are written."""
    result: str
    body: bytes
    """From its first line to its last."""

    @property
    def gives(self) -> bool:
        """Return whether it has a result."""
        return not _NO_RESULT.search(self.result)


def signatures(files: Iterable[tuple[str, bytes]]) -> dict[str, Signature]:
    """Return the functions that files define by their names; the first file's, if several define one."""
    found: dict[str, Signature] = {}
    for path, content in files:
        for match in _DEFINITION.finditer(content):
            name = match["name"].decode()
            if name not in found:
                found[name] = _signature(path, content, match)
    return found


def _signature(path: str, content: bytes, match: re.Match[bytes]) -> Signature:
    end = content.find(b"\n}", match.end())
    text = " ".join(_COMMENT.sub(b" ", match["parameters"]).decode(errors="replace").split())
    parameters = () if text in ("", "void") else tuple(each.strip() for each in text.split(","))
    line = content.count(b"\n", 0, match.start("name")) + 1
    result = " ".join(match["result"].decode(errors="replace").split())
    body = content[match.start() : end if end >= 0 else len(content)]
    return Signature(match["name"].decode(), path, line, parameters, result, body)
