# mypy: allow-untyped-calls

"""Linking: pieces of LLVM's language become one optimised module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm

from hosts.compiler.attributes import COLD, INLINED
from hosts.compiler.object_file import target_machine
from hosts.compiler.variants import CLONE_SUFFIX, with_clones


@dataclass(frozen=True)
class Piece:
    """One function in LLVM's language, and the code of Numba's own that it calls (``max``, ``in``)."""

    text: str
    helpers: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, helpers: Iterable[str]) -> Piece:
        """Make a piece, with those of the helpers that it calls."""
        return cls(text, tuple(helper for helper in helpers if _calls_into(text, helper)))


def linked_module(
    pieces: Mapping[str, Piece],
    functions: Mapping[str, FunctionType],
    exports: Iterable[str],
    addresses: Mapping[str, int],
) -> Any:
    """Return all pieces as one module. ``addresses`` fixes those external symbols for good."""
    cold, inlined = _marked(functions, COLD), _marked(functions, INLINED)
    texts = with_clones({name: piece.text for name, piece in pieces.items()}, functions, cold)
    texts += dict.fromkeys(helper for piece in pieces.values() for helper in piece.helpers)
    module = _linked([_sparing(_with_addresses(text, addresses), cold) for text in texts])
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name not in exports:
            value.linkage = "internal"
        if value.name in cold:
            value.add_function_attribute("noinline")
            value.add_function_attribute("cold")
        if value.name.removesuffix(CLONE_SUFFIX) in inlined:
            value.add_function_attribute("alwaysinline")
    return module


def optimise(module: Any, level: int, *, unrolled: bool) -> None:
    """Run LLVM's passes over a module; ``unrolled``: loops may be unrolled and vectorised."""
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    if not unrolled:
        options.loop_unrolling = options.loop_vectorization = False
    passes = llvm.create_pass_builder(target_machine(level), options)
    passes.getModulePassManager().run(module, passes)


def undefined(module: Any) -> set[str]:
    """Return the symbols that a module names and does not define."""
    values = (*module.functions, *module.global_variables)
    return {value.name for value in values if value.is_declaration and not value.name.startswith("llvm.")}


def _marked(functions: Mapping[str, FunctionType], mark: str) -> set[str]:
    return {symbol for symbol, function in functions.items() if hasattr(function, mark)}


def _linked(texts: Sequence[str]) -> Any:
    whole = llvm.parse_assembly("")
    for text in texts:
        whole.link_in(llvm.parse_assembly(text))
    whole.verify()
    return whole


def _calls_into(text: str, helper: str) -> bool:
    declared = set(re.findall(r"^declare .*?@(\"[^\"]+\"|[\w.$]+)\(", text, re.MULTILINE))
    defined = set(re.findall(r"^define .*?@(\"[^\"]+\"|[\w.$]+)\(", helper, re.MULTILINE))
    return bool(declared & defined)


def _sparing(text: str, symbols: Iterable[str]) -> str:
    """Make these functions preserve their callers' registers: no caller keeps any free for such a call."""
    for symbol in symbols:
        text = re.sub(rf"\b(define|declare|call)\b(?=[^\n]*@{re.escape(symbol)}\()", r"\1 preserve_mostcc", text)
    return text


def _with_addresses(text: str, addresses: Mapping[str, int]) -> str:
    """Replace external symbols by numbers, so that LLVM computes addresses of fields at compile time."""
    for name, address in addresses.items():
        text = re.sub(rf"^@{name} = external global .*\n", "", text, flags=re.MULTILINE)
        text = re.sub(rf"@{name}\b", f"inttoptr (i64 {address} to ptr)", text)
    return text
