"""Compiled code as a file: made for this processor, loaded without Numba.

The object file is relocatable; what it calls by name (libzmq, libc) is given to LLVM before it is loaded. Nothing of
its source language is left, so loading takes some ten milliseconds and cannot compile or infer anything: there is
nothing to compile from.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from typing import Any

import llvmlite.binding as llvm


@functools.cache
def _ready() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()


def processor() -> tuple[str, str]:
    """Return the name and the features of the processor that code is made for."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def target_machine(level: int = 2) -> Any:
    """Return LLVM's description of this processor.

    Small code model: calls between compiled functions are direct. Calls out of the object go through a table that the
    loader makes, so it does not matter how far away libzmq is.
    """
    _ready()
    name, features = processor()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(cpu=name, features=features, opt=level, reloc="pic", codemodel="small")


class Image:
    """Loaded machine code. The code lives as long as this object."""

    def __init__(self, object_code: bytes, symbols: Mapping[str, int] | None = None) -> None:
        _ready()
        for name, address in (symbols or {}).items():
            llvm.add_symbol(name, address)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(object_code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return the address of an exported function."""
        address: int = self._engine.get_function_address(name)
        if address == 0:
            raise LookupError(f"the compiled code has no function {name}")
        return address

    def function(self, name: str, parameters: int) -> Any:
        """Return an exported function as a Python callable. A call releases the GIL."""
        return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * parameters)(self.address(name))
