"""The words of a litmus test, each with its line, and a cursor over them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, NoReturn

from hosts.litmus.errors import LitmusError

PATTERN: Final = re.compile(
    r"""(?P<space>[ \t\r]+)
      | (?P<newline>\n)
      | (?P<immediate>\$-?(?:0[xX][0-9a-fA-F]+|\d+))
      | (?P<number>-?(?:0[xX][0-9a-fA-F]+|\d+))
      | (?P<register>%[A-Za-z_][A-Za-z0-9_]*)
      | (?P<name>[A-Za-z_.](?:[A-Za-z0-9_.-]|/(?!\\))*)
      | (?P<sign>/\\|\\/|=>|==|!=|<>|.)""",
    re.VERBOSE | re.ASCII,
)

LONGEST: Final = 40
"""Letters of a word that are shown; no number that fits has more."""


class Token(NamedTuple):
    """One word. ``kind`` is the name of its group in PATTERN, or ``end``."""

    kind: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"'{shortened(self.text)}'" if self.kind != "end" else "the end of this part"


def without_comments(text: str) -> str:
    """Blank ``(* ... *)``, which may be nested, keeping every line where it is."""
    kept: list[str] = []
    depth = opened = 0
    line = 1
    for piece in re.findall(r"\(\*|\*\)|\n|[^(*\n]+|.", text):
        if piece == "(*":
            depth, opened = depth + 1, opened or line
        elif piece == "*)" and depth:
            depth -= 1
            opened = opened if depth else 0
            kept.append(" ")
        elif piece == "\n":
            line += 1
            kept.append(piece)
        elif not depth:
            kept.append(piece)
    if depth:
        raise LitmusError(opened, "this comment is never closed")
    return "".join(kept)


def shortened(text: str) -> str:
    """Return a word, cut to a length that still identifies it."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def number(token: Token, bits: int = 64) -> int:
    """Return the number that a literal means, which has to fit so many bits, signed or not."""
    text = token.text.lstrip("$")
    if len(text) > LONGEST:
        raise LitmusError(token.line, f"{shortened(text)} does not fit {bits} bits")
    value = int(text, 16 if "x" in text.lower() else 10)
    check_fits(token.line, value, bits)
    return value


def fits(value: int, bits: int) -> bool:
    """Return whether a number is one of so many bits, signed or not."""
    return -(1 << (bits - 1)) <= value < 1 << bits


def check_fits(line: int, value: int, bits: int) -> None:
    """Raise LitmusError if a number does not fit."""
    if not fits(value, bits):
        raise LitmusError(line, f"{value} does not fit {bits} bits")


class Cursor:
    """Goes over the words of a part of a file."""

    def __init__(self, text: str, line: int) -> None:
        self._tokens = _tokens(text, line)
        self._at = 0

    @property
    def line(self) -> int:
        """Return the line of the word to come."""
        return self.lookahead().line

    def lookahead(self, ahead: int = 0) -> Token:
        """Return a token to come, without taking it."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Take the next word."""
        token = self.lookahead()
        self._at += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """Take the next word if it is one of these."""
        return self.take() if self.lookahead().text in texts and self.lookahead().kind != "end" else None

    def expect(self, text: str) -> Token:
        """Take the next word, which has to be this one."""
        return self.accept(text) or self.refuse(f"'{text}'")

    def expect_kind(self, kind: str, what: str) -> Token:
        """Take the next word, which has to be of this kind."""
        return self.take() if self.lookahead().kind == kind else self.refuse(what)

    def refuse(self, wanted: str) -> NoReturn:
        """Raise LitmusError: something else is wanted here."""
        raise LitmusError(self.line, f"{wanted} is wanted where {self.lookahead()} stands")

    @property
    def ended(self) -> bool:
        """Return whether nothing is left."""
        return self.lookahead().kind == "end"


def _tokens(text: str, line: int) -> list[Token]:
    tokens: list[Token] = []
    for match in PATTERN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "newline":
            line += 1
        elif kind != "space":
            tokens.append(Token(kind, match.group(), line))
    return [*tokens, Token("end", "", tokens[-1].line if tokens else line)]
