"""Names of policies: one of the table by its name, a user's rule as ``path/to/file.py:function``; patched: ``+label``.

Options, records, tasks and witnesses name every policy by a string. The strings are taken apart here and nowhere else.
With patches, or functions of a kernel, in the machine a name ends with what these are called
(``elide-self-2022+fix.py``), and is that alone if they replace the rule itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emu.machine import USER
from emu.workload.scenarios import POLICIES


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


def patched_name(policy: str, label: str) -> str:
    """Return the name of a policy in a machine with patches that are called ``label``."""
    return f"{policy}+{label}"


def base_of(policy: str) -> str:
    """Return the name of a policy without its patches."""
    head, colon, tail = policy.rpartition(":")
    return head + colon + tail.partition("+")[0]


def is_user_policy(policy: str) -> bool:
    """Return whether a policy is given as ``path/to/file.py:function``."""
    return ":" in policy


def rule_name_of(policy: str | None) -> RuleName | None:
    """Return the file and the function of a user's rule; None for a policy of the table, and for none."""
    if policy is None or not is_user_policy(policy):
        return None
    path, _, function = base_of(policy).rpartition(":")
    return RuleName(path, function)


def policy_number(policy: str, *, patched: bool = False) -> int:
    """Return the number by which the machine selects a policy; KeyError if the table has none of this name.

    ``patched``: the machine has functions of the user's in it, which may replace the rule.
    """
    if is_user_policy(policy):
        return USER
    numbers = {each.name: each.number for each in POLICIES}
    return numbers.get(base_of(policy), USER) if patched else numbers[policy]
