"""Errors by which the machine, or a limit of the user, refuses a resource."""

from __future__ import annotations

import errno
import os
from typing import Final

EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Errors of a limit of the user or the machine; a dead fork server raises others."""
_SAID: Final = (*map(os.strerror, EXHAUSTED), "can't start new thread", "MemoryError", "failed to map segment")


def lack_in(text: str) -> str:
    """Return the line of an error's text in which a library or the interpreter says so; nothing if there is none."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines if any(said in line for said in _SAID)), "")
