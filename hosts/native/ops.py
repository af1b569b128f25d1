"""Operations of the machine, for compiled code: words at addresses, locked instructions, calls into C.

Every function here is a name for a few machine instructions. It is called from compiled Python functions only (the
waist in :mod:`hosts.native.lowering`, the host's own functions in :mod:`hosts.native.runtime`); its plain body
refuses. Arguments and results are signed 64-bit numbers; an address is a number.

LLVM's ``monotonic`` does not promise that two loads of different words stay in program order. ``volatile`` does, for
all volatile accesses of a thread, and an aligned 64-bit access is one ``mov``; so shared words are volatile.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
POINTER = ir.PointerType()
VOID = ir.VoidType()

llvmlite.binding.initialize_native_asmparser()  # for the one line of assembler in full_fence

Emit = Callable[..., Any]
"""Appends instructions: ``emit(builder, *arguments)`` gives the LLVM value of the result, or None."""
F = TypeVar("F", bound=Callable[..., Any])

_NUMBERS = (types.Integer, types.Boolean, types.IntEnumMember)


def give_meaning(function: Callable[..., Any], parameters: int, emit: Emit, *, result: Any = types.int64) -> None:
    """Make ``emit`` what compiled code does where it calls ``function``.

    All parameters are int64: a boolean or a narrower number is widened, anything else (a struct where a word belongs)
    is a type error. One signature for each function keeps Numba's overload search short.
    """
    only = signature(result, *[types.int64] * parameters)

    class Typing(AbstractTemplate):
        key = function

        def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
            if kws or len(args) != parameters or not all(isinstance(arg, _NUMBERS) for arg in args):
                return None
            return only

    Typing.__name__ = f"Typing_{function.__name__}"
    infer_global(function, types.Function(Typing))

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        value = emit(builder, *args)
        return context.get_dummy_value() if value is None else value

    lower_builtin(function, *[types.int64] * parameters)(lower)


def _means(emit: Emit, *, result: Any = types.int64) -> Callable[[F], F]:
    """Declare an operation: the function below is its name and documentation, ``emit`` the code."""

    def declare(function: F) -> F:
        parameters = function.__code__.co_argcount
        give_meaning(function, parameters, emit, result=result)
        return function

    return declare


def _only_compiled() -> NoReturn:
    message = "this operation exists in compiled code only"
    raise RuntimeError(message)


# --- what is emitted ---------------------------------------------------------------------------------------------


class _VolatileLoad(ir.LoadInstr):  # type: ignore[misc]
    """A load that is neither dropped, repeated nor moved across another volatile access; llvmlite cannot say so."""

    def descr(self, buf: list[str]) -> None:
        line: list[str] = []
        super().descr(line)
        buf.append("".join(line).replace("load ", "load volatile ", 1))


class _VolatileStore(ir.StoreInstr):  # type: ignore[misc]
    """The same for a store."""

    def descr(self, buf: list[str]) -> None:
        line: list[str] = []
        super().descr(line)
        buf.append("".join(line).replace("store ", "store volatile ", 1))


def pointer(builder: Any, address: Any) -> Any:
    """Give the address as an LLVM pointer."""
    return builder.inttoptr(address, POINTER)


def volatile_load(builder: Any, address: Any) -> Any:
    """Emit the load of a shared word."""
    instruction = _VolatileLoad(builder.block, pointer(builder, address), typ=I64)
    instruction.align = 8
    builder._insert(instruction)  # noqa: SLF001 - what builder.load() does
    return instruction


def volatile_store(builder: Any, address: Any, value: Any) -> None:
    """Emit the store of a shared word."""
    instruction = _VolatileStore(builder.block, value, pointer(builder, address))
    instruction.align = 8
    builder._insert(instruction)  # noqa: SLF001 - what builder.store() does


def private_load(builder: Any, address: Any, bits: Any = I64) -> Any:
    """Emit the load of a word that only this thread writes: LLVM may keep it in a register."""
    value = builder.load(pointer(builder, address), align=bits.width // 8, typ=bits)
    return value if bits is I64 else builder.zext(value, I64)


def private_store(builder: Any, address: Any, value: Any, bits: Any = I64) -> None:
    """Emit the store of such a word."""
    value = value if bits is I64 else builder.trunc(value, bits)
    builder.store(value, pointer(builder, address), align=bits.width // 8)


def locked(operation: str) -> Emit:
    """Emit one locked read-modify-write that gives the value found."""

    def emit(builder: Any, address: Any, value: Any) -> Any:
        return builder.atomic_rmw(operation, pointer(builder, address), value, "seq_cst")

    return emit


def locked_compare(builder: Any, address: Any, old: Any, new: Any) -> Any:
    """Emit ``lock cmpxchg``: a full barrier whatever it finds."""
    pair = builder.cmpxchg(pointer(builder, address), old, new, "seq_cst", "seq_cst")
    return builder.extract_value(pair, 0)


def full_fence(builder: Any) -> None:
    """Emit a locked OR of 0 onto the stack, as Linux's ``smp_mb`` does: ``mfence`` costs seven times as much."""
    clobbers = "~{memory},~{dirflag},~{fpsr},~{flags}"
    builder.asm(ir.FunctionType(VOID, []), "lock orl $$0, -4(%rsp)", clobbers, [], True)


def compiler_fence(builder: Any) -> None:
    """Emit nothing that runs, but a point that LLVM moves no access across."""
    builder.asm(ir.FunctionType(VOID, []), "", "~{memory}", [], True)


def declared(builder: Any, name: str, result: Any, *parameters: Any) -> Any:
    """Give the external function ``name``, declared in the module once."""
    module = builder.module
    if name not in module.globals:
        ir.Function(module, ir.FunctionType(result, parameters), name)
    return module.globals[name]


def symbol_address(name: str) -> Emit:
    """Emit the address that symbol ``name`` has in this process."""

    def emit(builder: Any) -> Any:
        module = builder.module
        if name not in module.globals:
            ir.GlobalVariable(module, I8, name).linkage = "external"
        return builder.ptrtoint(module.globals[name], I64)

    return emit


def _call_c(name: str, result: Any, *parameters: Any) -> Emit:
    def emit(builder: Any, *args: Any) -> Any:
        values = [
            pointer(builder, arg) if to is POINTER else arg if to is I64 else builder.trunc(arg, to)
            for arg, to in zip(args, parameters, strict=True)
        ]
        value = builder.call(declared(builder, name, result, *parameters), values)
        return None if result is VOID else value if result is I64 else builder.sext(value, I64)

    return emit


def _pause(builder: Any) -> None:
    builder.call(declared(builder, "llvm.x86.sse2.pause", VOID), [])


def _rdtsc(builder: Any) -> Any:
    return builder.call(declared(builder, "llvm.readcyclecounter", I64), [])


def _call_address(builder: Any, address: Any, role: Any, argument: Any) -> Any:
    # A typed pointer: llvmlite takes the signature of an indirect call from it.
    kind = ir.PointerType(ir.FunctionType(I64, [I64, I64]))
    return builder.call(builder.inttoptr(address, kind), [role, argument])


# --- the operations ----------------------------------------------------------------------------------------------


@_means(volatile_load)
def load(address: int) -> int:
    """Read a shared word, in program order with the other loads and stores of shared words: one ``mov``."""
    _only_compiled()


@_means(volatile_store, result=types.void)
def store(address: int, value: int) -> None:
    """Write a shared word, in program order likewise: one ``mov``, no fence."""
    _only_compiled()


@_means(private_load)
def load_private(address: int) -> int:
    """Read a word that only this thread writes."""
    _only_compiled()


@_means(private_store, result=types.void)
def store_private(address: int, value: int) -> None:
    """Write a word that only this thread reads."""
    _only_compiled()


@_means(lambda builder, address: private_load(builder, address, I8))
def load_u8(address: int) -> int:
    """Read a private byte."""
    _only_compiled()


@_means(lambda builder, address: private_load(builder, address, I16))
def load_u16(address: int) -> int:
    """Read two private bytes."""
    _only_compiled()


@_means(lambda builder, address: private_load(builder, address, I32))
def load_u32(address: int) -> int:
    """Read four private bytes."""
    _only_compiled()


@_means(lambda builder, address, value: private_store(builder, address, value, I8), result=types.void)
def store_u8(address: int, value: int) -> None:
    """Write a private byte."""
    _only_compiled()


@_means(lambda builder, address, value: private_store(builder, address, value, I16), result=types.void)
def store_u16(address: int, value: int) -> None:
    """Write two private bytes."""
    _only_compiled()


@_means(lambda builder, address, value: private_store(builder, address, value, I32), result=types.void)
def store_u32(address: int, value: int) -> None:
    """Write four private bytes."""
    _only_compiled()


@_means(lambda builder, value: builder.bswap(value))
def byteswap(value: int) -> int:
    """Turn a word's bytes round (msgpack numbers are big-endian)."""
    _only_compiled()


@_means(lambda builder, value, by: builder.lshr(value, builder.and_(by, I64(63))))
def shift_right_unsigned(value: int, by: int) -> int:
    """Shift right by 0..63, zeros coming in."""
    _only_compiled()


@_means(locked("xchg"))
def exchange(address: int, value: int) -> int:
    """Exchange, locked; give the value found."""
    _only_compiled()


@_means(locked_compare)
def compare_exchange(address: int, old: int, new: int) -> int:
    """Store ``new`` where ``old`` is found, locked; give the value found."""
    _only_compiled()


@_means(locked("add"))
def fetch_add(address: int, value: int) -> int:
    """Add, locked; give the value found."""
    _only_compiled()


@_means(locked("or"))
def fetch_or(address: int, bits: int) -> int:
    """Set bits, locked; give the value found (one instruction only where the value found is not used)."""
    _only_compiled()


@_means(locked("and"))
def fetch_and(address: int, bits: int) -> int:
    """Keep bits, locked; give the value found (one instruction only where the value found is not used)."""
    _only_compiled()


@_means(full_fence, result=types.void)
def fence() -> None:
    """Drain the store buffer."""
    _only_compiled()


@_means(compiler_fence, result=types.void)
def barrier() -> None:
    """Keep LLVM from moving accesses across; no instruction."""
    _only_compiled()


@_means(_pause, result=types.void)
def pause() -> None:
    """Tell the processor that this is a spin loop."""
    _only_compiled()


@_means(_rdtsc)
def rdtsc() -> int:
    """Read the time stamp counter."""
    _only_compiled()


@_means(symbol_address("pirace_memory"))
def memory_address() -> int:
    """Give the address of the machine's memory in this process."""
    _only_compiled()


@_means(symbol_address("pirace_local"))
def local_address() -> int:
    """Give the address of this process's private page of host words."""
    _only_compiled()


@_means(_call_address)
def call_address(address: int, role: int, argument: int) -> int:
    """Call the C function ``int64 (int64, int64)`` at ``address`` (pcpu_main's: compiled code cannot recurse)."""
    _only_compiled()


@_means(_call_c("pirace_zmq_send", I32, POINTER, POINTER, I64, I32))
def zmq_send(socket: int, buffer: int, length: int, flags: int) -> int:
    """Send a frame; the number of bytes, or -1 and ``zmq_errno``."""
    _only_compiled()


@_means(_call_c("pirace_zmq_recv", I32, POINTER, POINTER, I64, I32))
def zmq_recv(socket: int, buffer: int, length: int, flags: int) -> int:
    """Receive a frame; its true number of bytes (more than ``length``: it was cut), or -1 and ``zmq_errno``."""
    _only_compiled()


@_means(_call_c("pirace_zmq_poll", I32, POINTER, I32, I64))
def zmq_poll(items: int, count: int, milliseconds: int) -> int:
    """Wait for ``zmq_pollitem_t`` items (socket 8 bytes, fd 4, events 2, revents 2); how many are ready, or -1."""
    _only_compiled()


@_means(_call_c("pirace_zmq_errno", I32))
def zmq_errno() -> int:
    """Give the error of the last call into libzmq by this thread."""
    _only_compiled()


@_means(_call_c("pirace_sched_yield", I32))
def sched_yield() -> int:
    """Let other processes have this processor."""
    _only_compiled()


@_means(_call_c("pirace_nanosleep", I32, POINTER, POINTER))
def nanosleep(request: int, remaining: int) -> int:
    """Sleep for the ``timespec`` (seconds, nanoseconds: two words) at ``request``; ``remaining`` may be 0."""
    _only_compiled()
