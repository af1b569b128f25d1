# mypy: allow-untyped-calls

"""The machine code of a switch between tasks: one stack is left, another is gone on with.

What is saved lies on the stack that is left: the frame pointer and ``rbx``, which LLVM may use whatever an assembler
line says, and the address to go on at. All other registers are given as clobbered, so that LLVM has what it needs of
them on the stack already. The modes of the floating-point units (``mxcsr``, the x87 control word) are the same on all
pCPUs, which one process has forked, and nothing here changes them. ``rdi`` and ``rsi`` are saved for the sake of a
fresh stack, whose first function finds its two arguments there (:func:`hosts.native.memory.task_stacks.fill`).

The context is put into its word by ``xchg``, the barrier: whoever finds it there, finds on the stack what was pushed,
and all that the task stored before. LLVM keeps nothing of memory across the line (``~{memory}``): what a task reads
after it was resumed, it reads as the process that resumed it.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir

from hosts.compiler.emit import I64

RED_ZONE: Final = 128
"""Bytes below the stack pointer that a function which calls nothing may use without moving it."""

_LINES: Final = (
    f"leaq -{RED_ZONE}(%rsp), %rsp",
    "pushq %rbx",
    "pushq %rbp",
    "pushq %rsi",
    "pushq %rdi",
    "leaq 1f(%rip), %rax",
    "pushq %rax",
    "movq %rsp, %rax",
    "xchgq %rax, (%rdi)",
    "movq %rsi, %rsp",
    "popq %rax",
    "popq %rdi",
    "popq %rsi",
    "jmpq *%rax",
    "1: popq %rbp",
    "popq %rbx",
    f"leaq {RED_ZONE}(%rsp), %rsp",
)
_CLOBBERED: Final = (
    *("rax", "rcx", "rdx", *(f"r{number}" for number in range(8, 16))),
    *(f"xmm{number}" for number in range(32)),
    *(f"k{number}" for number in range(8)),
    *("memory", "dirflag", "fpsr", "flags"),
)


def switch_stacks(builder: Any, context: Any, stack: Any) -> None:
    """Emit the switch: the own stack pointer goes into the word at ``context``, ``stack`` is the one to go on with."""
    kind = ir.FunctionType(ir.LiteralStructType([I64, I64]), [I64, I64])
    clobbers = ",".join(f"~{{{name}}}" for name in _CLOBBERED)
    builder.asm(kind, "; ".join(_LINES), f"={{rdi}},={{rsi}},0,1,{clobbers}", [context, stack], side_effect=True)
