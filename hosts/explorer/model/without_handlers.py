"""Threads without interrupt handlers: the part of the protocol that is the same for each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NoReturn

from hosts.explorer.model.operations import Operation
from hosts.explorer.model.system import NotTerminating, SourceLocation


class WithoutHandlers(ABC):
    """The answers about handlers and loops of a :class:`hosts.explorer.model.system.Thread` that has no handlers."""

    @abstractmethod
    def operation(self, local: int) -> Operation:
        """Return the operation of a local state."""

    @abstractmethod
    def place(self, where: int) -> SourceLocation:
        """Return the source location of an operation."""

    def may_wait(self, local: int) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: no interrupt may be taken later."""
        return False

    @property
    def handled(self) -> int:
        """0: nothing is known of handlers."""
        return 0

    def give_way(self, local: int) -> NoReturn:
        """Raise NotTerminating: the thread cannot be stopped in a loop."""
        raise NotTerminating(self.place(self.operation(local).where))
