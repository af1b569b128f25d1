"""A user's rule as a value: the file and the function that ``path/to/file.py:function`` names, and what the file held.

Options, records, tasks and witnesses name every policy by a string: one of the table by its name, a user's by this. The
string is taken apart here and nowhere else. A command, and every other process that is given the string, reads the file
once (:func:`source_of`) and passes the value on, so that error messages, digest, cache keys and the loaded program come
from the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from emu.machine import USER
from emu.workload.scenarios import POLICIES
from hosts.reading import read_bytes


@dataclass(frozen=True)
class RuleName:
    """The file and the function of a user's rule; nothing is read."""

    path: str
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"

    def absolute(self) -> RuleName:
        """Return it with a path that is found from any working directory."""
        return RuleName(str(Path(self.path).absolute()), self.function)

    def at(self, path: Path) -> RuleName:
        """Return the same function of a copy of the file."""
        return RuleName(str(path), self.function)


@dataclass(frozen=True)
class PolicySource(RuleName):
    """A function of a user's file, with what the file held when it was read."""

    read: bytes | OSError | ValueError = field(repr=False)
    """The bytes of the file, or the error with which it could not be read (ValueError: this can be no path)."""

    @property
    def content(self) -> bytes:
        """The bytes of the file; the error with which it could not be read."""
        if isinstance(self.read, bytes):
            return self.read
        raise self.read.with_traceback(None)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content; the error with which the file could not be read."""
        return hashlib.sha256(self.content).hexdigest()

    def read_again(self) -> PolicySource:
        """Return the same function of the file as it is now, to find out whether the file has changed."""
        return _read(self)


def is_user_policy(policy: str) -> bool:
    """Return whether a policy is given as ``path/to/file.py:function``."""
    return ":" in policy


def rule_name_of(policy: str | None) -> RuleName | None:
    """Return the file and the function of a user's rule; None for a policy of the table, and for none."""
    if policy is None or not is_user_policy(policy):
        return None
    path, _, function = policy.rpartition(":")
    return RuleName(path, function)


def source_of(policy: str | None) -> PolicySource | None:
    """Read the file of a user's rule; None for a policy of the table, and for none."""
    name = rule_name_of(policy)
    return _read(name) if name is not None else None


def policy_number(policy: str) -> int:
    """Return the number by which the machine selects a policy; KeyError if the table has none of this name."""
    return USER if is_user_policy(policy) else {each.name: each.number for each in POLICIES}[policy]


def _read(name: RuleName) -> PolicySource:
    try:
        return PolicySource(name.path, name.function, read_bytes(name.path))
    except (OSError, ValueError) as error:
        return PolicySource(name.path, name.function, error.with_traceback(None))
