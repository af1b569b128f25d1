"""Commands suggested to the user, with the option that names the campaign."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

FOLDER: Final = "pirace-soak"
"""The campaign's folder by default."""


def hint(folder: Path, command: str) -> str:
    """Return a command about the campaign of a folder."""
    return f"pirace {command}" + (f" --campaign {shlex.quote(str(folder))}" if str(folder) != FOLDER else "")
