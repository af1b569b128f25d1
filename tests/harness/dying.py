"""Fork servers that die by themselves at a chosen point of their life: the first of each run of tests, not the next.

Imports nothing of the compiler: it is loaded into the fork server.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import multiprocess.reduction

from tests.harness.loaders import load_root

EXIT_CODE = 7


def argument(root: Path, moment: str, nth: int, folder: Path) -> str:
    """Return what :func:`load` is to be told: die at the ``nth`` such moment; ``folder`` remembers that it was done."""
    return json.dumps([str(root), moment, nth, str(folder / "died")])


def load(wanted: str) -> int:
    """Load the compiled root, and see to the death."""
    root, moment, nth, flag = json.loads(wanted)
    if not Path(flag).exists():
        Path(flag).touch()
        _arm(moment, _Die(nth))
    return load_root(root)


class _Die:
    """Kills this process when it is called for the n-th time."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _arm(moment: str, die: _Die) -> None:
    match moment:
        case "loading":
            die()
        case "leaving":
            os._exit(EXIT_CODE)
        case "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "asked":
            socket.socket.accept = _after(die, socket.socket.accept)  # type: ignore[method-assign]
        case "accepted":
            multiprocess.reduction.recvfds = _after(die, multiprocess.reduction.recvfds)
        case "told":
            os.register_at_fork(before=die)
        case "forked":
            os.register_at_fork(after_in_parent=die)
        case _:
            raise ValueError(moment)


def _after(die: _Die, function: Callable[..., Any]) -> Callable[..., Any]:
    def dying(*arguments: Any) -> Any:
        die()
        return function(*arguments)

    return dying
