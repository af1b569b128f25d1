"""The smallest of programs, for tests of what becomes of compiled code whatever it is."""

from __future__ import annotations

from hosts.compiler.fingerprint import own_files
from hosts.compiler.objects import Wanted
from hosts.compiler.process import Job
from hosts.compiler.unit import Unit

KEY = "tiny"


def answer() -> int:
    """Return it."""
    return 42


def job(_key: str) -> Job:
    """Say to the process that compiles what to make."""
    return Job(Unit({"answer": answer}), key=lambda: KEY, sources=own_files())


def uncovered(_key: str) -> Job:
    """Name no source that the key covers."""
    return Job(Unit({"answer": answer}), key=lambda: KEY, sources=frozenset())


WANTED = Wanted(f"{__name__}:job", lambda: KEY)
UNCOVERED = Wanted(f"{__name__}:uncovered", lambda: KEY)
