"""Signals that end a command (SIGINT, SIGTERM, SIGHUP), handled in one way for all commands.

A command hears them from its beginning to its end (:func:`interrupts_raised`): each raises KeyboardInterrupt, but where
somebody asks to be told instead, and so loses nothing between two statements. What was ignored when the command began
(``nohup``, a shell's background jobs) stays ignored.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command."""

_heard: Final[list[int]] = []
"""The signals of this command, in their order."""
_depth = 0


class Interrupt:
    """Whether a signal has been received."""

    def __init__(self) -> None:
        self.count = 0
        """The signals received."""

    @property
    def noted(self) -> bool:
        """Return whether there was one."""
        return self.count > 0

    def note(self) -> None:
        """Count a signal; called in a signal handler."""
        self.count += 1

    def heed(self) -> None:
        """Raise KeyboardInterrupt if so."""
        if self.noted:
            raise KeyboardInterrupt


def exit_status() -> int:
    """Return the exit status of an interrupted command: 128 + the number of the first signal, as a shell's."""
    return 128 + (_heard[0] if _heard else signal.SIGINT)


def interrupted_by() -> str:
    """Return the name of the first signal received, or nothing."""
    return signal.Signals(_heard[0]).name if _heard else ""


@contextlib.contextmanager
def interrupts_raised() -> Iterator[Interrupt]:
    """Let each of the signals raise KeyboardInterrupt, as Ctrl-C does by default, and note it.

    Python passes over what is raised while it does away with an object: who repeats something asks in between, and
    nothing is printed of it.
    """
    interrupt = Interrupt()

    def stop() -> None:
        interrupt.note()
        raise KeyboardInterrupt

    with _passed_over_quietly(), interrupts_told(stop):
        yield interrupt


@contextlib.contextmanager
def _passed_over_quietly() -> Iterator[None]:
    """Print no traceback of a KeyboardInterrupt that Python ignores."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def interrupts_told(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` for each Ctrl-C, and for the first of each other signal."""
    with _handled(lambda handler: handler is not signal.SIG_IGN, stop):
        yield


@contextlib.contextmanager
def cancelled_by_interrupts(cancel: Callable[[], None]) -> Iterator[None]:
    """Call ``cancel`` once; a second Ctrl-C raises KeyboardInterrupt."""
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        cancel()

    with interrupts_told(stop):
        yield


@contextlib.contextmanager
def interrupts_noted() -> Iterator[Interrupt]:
    """Note the signals that would raise KeyboardInterrupt; outside the main thread none would."""
    interrupt = Interrupt()
    with _handled(callable, interrupt.note):
        yield interrupt


@contextlib.contextmanager
def _handled(those: Callable[[object], bool], stop: Callable[[], None]) -> Iterator[None]:
    """Handle the signals whose present handlers satisfy ``those``, and restore these at the end."""
    global _depth  # noqa: PLW0603 - signals are the whole process's
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if _is_news(number):
            stop()

    if _depth == 0:
        _heard.clear()
    before = {number: handler for number in STOPPING if those(handler := signal.getsignal(number))}
    _depth += 1
    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _depth -= 1


def _is_news(number: int) -> bool:
    """Return whether a signal is a new request to end.

    Only Ctrl-C does so each time. ``timeout`` sends its signal to the command and then to its group, and a shell passes
    on the SIGHUP that the terminal has sent already: that is nobody's impatience.
    """
    news = number == signal.SIGINT or number not in _heard
    _heard.append(number)
    return news
