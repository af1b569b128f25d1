"""Mapping of memory at addresses that compiled code knows, and words by their addresses."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAP_FIXED: Final = 0x10
"""In place of what is there."""
_MAP_FIXED_NOREPLACE: Final = 0x10_0000
_MAP_NORESERVE: Final = 0x4000
RESERVED: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE | _MAP_FIXED_NOREPLACE
"""Addresses that nobody has yet, without memory behind them."""
PROT_NONE: Final = 0

libc: Final = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def map_at(at: int, length: int, protection: int, flags: int, fd: int = -1, offset: int = 0) -> None:
    """Map memory at an address; OSError if it cannot be had there."""
    if libc.mmap(at, length, protection, flags, fd, offset) != at:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot map {length} bytes at {at:#x}: {os.strerror(number)}")


def is_taken(at: int) -> bool:
    """Return whether something is mapped at an address."""
    try:
        map_at(at, mmap.PAGESIZE, PROT_NONE, RESERVED)
    except OSError as error:
        if error.errno == errno.EEXIST:
            return True
        raise
    libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(mmap.PAGESIZE))
    return False


def words_at(at: int, count: int) -> npt.NDArray[np.int64]:
    """Return a view of words that are mapped in this process."""
    view: Any = (ctypes.c_int64 * count).from_address(at)
    return np.frombuffer(view, np.int64)
