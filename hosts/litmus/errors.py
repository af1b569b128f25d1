"""What is wrong with a litmus test: one line that says where."""

from __future__ import annotations


class LitmusError(Exception):
    """A test that is not read, or that does what is not modelled."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"{line}: {reason}")
        self.line = line
        self.reason = reason
