"""The hand-written functions of ``idioms.c``."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.c_semantics.generator.shape import Function
from tests.c_semantics.generator.widths import WIDTHS, Width

HEAD: Final = re.compile(r"^static ([\w ]+?) \(?(\w+)\)?\((.*?)\)(?= *\{|$)", re.MULTILINE)
OTHER_NAMES: Final = {
    "long unsigned int": "u64", "unsigned long long int": "u64", "short int": "short", "int unsigned": "u32",
    "__u32": "u32", "uint64_t": "u64", "const s32": "s32", "volatile int": "int",
}  # fmt: skip


def idioms(rng: random.Random) -> Iterator[Function]:
    """Yield each of them."""
    text = Path(__file__).with_suffix(".c").read_text(encoding="utf-8")
    for part in text.split("/* --- */\n")[1:]:
        result, name, given = HEAD.findall(part)[-1]
        yield Function(name, width_of(result), tuple(parameters(given)), part)


def parameters(given: str) -> Iterator[Width]:
    """Yield the types of what stands between a function's brackets."""
    for each in re.sub(r"/\*.*?\*/|EMPTY", "", given).split(","):
        yield width_of(each.strip().rpartition(" ")[0])


def width_of(name: str) -> Width:
    """Return a type by any of its names."""
    return WIDTHS[OTHER_NAMES.get(name, name)]
