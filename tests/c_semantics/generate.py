"""Makes the corpus anew: ``python -m tests.c_semantics.generate`` (needs gcc; the tests do not)."""

from __future__ import annotations

import argparse
import itertools
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.c_semantics import corpus
from tests.c_semantics.corpus import Case
from tests.c_semantics.generator import oracle
from tests.c_semantics.generator.constructs import CONSTRUCTS
from tests.c_semantics.generator.shape import Function


def drawn(construct: str, seed: int, most: int | None = None) -> list[Function]:
    """Return functions of a construct, the same for the same seed."""
    functions, count = CONSTRUCTS[construct]
    taken = itertools.islice(functions(random.Random(f"{construct} {seed}")), count if most is None else most)
    return [named(function, f"{construct}_{n}") for n, function in enumerate(taken)]


def named(function: Function, name: str) -> Function:
    """Return a function under a name of its own, unless it has one."""
    if function.name != "NAME":
        return function
    return replace(function, name=name, text=function.text.replace("NAME", name))


def cases(seed: int) -> list[Case]:
    """Return the corpus of a seed."""
    return [case for construct in CONSTRUCTS for case in oracle.results(drawn(construct, seed), construct)]


def main() -> None:
    """Write the corpus, and say what it has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--output", type=Path, default=corpus.FILE)
    given = parser.parse_args()
    made = cases(given.seed)
    corpus.write(made, given.output)
    for construct, count in Counter(case.construct for case in made).items():
        print(f"{count:5} {construct}")
    print(f"{len(made):5} functions, {given.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
