"""Reads a unified diff, plain or of git, out of the text that stands around it.

A parser of its own, as each error has to name a line of the patch, and nothing may be left out silently: the libraries
that read diffs pass over what they do not know (a combined diff, lines after a hunk that its header does not count).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NoReturn

from hosts.loader.kernel.mail_text import Line, lines_of
from hosts.loader.syntax.language import PolicyError


@dataclass(frozen=True)
class Hunk:
    """One hunk: the lines of both sides, in their order, with the mark of each (``' '``, ``'-'``, ``'+'``)."""

    number: int
    """From 1, in its file."""
    line: int
    """Of the patch."""
    old_start: int
    new_start: int
    body: tuple[tuple[str, bytes], ...]

    def side(self, mark: str) -> list[bytes]:
        """Return the lines of one side: ``-`` what was there, ``+`` what comes."""
        return [text for each, text in self.body if each in (" ", mark)]

    def reversed(self) -> Hunk:
        """Return the hunk that takes this one back."""
        body = tuple((_OTHER.get(mark, mark), text) for mark, text in self.body)
        return Hunk(self.number, self.line, self.new_start, self.old_start, body)

    def without_returns(self) -> Hunk:
        """Return the hunk with its lines ending in LF alone."""
        body = tuple((mark, text[:-2] + b"\n" if text.endswith(b"\r\n") else text) for mark, text in self.body)
        return replace(self, body=body)


@dataclass
class FileDiff:
    """What a patch does with one file."""

    line: int
    """Of the patch, where it begins."""
    old: str | None
    """Its name before, as the patch spells it; None: there was none."""
    new: str | None
    """Its name afterwards; None: the file is deleted."""
    moved: Literal["", "rename", "copy"] = ""
    """Whether git says that the content comes from the old name; of a copy the old file stays."""
    returns: bool = False
    """Whether its lines end in CR LF, be it on its way or because those of the file do."""
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Return whether it does anything with contents and names; a mode is neither."""
        return bool(self.hunks or self.moved) or self.old is None or self.new is None


_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_OTHER: Final = {"-": "+", "+": "-"}
_NO_FILE: Final = "/dev/null"
_DATE: Final = re.compile(r"\s+\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*$")
_NEVER: Final = re.compile(r"\s(?:19(?:69|70)-\d\d-\d\d \d\d:\d\d:\d\d|Thu Jan +1 00:00:00 1970)")
"""How ``diff -N`` dates a file that there is not."""
_REFUSED: Final = (
    (re.compile(rb"diff --(?:cc|combined) |@@@+ -"), "a combined diff, of a merge: make one against a single parent"),
    (re.compile(rb"GIT binary patch|Binary files .* differ"), "a binary patch is not read"),
    (re.compile(rb"(?:new|deleted) file mode 1[26]0000|(?:old|new) mode 1[26]0000"), "a link or submodule is not read"),
)
_CONTEXT_DIFF: Final = re.compile(rb"\*{15}\r?\n\*\*\* \d", re.MULTILINE)
_ESCAPES: Final = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, '"': 34, "\\": 92}


def read_diff(name: str, content: bytes) -> list[FileDiff]:
    """Return what a patch does, file by file; PolicyError (``name:line: reason``) if it cannot be read."""
    reader = _Reader(name, lines_of(name, content))
    files = [each for each in reader.files() if each.changes]
    if not files:
        context = "a context diff is not read" if _CONTEXT_DIFF.search(content) else "there is no patch in it"
        raise PolicyError(name, 1, f"{context}; give a unified diff, as diff -u or git make it")
    return files


class _Reader:
    """Goes over the lines once."""

    def __init__(self, name: str, lines: Sequence[Line]) -> None:
        self._name = name
        self._lines = lines
        self._at = 0
        self._found: list[FileDiff] = []

    def files(self) -> list[FileDiff]:
        """Return the files of the patch."""
        current: FileDiff | None = None
        while self._at < len(self._lines):
            number, text = self._lines[self._at]
            self._check(number, text)
            if text.startswith(b"diff --git "):
                current = self._git_header()
            elif self._names_files():
                current = self._file_names()
            elif _HUNK.match(text):
                if current is None:
                    self._refuse(number, "a hunk without the names of its file ('--- ', '+++ ') before it")
                current.hunks.append(self._hunk(len(current.hunks) + 1))
            else:
                self._at += 1
        return self._found

    def _refuse(self, number: int, reason: str) -> NoReturn:
        raise PolicyError(self._name, number, reason)

    def _check(self, number: int, text: bytes) -> None:
        """Refuse what is a patch, but none that is read here."""
        for pattern, reason in _REFUSED:
            if pattern.match(text):
                self._refuse(number, reason)

    def _text(self, ahead: int = 0) -> bytes:
        at = self._at + ahead
        return self._lines[at].text if at < len(self._lines) else b""

    # --- headers -------------------------------------------------------------------------------------------------

    def _git_header(self) -> FileDiff:
        """Read ``diff --git`` and the lines of git's own below it."""
        number, text = self._lines[self._at]
        before, after = _git_names(_decoded(text[len(b"diff --git ") :]))
        made = FileDiff(number, before, after, returns=text.endswith(b"\r\n"))
        self._found.append(made)
        self._at += 1
        while (match := _GIT_LINE.match(self._text())) is not None:
            self._check(self._lines[self._at].number, self._text())
            _obey(made, match[1].decode(), _unquoted(_decoded(match[2])))
            self._at += 1
        if self._names_files():  # the same names once more, in a form that is never ambiguous
            old, new = _file_name(self._text()[4:]), _file_name(self._text(1)[4:])
            made.old = made.old and (old or made.old)
            made.new = made.new and (new or made.new)
            self._at += 2
        return made

    def _names_files(self) -> bool:
        """Return whether two names and a hunk follow; what else begins with three dashes is text."""
        return (
            self._text().startswith(b"--- ")
            and self._text(1).startswith(b"+++ ")
            and _HUNK.match(self._text(2)) is not None
        )

    def _file_names(self) -> FileDiff:
        """Read the ``---`` and ``+++`` of a plain diff."""
        number, text = self._lines[self._at]
        old, new = _file_name(text[4:]), _file_name(self._text(1)[4:])
        made = FileDiff(number, old, new, returns=text.endswith(b"\r\n"))
        if made.old is None and made.new is None:
            self._refuse(number, "a file that is there neither before nor afterwards")
        self._found.append(made)
        self._at += 2
        return made

    # --- hunks ---------------------------------------------------------------------------------------------------

    def _hunk(self, which: int) -> Hunk:
        """Read a hunk: as many lines of each side as its header says."""
        number, text = self._lines[self._at]
        match = _HUNK.match(text)
        if match is None:  # the caller has looked
            raise AssertionError(text)
        old_start, old_left, new_start, new_left = (1 if part is None else int(part) for part in match.groups())
        body: list[tuple[str, bytes]] = []
        self._at += 1
        while old_left > 0 or new_left > 0:
            mark, text = self._body_line(number, which, old_left, new_left)
            if mark == "\\":
                self._cut_line_end(body)
                continue
            old_left -= mark in " -"
            new_left -= mark in " +"
            body.append((mark, text))
        if min(old_left, new_left) < 0:
            self._miscounted(number, which)
        if self._text().startswith(b"\\"):
            self._at += 1
            self._cut_line_end(body)
        after = self._text()
        if after.startswith(b"+") or (after.startswith(b"-") and not after.startswith(b"--")):
            self._miscounted(number, which)
        if all(mark == " " for mark, _ in body):
            self._refuse(number, f"hunk {which} changes nothing")
        return Hunk(which, number, old_start, new_start, tuple(body))

    def _body_line(self, number: int, which: int, old_left: int, new_left: int) -> tuple[str, bytes]:
        """Return the mark and the text of the next line of a hunk."""
        text = self._text()
        if not text:
            if old_left == new_left <= _CHOPPED:  # blank lines at the end of a file are lost on many ways
                return " ", b"\n"
            self._refuse(number, f"hunk {which} is cut off: the patch ends before the hunk does")
        self._at += 1
        mark = text[:1].decode("latin-1")
        if mark in " -+\\":
            return mark, text[1:]
        if mark not in "\t\n\r":
            what = f"begins with neither blank, '+' nor '-': {text.decode('utf-8', 'replace').strip()[:40]!r}"
            at = self._lines[self._at - 1].number
            self._refuse(at, f"a line of hunk {which} {what}; has the mail program broken long lines?")
        return " ", text  # an editor or a mailer took the blank in front

    def _cut_line_end(self, body: list[tuple[str, bytes]]) -> None:
        r"""Obey a ``\ No newline at end of file``, which is about the line before."""
        if body:
            mark, text = body[-1]
            body[-1] = mark, text.removesuffix(b"\n")

    def _miscounted(self, number: int, which: int) -> NoReturn:
        self._refuse(number, f"hunk {which} has other lines than its header counts: was it edited by hand?")


_CHOPPED: Final = 3
_GIT_LINE: Final = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to|similarity index"
    rb"|dissimilarity index|index) (.*)"
)


def _obey(made: FileDiff, what: str, value: str) -> None:
    """Put a line of git's header into what a patch does with a file."""
    if what == "new file mode":
        made.old = None
    elif what == "deleted file mode":
        made.new = None
    elif what in ("rename from", "copy from"):
        made.moved = "copy" if what == "copy from" else "rename"
        made.old = made.old if made.old is not None and _ends_with(made.old, value) else f"a/{value}"
    elif what in ("rename to", "copy to"):
        made.new = made.new if made.new is not None and _ends_with(made.new, value) else f"b/{value}"


def _ends_with(name: str, path: str) -> bool:
    return name == path or name.endswith(f"/{path}")


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape").rstrip("\r\n")


def _file_name(text: bytes) -> str | None:
    """Return the name in a ``---`` or ``+++`` line, without the date; None if it says that there is no such file."""
    said = _decoded(text)
    if said.startswith('"'):
        return _unquoted(said[: said.rfind('"') + 1])
    name, tab, date = said.partition("\t")
    name = _DATE.sub("", name).rstrip()
    return None if name == _NO_FILE or (tab and _NEVER.match(tab + date)) else name


def _git_names(said: str) -> tuple[str, str]:
    """Return both names of ``diff --git a/x b/x``: they are alike up to the prefix, unless further lines say more."""
    if said.startswith('"') or said.endswith('"'):
        quoted = re.findall(r'"(?:[^"\\]|\\.)*"|[^ "]+', said)
        return (_unquoted(quoted[0]), _unquoted(quoted[-1])) if quoted else (said, said)
    half = len(said) // 2
    if said[half : half + 1] == " " and said[:half].partition("/")[2] == said[half + 1 :].partition("/")[2]:
        return said[:half], said[half + 1 :]
    old, _, new = said.partition(" ")
    return old, new


def _unquoted(name: str) -> str:
    """Return a name that git has put into quotes."""
    if len(name) < len('""') or not (name.startswith('"') and name.endswith('"')):
        return name
    raw = bytearray()
    for plain, octal, letter in re.findall(r"([^\\]+)|\\([0-7]{3})|\\(.)", name[1:-1]):
        raw += plain.encode("utf-8", "surrogateescape")
        raw += bytes([int(octal, 8) & 0xFF]) if octal else b""
        raw += bytes([_ESCAPES.get(letter, ord(letter) & 0xFF)]) if letter else b""
    return raw.decode("utf-8", "surrogateescape")
