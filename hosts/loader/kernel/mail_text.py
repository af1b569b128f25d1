"""The lines of a patch as it was saved: a file of its own, one mail or a mailbox of several, whatever their encoding.

Most mails carry a patch as it is, and then nothing is done: what stands around a patch is left out by the parser, and
line numbers stay those of the file. A body in quoted-printable keeps them too, as its lines are decoded one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import Message
from quopri import decodestring
from typing import Final, NamedTuple

from hosts.loader.syntax.language import PolicyError


class Line(NamedTuple):
    """A line of the text, with its end, and the line of the file that it stands in."""

    number: int
    text: bytes


_FIRST_OF_A_MAIL: Final = re.compile(rb"From \S+ .*\d\d:\d\d.*\d{4}")
"""What a mailbox puts before each mail."""
_HEADER: Final = re.compile(rb"[!-9;-~]+:[ \t]")
_AS_IT_IS: Final = frozenset({"", "7bit", "8bit", "binary"})
_ENCODED: Final = frozenset({"quoted-printable", "base64"})


def lines_of(name: str, content: bytes) -> list[Line]:
    """Return the lines of a saved patch, decoded, each with an end; PolicyError if an encoding is not known."""
    content += b"" if content.endswith(b"\n") or not content else b"\n"
    lines = [Line(number, text) for number, text in enumerate(split_lines(content), 1)]
    return [line for mail in _mails(lines) for line in _decoded(name, mail)]


def split_lines(content: bytes) -> list[bytes]:
    """Return the lines with their ends; only a line feed ends one, as in a C file."""
    lines = content.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _mails(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    begins = [0, *(index for index, line in enumerate(lines) if index and _FIRST_OF_A_MAIL.match(line.text))]
    return (lines[begin:end] for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True))


def _decoded(name: str, mail: Sequence[Line]) -> Sequence[Line]:
    first = next((index for index, line in enumerate(mail) if not line.text.startswith(b"From ")), 0)
    if not mail or _HEADER.match(mail[first].text) is None:
        return mail
    message = message_from_bytes(b"".join(line.text for line in mail[first:]))
    parts = [part for part in message.walk() if not part.is_multipart() and _is_text(part)]
    encodings = {str(part.get("Content-Transfer-Encoding", "")).strip().lower() for part in parts}
    if encodings <= _AS_IT_IS and len(parts) == sum(not part.is_multipart() for part in message.walk()):
        return mail
    if message.is_multipart() or encodings != {"quoted-printable"}:
        return _parts_decoded(name, mail[first].number, parts)
    body = next((index for index, line in enumerate(mail) if not line.text.strip()), len(mail))
    return list(_unquoted(mail[body:]))


def _is_text(part: Message[str, str]) -> bool:
    """Return whether a part may hold a patch: HTML is the text once more, in a form that no patch has."""
    return part.get_content_type() != "text/html" and part.get_content_maintype() in ("text", "application")


def _unquoted(lines: Sequence[Line]) -> Iterator[Line]:
    """Decode quoted-printable; a line that was broken by it has the number of its first part."""
    parts: list[Line] = []
    for line in lines:
        parts.append(line)
        if not line.text.rstrip().endswith(b"="):
            for text in split_lines(decodestring(b"".join(part.text for part in parts))):
                yield Line(parts[0].number, text)
            parts = []
    for text in split_lines(decodestring(b"".join(part.text for part in parts))):
        yield Line(parts[0].number, text)


def _parts_decoded(name: str, number: int, parts: Sequence[Message[str, str]]) -> list[Line]:
    """Decode whole parts; their lines have no number of their own in the file, and are named by where it begins."""
    lines: list[Line] = []
    for part in parts:
        content = part.get_payload(decode=True)
        encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        if not isinstance(content, bytes) or part.defects or encoding not in _AS_IT_IS | _ENCODED:
            raise PolicyError(name, number, f"a mail whose {encoding or 'text'} cannot be decoded: save it as text")
        lines += [Line(number, text) for text in split_lines(content)]
    return lines
