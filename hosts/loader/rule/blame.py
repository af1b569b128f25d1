"""Errors behind which a user's rule is, as one line that says where: ``file:line: reason``."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.rule.policy_source import RuleName


def failure_of_rule(error: Exception, rule: RuleName | None) -> Failure | None:
    """Return the Failure for an error that a user's own function raised or led to; None for any other error."""
    if rule is None:
        return None
    if isinstance(error, TypeError) and "unhashable" in str(error):
        return Failure(f"{rule}: keeps a local that cannot be compared ({error})", EXIT_USAGE)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == Path(rule.path).resolve()]
    return Failure(f"{rule.path}:{lines[-1]}: {type(error).__name__}: {error}", EXIT_USAGE) if lines else None


def compiler_error(text: str, path: str) -> str:
    """Return the one line of the compiler's many about a user's function that says where, and why."""
    places = re.findall(rf'{re.escape(path)}(?::|", line |[ ]\()(\d+)', text)
    lines = [line.strip() for line in text.splitlines()]
    reasons = [line for line in lines[1:] if line and not line.startswith(("File ", "During:", "Failed in "))]
    if not places or not reasons:
        return lines[0]
    return f"{path}:{places[-1]}: cannot be compiled: {reasons[0]}"
