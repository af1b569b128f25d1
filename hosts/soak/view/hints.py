"""Commands that a user is told to type next: as they have to be typed, for the campaign at hand."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

FOLDER: Final = "pirace-soak"
"""The campaign's folder if nobody names one."""


def hint(folder: Path, command: str) -> str:
    """Give a command about the campaign of a folder."""
    return f"pirace {command}" + (f" --campaign {shlex.quote(str(folder))}" if str(folder) != FOLDER else "")
