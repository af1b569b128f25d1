"""The corpus: functions of C, and what a compiler made of them."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.c_semantics import inputs
from tests.c_semantics.generator.widths import WIDTHS, Width

FILE: Final = Path(__file__).with_name("functions.jsonl.gz")


@dataclass(frozen=True)
class Case:
    """A function and its results."""

    name: str
    construct: str
    result: Width
    parameters: tuple[Width, ...]
    text: str
    defined: int
    """Bit n is set if C says what the function returns for the n-th input."""
    shown: tuple[int, ...]
    """The results for the first inputs for which it does, as signed words."""
    total: int
    """What the results for all others sum up to."""

    def inputs(self) -> Iterator[tuple[int, ...]]:
        """Yield what the parameters get, for which C says what is returned."""
        for n, given in enumerate(inputs.words()):
            if self.defined >> n & 1:
                yield inputs.arguments(given, self.parameters)


def write(cases: Iterable[Case], path: Path = FILE) -> None:
    """Write the corpus, the same bytes for the same cases."""
    lines = [json.dumps(_plain(case), separators=(",", ":")) for case in cases]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))


@functools.cache
def read(path: Path = FILE) -> tuple[Case, ...]:
    """Read the corpus."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return tuple(_case(*json.loads(line)) for line in lines)


def _plain(case: Case) -> list[object]:
    names = [width.name for width in case.parameters]
    return [case.name, case.construct, case.result.name, names, case.text, case.defined, case.shown, case.total]


def _case(
    name: str, construct: str, result: str, names: list[str], text: str, defined: int, shown: list[int], total: int
) -> Case:  # fmt: skip
    widths = tuple(WIDTHS[each] for each in names)
    return Case(name, construct, WIDTHS[result], widths, text, defined, tuple(shown), total)
