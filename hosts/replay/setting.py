"""What a process of a replay knows of the witness and of the program it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType


@dataclass(frozen=True)
class ProgramFunction:
    """A function of the program, by its code."""

    name: str
    file: str
    module: str


@dataclass(frozen=True)
class Setting:
    """What a process has to know of the witness."""

    cpu: int
    pcpus: int
    buffer: int
    overtake: bool
    shared: Mapping[int, str]
    """Names of the shared words, by address."""
    interrupted: bool
    """Somebody sends IPIs to this thread."""
    functions: Mapping[CodeType, ProgramFunction]
    files: tuple[str, ...] = ()
    """The user's files, of which a fault names one."""
    points: frozenset[int] | None = None
    """The only sites at which interrupts are taken; None: all."""
    eager: bool = False
    """An IPI of a delivery leaves in the step before (see hosts.explorer.threads.machine_words)."""
    last_points: frozenset[int] = frozenset()
    """The sites that end an open window."""
    deferrable: frozenset[int] = frozenset()
    """Vectors that only those take, if ``eager``: their handlers do nothing."""
    single_writer: frozenset[int] = frozenset()
    """Shared words that this pCPU alone writes, always by ``local_write``: it knows what they hold."""
