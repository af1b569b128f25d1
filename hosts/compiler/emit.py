# mypy: allow-untyped-calls

"""Emission of LLVM instructions for an operation.

LLVM's ``monotonic`` does not promise that two loads of different words stay in program order. ``volatile`` does, for
all volatile accesses of a thread, and an aligned 64-bit access is one ``mov``; so shared words are volatile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

I8, I32, I64, I128 = (ir.IntType(bits) for bits in (8, 32, 64, 128))
POINTER = ir.PointerType()
VOID = ir.VoidType()

llvmlite.binding.initialize_native_asmparser()  # for the lines of assembler below

Emit = Callable[..., Any]
"""Appends instructions: ``emit(builder, *arguments)`` gives the LLVM value of the result, or None."""

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


# --- instructions ------------------------------------------------------------------------------------------------


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


def _kept_apart(builder: Any, instruction: Any, kind: str) -> None:
    """Say by LLVM's type-based alias analysis that an access never meets one of the other kind."""
    module = builder.module
    root = module.add_metadata(["pirace"])
    own = module.add_metadata([kind, root, I64(0)])
    instruction.set_metadata("tbaa", module.add_metadata([own, own, I64(0)]))


WORD, OWN_PCPU = "word", "own pCPU"
"""Kinds of accesses: to what compiled code writes, and to what says which pCPU runs it, which nobody writes."""


def pointer(builder: Any, address: Any) -> Any:
    """Return the address as an LLVM pointer."""
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
    _kept_apart(builder, instruction, WORD)
    builder._insert(instruction)  # noqa: SLF001 - what builder.store() does


def private_load(builder: Any, address: Any, bits: Any = I64) -> Any:
    """Emit the load of a word that only this thread writes: LLVM may keep it in a register."""
    value = builder.load(pointer(builder, address), align=bits.width // 8, typ=bits)
    return value if bits is I64 else builder.zext(value, I64)


def constant_load(builder: Any, address: Any) -> Any:
    """Emit the load of a word that nobody writes while compiled code runs: LLVM may load it once, or any time again."""
    value = builder.load(pointer(builder, address), align=8, typ=I64)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def private_store(builder: Any, address: Any, value: Any, bits: Any = I64) -> None:
    """Emit the store of such a word."""
    value = value if bits is I64 else builder.trunc(value, bits)
    _kept_apart(builder, builder.store(value, pointer(builder, address), align=bits.width // 8), WORD)


def own_pcpu_load(builder: Any, address: Any) -> Any:
    """Emit the load of a word that says which pCPU this is: LLVM may keep it up to the next call, and no longer.

    Nobody writes it, but a call, and the switch between tasks, may come back in another process.
    """
    value = builder.load(pointer(builder, address), align=8, typ=I64)
    _kept_apart(builder, value, OWN_PCPU)
    return value


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
    builder.asm(ir.FunctionType(VOID, []), "lock orl $$0, -4(%rsp)", clobbers, [], side_effect=True)


def compiler_fence(builder: Any) -> None:
    """Emit nothing that runs, but a point that LLVM moves no access across."""
    builder.asm(ir.FunctionType(VOID, []), "", "~{memory}", [], side_effect=True)


def declared(builder: Any, name: str, result: Any, *parameters: Any) -> Any:
    """Return the external function ``name``, declared in the module once."""
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


def call_c(name: str, result: Any, *parameters: Any) -> Emit:
    """Emit the call of a C function; words are cut or sign-extended to what it takes and gives."""

    def emit(builder: Any, *args: Any) -> Any:
        values = [
            pointer(builder, arg) if to is POINTER else arg if to is I64 else builder.trunc(arg, to)
            for arg, to in zip(args, parameters, strict=True)
        ]
        value = builder.call(declared(builder, name, result, *parameters), values)
        return None if result is VOID else value if result is I64 else builder.sext(value, I64)

    return emit


def spin_hint(builder: Any) -> None:
    """Emit ``pause``."""
    builder.call(declared(builder, "llvm.x86.sse2.pause", VOID), [])


def time_stamp(builder: Any) -> Any:
    """Emit ``rdtsc``."""
    return builder.call(declared(builder, "llvm.readcyclecounter", I64), [])


def call_root(builder: Any, address: Any, role: Any, argument: Any) -> Any:
    """Emit the call of ``int64 (int64, int64)`` at an address."""
    # A typed pointer: llvmlite takes the signature of an indirect call from it.
    kind = ir.PointerType(ir.FunctionType(I64, [I64, I64]))
    return builder.call(builder.inttoptr(address, kind), [role, argument])
