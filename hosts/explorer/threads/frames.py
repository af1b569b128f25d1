"""Frames of a thread's stack: one that runs, and those that wait as values that can be compared and shared."""

from __future__ import annotations

from typing import Any, NamedTuple

from emu.memory import Array, Struct
from hosts.explorer.threads.cfg import Flow


class Frame:
    """A frame that runs."""

    __slots__ = ("block", "call", "flow", "values")

    def __init__(self, flow: Flow, block: int, values: list[Any], call: int = -1) -> None:
        self.flow = flow
        self.block = block
        self.values = values
        self.call = call
        """The number of the call under way, or -1."""


class SuspendedFrame(NamedTuple):
    """A frame that waits: equal ones are one object. Dead locals are gone from it."""

    number: int
    place: int
    """Equal for frames that stand at the same place in the code."""
    flow: Flow
    block: int
    values: tuple[Any, ...]
    call: int

    def resumed(self) -> Frame:
        """Return a frame that goes on from here."""
        return Frame(self.flow, self.block, list(self.values), self.call)


Frames = list[Frame | SuspendedFrame]
"""A stack: the last one runs or is about to, the others wait; those that have not run since are still as kept."""


def top(frames: Frames) -> Frame:
    """Return the frame that runs."""
    frame = frames[-1]
    if isinstance(frame, SuspendedFrame):
        frame = frames[-1] = frame.resumed()
    return frame


def typed(value: Any) -> Any:
    """Return a key for a local's value that tells types apart: True is not 1."""
    if value.__class__ is int or value is None:
        return value
    if isinstance(value, Struct):
        return (value.__class__.__name__, value.at)
    if isinstance(value, tuple):
        return ("tuple", *(typed(item) for item in value))
    if isinstance(value, Array):
        return ("Array", value.of, value.at)
    return (value.__class__.__name__, value if isinstance(value, type) else getattr(value, "at", value))


def bound_arguments(flow: Flow, positional: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """Put keyword arguments where they belong."""
    names = flow.names
    given = dict(zip(names, positional, strict=False)) | keywords
    with_defaults = dict(zip(names[len(names) - len(flow.defaults) :], flow.defaults, strict=True)) | given
    return tuple(with_defaults[each] for each in names)
