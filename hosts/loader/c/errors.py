"""The one error about C that cannot be translated."""

from __future__ import annotations

from typing import NoReturn

from hosts.loader.syntax.language import PolicyError


class CError(PolicyError):
    """Something in a C file that cannot be translated exactly; the message begins with file and line."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        """Say so in one line, whatever of the text is quoted."""
        super().__init__(file, line, " ".join(reason.split()))


def refuse(file: str, line: int, reason: str) -> NoReturn:
    """Raise the one error."""
    raise CError(file, line, reason)
