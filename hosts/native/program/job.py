"""The job of the compiling process: the program of a pCPU, and the functions that an earlier build may provide."""

from __future__ import annotations

import dis
import hashlib
import os
from types import FunctionType
from typing import Any

import msgspec

from hosts.compiler import fingerprint
from hosts.compiler.process import Job
from hosts.compiler.unit import Unit
from hosts.loader.program import Program, load_program
from hosts.loader.user_code import CodeSpec, read_code
from hosts.native.codegen import symbols
from hosts.native.program import root
from hosts.native.program.build import number_of


def job(key: str, code: dict[str, Any] | None) -> Job:
    """Return the machine with the user's code, of which the specification is given; LoaderError or CompileError."""
    read = read_code(msgspec.convert(code or {}, CodeSpec))
    loaded = load_program(read)
    unit = root.unit_of(loaded, number_of(key))
    named = symbols.symbols()
    return Job(
        unit=unit,
        key=lambda: fingerprint.key_of(read.read_again() if read is not None else None)[1],
        sources=fingerprint.own_files(),
        addresses={name: named[name] for name in root.FIXED},
        symbols=named,
        base=fingerprint.key_of(read)[0],
        keepable=_keepable(unit, loaded),
    )


def _keepable(unit: Unit, loaded: Program) -> dict[str, str]:
    """Return the functions whose translation another program may use, each with what it must agree in.

    All sources but the user's are the same by the key. So what may differ is the user's functions, what the pass over
    the source makes of the others (site numbers), and how the user's functions are called.
    """
    own_files = fingerprint.own_files()
    users = {
        function
        for function in unit.functions.values()
        if os.path.realpath(function.__code__.co_filename) not in own_files
    }
    keepable: dict[str, str] = {}
    for symbol, function in unit.functions.items():
        if function in users or function.__code__.co_name == "pcpu_main" or _called(function) & users:
            continue
        own = loaded.functions.get(function.__name__)
        is_loaded = own is not None and own.__code__ is function.__code__
        keepable[symbol] = _mark(loaded.source(function.__name__) if is_loaded else "")
    return keepable


def _called(function: FunctionType) -> set[FunctionType]:
    names = {str(item.argval) for item in dis.get_instructions(function) if item.opname == "LOAD_GLOBAL"}
    values = [function.__globals__.get(name) for name in names]
    return {value for value in values if isinstance(value, FunctionType)}


def _mark(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:32]
