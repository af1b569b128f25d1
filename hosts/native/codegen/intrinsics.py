"""Intrinsics of compiled code: words at addresses, locked instructions, calls into C.

Every function here is a name for a few machine instructions. It is called from compiled Python functions only (the
host's own, :mod:`hosts.native.runtime`; the protocol calls the waist, :mod:`hosts.native.codegen.lowering`); its plain
body raises RuntimeError. Arguments and results are signed 64-bit numbers; an address is a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from numba import types

from hosts.compiler import emit as code
from hosts.compiler.emit import I8, I32, I64, I128, POINTER, Emit, give_meaning
from hosts.native.codegen import lowering as _lowering  # noqa: F401 - the host calls primitives of the waist, too
from hosts.native.codegen.task_switch import switch_stacks

F = TypeVar("F", bound=Callable[..., Any])


def _means(emit: Emit, *, result: Any = types.int64) -> Callable[[F], F]:
    """Declare an intrinsic: the function below is its name and documentation, ``emit`` the code."""

    def declare(function: F) -> F:
        parameters = function.__code__.co_argcount
        give_meaning(function, parameters, emit, result=result)
        return function

    return declare


def _only_compiled() -> NoReturn:
    message = "this intrinsic exists in compiled code only"
    raise RuntimeError(message)


# --- the intrinsics ----------------------------------------------------------------------------------------------


@_means(code.volatile_load)
def load(address: int) -> int:
    """Read a shared word, in program order with the other loads and stores of shared words: one ``mov``."""
    _only_compiled()


@_means(code.volatile_store, result=types.void)
def store(address: int, value: int) -> None:
    """Write a shared word, in program order likewise: one ``mov``, no fence."""
    _only_compiled()


@_means(code.private_load)
def load_private(address: int) -> int:
    """Read a word that only this thread writes; after a call that may switch tasks, that of another process."""
    _only_compiled()


@_means(code.constant_load)
def load_constant(address: int) -> int:
    """Read a private word that was written before compiled code began and that nobody writes while it runs.

    LLVM may have read it long before. A task goes from one process to another, so only a word that holds the same in
    all of them is read so: nothing that says which pCPU this is.
    """
    _only_compiled()


@_means(code.own_pcpu_load)
def load_own_pcpu(address: int) -> int:
    """Read a private word that says which pCPU this is, or belongs to this process alone, and that nobody writes.

    LLVM keeps it where nothing is called: behind a call or a switch between tasks it is read again.
    """
    _only_compiled()


@_means(code.private_store, result=types.void)
def store_private(address: int, value: int) -> None:
    """Write a word that only this thread reads."""
    _only_compiled()


@_means(lambda builder, address: code.private_load(builder, address, I8))
def load_u8(address: int) -> int:
    """Read a private byte."""
    _only_compiled()


@_means(lambda builder, address, value: code.private_store(builder, address, value, I8), result=types.void)
def store_u8(address: int, value: int) -> None:
    """Write a private byte."""
    _only_compiled()


@_means(lambda builder, value: builder.bswap(value))
def byteswap(value: int) -> int:
    """Turn a word's bytes round (msgpack numbers are big-endian)."""
    _only_compiled()


@_means(lambda builder, value, by: builder.lshr(value, builder.and_(by, I64(63))))
def shift_right_unsigned(value: int, by: int) -> int:
    """Shift right by 0..63, zeros coming in."""
    _only_compiled()


def _upper_half(builder: Any, left: Any, right: Any) -> Any:
    product = builder.mul(builder.zext(left, I128), builder.zext(right, I128))
    return builder.trunc(builder.lshr(product, I128(64)), I64)


@_means(_upper_half)
def upper_half(left: int, right: int) -> int:
    """Return the upper half of a product of two words without signs."""
    _only_compiled()


@_means(code.locked("xchg"))
def exchange(address: int, value: int) -> int:
    """Exchange, locked; return the value found."""
    _only_compiled()


@_means(code.locked("add"))
def fetch_add(address: int, value: int) -> int:
    """Add, locked; return the value found."""
    _only_compiled()


@_means(code.locked("or"))
def fetch_or(address: int, bits: int) -> int:
    """Set bits, locked; return the value found (one instruction only where the value found is not used)."""
    _only_compiled()


@_means(code.locked("and"))
def fetch_and(address: int, bits: int) -> int:
    """Keep bits, locked; return the value found (one instruction only where the value found is not used)."""
    _only_compiled()


@_means(code.full_fence, result=types.void)
def fence() -> None:
    """Drain the store buffer."""
    _only_compiled()


def _clflush(builder: Any, address: Any) -> None:
    function = code.declared(builder, "llvm.x86.sse2.clflush", code.VOID, POINTER)
    builder.call(function, [code.pointer(builder, address)])


@_means(_clflush, result=types.void)
def clflush(address: int) -> None:
    """Flush a line from all caches."""
    _only_compiled()


@_means(code.spin_hint, result=types.void)
def pause() -> None:
    """Hint to the processor that this is a spin loop: ``pause``."""
    _only_compiled()


@_means(code.time_stamp)
def rdtsc() -> int:
    """Read the time stamp counter."""
    _only_compiled()


@_means(code.symbol_address("pirace_memory"))
def memory_address() -> int:
    """Return the address of the machine's memory in this process."""
    _only_compiled()


@_means(code.symbol_address("pirace_local"))
def local_address() -> int:
    """Return the address of this process's private page of host words."""
    _only_compiled()


@_means(code.symbol_address("pirace_doorbell"))
def doorbell_address() -> int:
    """Return the address at which this process sees its own doorbell."""
    _only_compiled()


@_means(code.call_root)
def call_address(address: int, role: int, argument: int) -> int:
    """Call the C function ``int64 (int64, int64)`` at ``address`` (pcpu_main's: compiled code cannot recurse)."""
    _only_compiled()


@_means(switch_stacks, result=types.void)
def exchange_stacks(context: int, stack: int) -> None:
    """Leave the own stack, its pointer in the word at ``context``, and go on with another, whose pointer is given.

    Comes back when the own one is gone on with, perhaps in another process. A full barrier.
    """
    _only_compiled()


@_means(code.call_c("pirace_zmq_send", I32, POINTER, POINTER, I64, I32))
def zmq_send(socket: int, buffer: int, length: int, flags: int) -> int:
    """Send a frame; the number of bytes, or -1 and ``zmq_errno``."""
    _only_compiled()


@_means(code.call_c("pirace_zmq_recv", I32, POINTER, POINTER, I64, I32))
def zmq_recv(socket: int, buffer: int, length: int, flags: int) -> int:
    """Receive a frame; its true number of bytes (more than ``length``: it was cut), or -1 and ``zmq_errno``."""
    _only_compiled()


@_means(code.call_c("pirace_zmq_poll", I32, POINTER, I32, I64))
def zmq_poll(items: int, count: int, milliseconds: int) -> int:
    """Wait for ``zmq_pollitem_t`` items (socket 8 bytes, fd 4, events 2, revents 2); how many are ready, or -1."""
    _only_compiled()


@_means(code.call_c("pirace_zmq_errno", I32))
def zmq_errno() -> int:
    """Return the error of the last call into libzmq by this thread."""
    _only_compiled()


@_means(code.call_c("pirace_sched_yield", I32))
def sched_yield() -> int:
    """Yield this processor to other processes."""
    _only_compiled()


@_means(code.call_c("pirace__exit", code.VOID, I32), result=types.void)
def exit_process(code: int) -> None:
    """End this process at once; does not come back."""
    _only_compiled()


@_means(code.call_c("pirace_nanosleep", I32, POINTER, POINTER))
def nanosleep(request: int, remaining: int) -> int:
    """Sleep for the ``timespec`` (seconds, nanoseconds: two words) at ``request``; ``remaining`` may be 0."""
    _only_compiled()
