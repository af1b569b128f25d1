"""What the fork server loaded before its first child; every child inherits it. Filled in by the preload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass
class Preloaded:
    """The state that the children of a fork server share."""

    fork_server: int = 0
    """Process id of the fork server, which the children must have as their parent."""
    root_address: int = 0
    """Address of the compiled root; 0: it could not be loaded."""


PRELOADED: Final = Preloaded()
