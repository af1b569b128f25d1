"""What is told of a real bug, and what stands for it here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """A configuration that shows a bug; :mod:`emu.expected` says which checks fire in it."""

    scenario: str
    policy: str
    mutation: str | None = None
    """None: the policy is the bug."""
    symptom: bool = False
    """It has the symptom of the bug alone, for its interleaving needs what is not modelled."""

    def __str__(self) -> str:
        """Return its name."""
        return f"{self.scenario} x {self.policy}" + (f" + {self.mutation}" if self.mutation is not None else "")


@dataclass(frozen=True)
class Bug:
    """One bug of KVM's delivery of posted interrupts. A commit is given by its first twelve digits."""

    id: str
    year: int | None
    """Of the fix, or of the report; None: not known."""
    subject: str
    """Of the fix, between quotation marks; without them in our words."""
    race: str
    """What comes between what."""
    kernels: str
    """The kernels that have it, as far as is known."""
    fixed: tuple[str, ...] = ()
    introduced: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    why_not: str = ""
    """Why nothing shows it here."""
