"""Functions of C, translated, return what a C compiler's return, on every input for which C defines it."""

from __future__ import annotations

import pytest

from tests.c_semantics import corpus, running
from tests.c_semantics.corpus import Case
from tests.c_semantics.refusals import is_documented
from tests.choice import slow_but
from tests.compiled import Compiled

CONSTRUCTS = tuple(dict.fromkeys(case.construct for case in corpus.read()))
SAMPLED = 12
"""Of a construct's functions, the fast tests take every twelfth; but all that are written by hand."""
COMPILED_FAST, COMPILED = 40, 400


def _of(construct: str, step: int) -> list[Case]:
    cases = [case for case in corpus.read() if case.construct == construct]
    return cases if construct == "idioms" else cases[::step]


def _check(cases: list[Case]) -> running.Loaded:
    loaded = running.load({case.name: case.text.encode() for case in cases})
    wrong = "\n".join(running.differences(cases, loaded))
    assert not wrong
    undocumented = [str(error) for error in loaded.refused.values() if not is_documented(error.reason)]
    assert not undocumented
    return loaded


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_a_translated_function_returns_what_c_says(construct: str) -> None:
    """A sample of each construct, run as plain Python; what is refused is refused for a reason that is documented."""
    cases = _of(construct, SAMPLED)
    loaded = _check(cases)
    assert len(loaded.refused) * 3 <= len(cases) * 2


@pytest.mark.slow
@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_every_translated_function_returns_what_c_says(construct: str) -> None:
    """All of each construct."""
    _check(_of(construct, 1))


@pytest.mark.timeout(600)  # hundreds of functions through Numba: two minutes alone on a processor
@pytest.mark.parametrize("count", slow_but([COMPILED_FAST], [COMPILED_FAST, COMPILED]))
def test_native_code_returns_what_c_says(count: int) -> None:
    """Functions of every construct in one compiled unit: numbers are 64 bits wide there, and without end in Python."""
    all_cases = corpus.read()
    cases = all_cases[:: len(all_cases) // count]
    loaded = running.load({case.name: case.text.encode() for case in cases})
    compiled = Compiled({case.name: loaded.functions[case.name] for case in cases if case.name in loaded.functions})
    for case in cases:
        if case.name in loaded.functions:
            assert not running.difference(case, getattr(compiled, case.name)), case.text
