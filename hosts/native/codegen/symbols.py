"""The external symbols of compiled code: libzmq, a few functions of libc, and the addresses of memory.

They are given to LLVM in each process before the object file is loaded: a symbol that is missing then is a SIGSEGV
later.
"""

from __future__ import annotations

import ctypes
from typing import Final

import zmq.backend.cython._zmq as bundled  # type: ignore[import-untyped,unused-ignore]

from emu.machine import Machine
from hosts.compiler.variants import SELECTED
from hosts.native.memory.addresses import DOORBELL_AT, LOCAL_AT, MEMORY_AT

_PREFIX: Final = "pirace_"
_LIBZMQ: Final = ("zmq_send", "zmq_recv", "zmq_poll", "zmq_errno")
_LIBC: Final = ("sched_yield", "nanosleep", "_exit")


def symbols() -> dict[str, int]:
    """Return the address of everything that compiled code names."""
    # Found through the extension module that links it, so it is the very libzmq that pyzmq's sockets live in.
    libzmq, libc = ctypes.CDLL(bundled.__file__), ctypes.CDLL(None)
    functions = [getattr(libzmq, name) for name in _LIBZMQ] + [getattr(libc, name) for name in _LIBC]
    named = {_PREFIX + function.__name__: _address(function) for function in functions}
    places = {"memory": MEMORY_AT, "local": LOCAL_AT, "doorbell": DOORBELL_AT}
    selected = int(Machine(MEMORY_AT).config.mutation)
    return {**named, **{_PREFIX + name: at for name, at in places.items()}, SELECTED: selected}


def _address(function: object) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
    if address is None:
        raise RuntimeError("a C function has no address")
    return address
