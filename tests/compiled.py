"""Small compiled programs for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.machine import Machine
from hosts.compiler.object_file import Image
from hosts.compiler.unit import Unit
from hosts.compiler.variants import SELECTED
from hosts.native.codegen import lowering as _lowering  # noqa: F401 - registers what the waist means


def unit_of(functions: Mapping[str, Callable[..., Any]], instead: Mapping[Any, Any] | None = None) -> Unit:
    """Translate functions of numbers, each exported under its name."""
    unit = Unit(functions, instead)
    unit.compile()
    return unit


class Compiled:
    """Functions of numbers, compiled and loaded into this process, and the memory they work on."""

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        words: int = 64,
        instead: Mapping[Any, Any] | None = None,
        local_words: int = 64,
        symbols: Mapping[str, int] | None = None,
    ) -> None:
        """Compile for a memory of so many words; ``symbols``: what the functions may call besides each other."""
        self.words: npt.NDArray[np.int64] = np.zeros(words + 8, np.int64)
        skip = -self.words.ctypes.data // 8 % 8
        self.words = self.words[skip : skip + words]  # from the start of a cache line
        self.local: npt.NDArray[np.int64] = np.zeros(local_words, np.int64)
        self.base = int(self.words.ctypes.data)
        selected = self.base + int(Machine(0).config.mutation)
        addresses = {"pirace_memory": self.base, "pirace_local": int(self.local.ctypes.data), SELECTED: selected}
        self.unit = unit_of(functions, instead)
        self._image = Image(self.unit.object_code(addresses, symbols or ()), symbols)
        self._parameters = {name: function.__code__.co_argcount for name, function in functions.items()}

    def __getattr__(self, name: str) -> Any:
        """Return a compiled function."""
        if name not in self._parameters:
            raise AttributeError(name)
        return self._image.function(name, self._parameters[name])

    def address(self, name: str) -> int:
        """Return the address of a compiled function."""
        return self._image.address(name)


def instructions(assembly: str, function: str) -> Sequence[str]:
    """Return the instructions of one function of an assembler text, blanks normalised."""
    lines = iter(assembly.splitlines())
    for line in lines:
        if line == f"{function}:":
            break
    else:
        raise LookupError(function)
    body: list[str] = []
    for line in lines:
        if line.startswith(".Lfunc_end"):
            break
        text = " ".join(line.partition("#")[0].split())
        if text and not text.startswith(".") and not text.endswith(":"):
            body.append(text)
    return body
