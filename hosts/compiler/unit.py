# mypy: allow-untyped-calls

"""Compilation units: functions that call each other become one object file.

Numba's own way (a dispatcher and a library for each function) links and optimises each function together with all
that it calls, so its cost grows with the square of the depth. Here a call is what it is in C: the callee's name and
signature, the latter read from its annotations. Numba turns each function into a piece of LLVM's language by itself,
once, in any order; the pieces are put together, optimised and turned into machine code once. So functions may call
each other in circles, a piece may be kept from an earlier build, and what comes out is one relocatable object that is
loaded without Numba (:mod:`hosts.compiler.object_file`).

Used of Numba: ``compile_extra`` with a library of ours and ``Flags.no_compile``, a target context with a name mangler
and a calling convention (:mod:`hosts.compiler.convention`) of ours, and the library's text.
"""

from __future__ import annotations

import builtins
import dis
import re
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, cast

from llvmlite import ir
from numba.core import cgutils, compiler, errors, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from emu import waist
from hosts.compiler.arrays import ArrayDescribed, ArraysDescribed
from hosts.compiler.attributes import plain
from hosts.compiler.callee import Callee
from hosts.compiler.convention import direct
from hosts.compiler.link import Piece, linked_module, optimise, undefined
from hosts.compiler.object_file import target_machine
from hosts.compiler.pipeline import Pipeline, typing_like
from hosts.compiler.signatures import CompileError, annotated, check_words, place, with_names

Progress = Callable[[int, int, str], None]
"""Called before each function: its number, how many there are, its name."""


class Unit:
    """The functions reachable from some exported ones, on their way to one object file.

    ``exports`` become C functions ``int64 name(int64, ...)``. ``instead`` gives functions that are compiled where
    another one is called: the host's for the waist's.
    """

    def __init__(
        self, exports: Mapping[str, Any], instead: Mapping[Any, Any] | None = None, *, unrolled: bool = True
    ) -> None:
        """``unrolled``: LLVM may copy the bodies of loops, which pays where they go round often."""
        self._unrolled = unrolled
        self._instead = {plain(key): plain(value) for key, value in (instead or {}).items()}
        self._base = cpu_target.target_context
        cpu_target.typing_context.refresh()
        self._base.refresh()
        self._typing = typing_like(cpu_target.typing_context)
        self._target = direct(self._base, self._mangle)
        self._callees: dict[FunctionType, Callee] = {}
        self._namespaces: dict[int, dict[str, Any]] = {}
        self._translating: list[Callee] = []
        self._exports = {name: self._reach(plain(function)) for name, function in exports.items()}
        for callee in self._callees.values():
            callee.signature = annotated(callee.function)
        for callee in self._exports.values():
            if callee.signature is None or not all(_is_number(kind) for kind in callee.signature.args):
                raise CompileError(f"{place(callee.function)}: what is exported takes numbers and says so")
        self.pieces: dict[str, Piece] = {}
        """What has been compiled, by symbol."""

    @property
    def functions(self) -> dict[str, FunctionType]:
        """All functions, by symbol."""
        return {callee.symbol: callee.function for callee in self._callees.values()}

    # --- what belongs to it --------------------------------------------------------------------------------------

    def _reach(self, function: FunctionType) -> Callee:
        """Take in a function and all that it calls, each as a copy whose names lead to the copies."""
        if function in self._callees:
            return self._callees[function]
        names = self._namespaces.setdefault(id(function.__globals__), dict(function.__globals__))
        copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
        copy.__kwdefaults__ = function.__kwdefaults__
        copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
        copy.__annotations__ = function.__annotations__
        copy.__dict__.update(function.__dict__)
        callee = Callee(id(self), copy, f"{function.__module__}.{function.__qualname__}", self._translate)
        if any(other.symbol == callee.symbol for other in self._callees.values()):
            raise CompileError(f"{place(function)}: a second function of the name {callee.symbol}")
        self._callees[function] = callee
        self._typing.insert_global(copy, callee)
        self._target.insert_func_defn([(callee.lower, copy, (types.VarArg(types.Any),))])
        for name in _globals_used(function):
            called = self._called(function.__globals__.get(name, getattr(builtins, name, None)))
            if called is not None:
                names[name] = self._reach(called).function
        return callee

    def _called(self, value: Any) -> FunctionType | None:
        function = plain(value)
        function = self._instead.get(function, function) if isinstance(function, FunctionType) else function
        if not isinstance(function, FunctionType) or self._is_known_to_numba(function):
            return None
        if function.__module__ == waist.__name__:
            raise CompileError(f"no host function for the primitive {function.__name__}")
        return function

    def _is_known_to_numba(self, function: FunctionType) -> bool:
        try:
            self._typing.resolve_value_type(function)
        except ValueError:
            return False
        return True

    def _mangle(self, name: str, argtypes: Any, *, abi_tags: Any = (), uid: Any = None) -> Any:
        if self._translating:
            function = self._translating[-1].function
            if name == f"{function.__module__}.{function.__qualname__}":
                return self._translating[-1].symbol
        return self._base.mangler(name, argtypes, abi_tags=abi_tags, uid=uid)

    # --- Numba's part --------------------------------------------------------------------------------------------

    def compile(
        self,
        progress: Progress | None = None,
        kept: Mapping[str, Piece] | None = None,
        numbers: Iterable[int] | None = None,
    ) -> None:
        """Turn every function into LLVM's language, but for those that are ``kept`` from an earlier build.

        ``numbers``: those that this process is to translate, the largest function having number 0; other processes
        translate the others.
        """
        self.pieces |= {symbol: piece for symbol, piece in (kept or {}).items() if symbol in self.functions}
        already = len(self.pieces)
        wanted = [callee for callee in self._callees.values() if callee.symbol not in self.pieces]
        wanted.sort(key=lambda callee: -len(callee.function.__code__.co_code))
        with global_compiler_lock:
            for number in numbers if numbers is not None else range(len(wanted)):
                if number >= len(wanted):
                    break
                callee = wanted[number]
                if progress is not None:
                    progress(already + number + 1, len(self._callees), callee.symbol)
                if callee.symbol not in self.pieces and callee.signature is not None:
                    self._translate(callee, callee.signature.args)
            for name, callee in self._exports.items():
                self._export(name, callee)

    def _translate(self, callee: Callee, args: tuple[Any, ...]) -> None:
        if callee in self._translating:
            raise CompileError(f"{place(callee.function)}: calls itself and has no annotations")
        library = self._target.codegen().create_library(callee.symbol)
        helpers: list[Any] = []
        # What Numba has a library for is compiled already; it is put in at the end, where it is needed.
        library.add_linking_library = helpers.append
        wanted = callee.signature.return_type if callee.signature is not None else None
        self._translating.append(callee)
        try:
            compiled = compiler.compile_extra(
                *(self._typing, self._target, callee.function, args, wanted, _flags(), {}),
                library=library,
                pipeline_class=Pipeline,
            )
        except errors.NumbaError as error:
            raise CompileError(f"{place(callee.function)}: {_reason(error)}") from error
        finally:
            self._translating.pop()
        check_words(callee.function, compiled.type_annotation.typemap)
        if callee.signature is None:
            callee.signature = with_names(compiled.signature, callee.function)
        text = library.get_llvm_str()
        self.pieces[callee.symbol] = Piece.of(text, (helper.get_llvm_str() for helper in dict.fromkeys(helpers)))

    def _export(self, name: str, callee: Callee) -> None:
        """Wrap a function for C."""
        module = ir.Module(name)
        word = ir.IntType(64)
        function = ir.Function(module, ir.FunctionType(word, [word] * len(callee.signature.args)), name)
        builder = ir.IRBuilder(function.append_basic_block())
        result = callee.call(self._target, builder, list(function.args))
        builder.ret(result if callee.signature.return_type == types.int64 else word(0))
        self.pieces[name] = Piece(cgutils.normalize_ir_text(str(module)))

    # --- LLVM's part ---------------------------------------------------------------------------------------------

    def module(self, addresses: Mapping[str, int] | None = None, *, level: int = 2) -> Any:
        """Return the optimised whole. ``addresses`` fixes those external symbols for good."""
        names = [name for name in (*self.functions, *self._exports) if name in self.pieces]
        pieces = {name: self.pieces[name] for name in names}
        module = linked_module(pieces, self.functions, self._exports, addresses or {})
        optimise(module, level, unrolled=self._unrolled)
        return module

    def object_code(
        self, addresses: Mapping[str, int] | None = None, symbols: Iterable[str] = (), *, level: int = 2
    ) -> bytes:
        """Return the object file, which may name no more than ``symbols``: a call of a missing one would be fatal."""
        module = self.module(addresses, level=level)
        missing = sorted(undefined(module) - set(symbols))
        if missing:
            raise CompileError(f"no host function for: {', '.join(missing)}")
        return cast("bytes", target_machine(level).emit_object(module))

    def assembly(self, addresses: Mapping[str, int] | None = None, *, level: int = 2) -> str:
        """Return the machine code for people, and for tests that read it."""
        return cast("str", target_machine(level).emit_assembly(self.module(addresses, level=level)))


def _is_number(kind: Any) -> bool:
    """Return whether a value is passed as one number: a word, or the address of a description."""
    return kind == types.int64 or isinstance(kind, (ArrayDescribed, ArraysDescribed))


def _reason(error: Exception) -> str:
    """Return what Numba says is wrong, without where in Numba it was found out."""
    lines = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip().splitlines()
    lines = lines[1:] if lines[0].startswith("Failed in ") else lines
    end = next((number for number, line in enumerate(lines) if line.startswith(("During: ", "File "))), len(lines))
    return " ".join(" ".join(lines[:end]).split())


def _flags() -> Any:
    flags: Any = compiler.Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_rewrites = True
    flags.error_model = "numpy"
    return flags


def _globals_used(function: FunctionType) -> list[str]:
    return list(dict.fromkeys(str(i.argval) for i in dis.get_instructions(function) if i.opname == "LOAD_GLOBAL"))
