"""Errors behind which a user's code is, as one line that says where: ``file:line: reason``."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.user_code import UserCode


def failure_of_code(error: Exception, code: UserCode | None) -> Failure | None:
    """Return the Failure for an error that a user's own function raised or led to; None for any other error."""
    if code is None:
        return None
    if isinstance(error, TypeError) and "unhashable" in str(error):
        name = code.rule if code.rule is not None and not code.spec.patched else code.label
        return Failure(f"{name}: keeps a local that cannot be compared ({error})", EXIT_USAGE)
    paths = {Path(path).resolve(): path for path in code.paths}
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{paths[path]}:{frame.lineno}" for frame in frames if (path := Path(frame.filename).resolve()) in paths]
    return Failure(f"{places[-1]}: {type(error).__name__}: {error}", EXIT_USAGE) if places else None


def blamed_file(text: str, code: UserCode | None) -> str:
    """Return the file of the user's that the compiler names, the last one if there are several; or nothing."""
    found = {path: text.rfind(path) for path in (code.paths if code is not None else ())}
    last = max(found, key=lambda path: found[path], default="")
    return last if last and found[last] >= 0 else ""


def compiler_error(text: str, path: str) -> str:
    """Return the one line of the compiler's many about a user's function that says where, and why."""
    places = re.findall(rf'{re.escape(path)}(?::|", line |[ ]\()(\d+)', text)
    lines = [line.strip() for line in text.splitlines()]
    reasons = [line for line in lines[1:] if line and not line.startswith(("File ", "During:", "Failed in "))]
    if not places or not reasons:
        return lines[0]
    return f"{path}:{places[-1]}: cannot be compiled: {reasons[0]}"
