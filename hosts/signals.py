"""What ends a command from outside: Ctrl-C, SIGTERM, a terminal that is closed (SIGHUP); one way to hear them for all.

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
"""What a command is ended with."""

_heard: Final[list[int]] = []
"""The signals of this command, in their order."""
_depth = 0


class Interrupt:
    """Whether somebody has asked for the end."""

    noted = False

    def heed(self) -> None:
        """Raise KeyboardInterrupt if so."""
        if self.noted:
            raise KeyboardInterrupt


def exit_status() -> int:
    """Give the exit status of a command that was interrupted: 128 and the number of the first signal, as a shell's."""
    return 128 + (_heard[0] if _heard else signal.SIGINT)


def interrupted_by() -> str:
    """Name the first signal that was heard, or nothing."""
    return signal.Signals(_heard[0]).name if _heard else ""


@contextlib.contextmanager
def interrupts_raised() -> Iterator[Interrupt]:
    """Have each of the signals raise KeyboardInterrupt, as Ctrl-C does by itself, and note it.

    Python passes over what is raised while it does away with an object: who repeats something asks in between, and
    nothing is printed of it.
    """
    interrupt = Interrupt()

    def stop() -> None:
        interrupt.noted = True
        raise KeyboardInterrupt

    with _passed_over_quietly(), interrupts_told(stop):
        yield interrupt


@contextlib.contextmanager
def _passed_over_quietly() -> Iterator[None]:
    """Print no traceback of a KeyboardInterrupt that Python passes over."""
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
    """Call ``stop`` meanwhile, for each Ctrl-C and for the first of the others."""
    with _handled(lambda handler: handler is not signal.SIG_IGN, stop):
        yield


@contextlib.contextmanager
def cancelled_by_interrupts(cancel: Callable[[], None]) -> Iterator[None]:
    """Call ``cancel`` once meanwhile; whoever presses Ctrl-C again does not want to wait for what that brings about."""
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
    """Note, meanwhile, what would raise KeyboardInterrupt; in a thread that is not the main one nothing would."""
    interrupt = Interrupt()

    def note() -> None:
        interrupt.noted = True

    with _handled(callable, note):
        yield interrupt


@contextlib.contextmanager
def _handled(those: Callable[[object], bool], stop: Callable[[], None]) -> Iterator[None]:
    """Handle those signals whose present handlers are of some kind, and put these back."""
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
    """Tell whether a signal says anything that has not been said.

    Only Ctrl-C does so each time. ``timeout`` sends its signal to the command and then to its group, and a shell passes
    on the SIGHUP that the terminal has sent already: that is nobody's impatience.
    """
    news = number == signal.SIGINT or number not in _heard
    _heard.append(number)
    return news
