"""Ctrl-C as a note instead of an exception: nothing is lost between a process's start and the note of its number."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed, or somebody else has had enough."""

    noted = False


@contextlib.contextmanager
def interrupts_noted() -> Iterator[Interrupt]:
    """Note Ctrl-C meanwhile; in a thread that is not the main one there is none."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupt.noted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
