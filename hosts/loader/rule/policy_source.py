"""A user's rule as a value: the file and the function that ``path/to/file.py:function`` names.

Options, records, tasks and witnesses name every policy by a string: one of the table by its name, a user's by this. The
string is taken apart here and nowhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from emu.machine import USER
from emu.workload.scenarios import POLICIES
from hosts.reading import read_bytes


@dataclass(frozen=True)
class PolicySource:
    """A function of a user's file."""

    path: str
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the file as it is now; OSError."""
        return hashlib.sha256(self.read()).hexdigest()

    def read(self) -> bytes:
        """Return what the file holds now; OSError."""
        return read_bytes(self.path)

    def absolute(self) -> PolicySource:
        """Return it with a path that is found from any working directory."""
        return PolicySource(str(Path(self.path).absolute()), self.function)

    def at(self, path: Path) -> PolicySource:
        """Return the same function of a copy of the file."""
        return PolicySource(str(path), self.function)


def is_user_policy(policy: str) -> bool:
    """Return whether a policy is given as ``path/to/file.py:function``."""
    return ":" in policy


def source_of(policy: str | None) -> PolicySource | None:
    """Return the file and the function of a user's rule; None for a policy of the table, and for none."""
    if policy is None or not is_user_policy(policy):
        return None
    path, _, function = policy.rpartition(":")
    return PolicySource(path, function)


def policy_number(policy: str) -> int:
    """Return the number by which the machine selects a policy; KeyError if the table has none of this name."""
    return USER if is_user_policy(policy) else {each.name: each.number for each in POLICIES}[policy]
