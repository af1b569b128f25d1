"""What is no C, or C that cannot be translated exactly, is one line with file and line; never anything else."""

from __future__ import annotations

import random
import re

import pytest

from hosts.loader.c.translate import CError, translate_function
from tests.c_semantics import corpus, running
from tests.c_semantics.bad_texts import BEYOND, BROKEN, NO_C, RIGHT
from tests.c_semantics.mangling import Mangler, last_function

LINE = re.compile(r"test\.c:\d+: \S.*")


def _refusal(text: bytes) -> str:
    with pytest.raises(CError) as refused:
        translate_function(text, "f")
    told = str(refused.value)
    assert LINE.fullmatch(told), told
    assert len(told) < 300
    return told


@pytest.mark.parametrize("what", NO_C)
def test_a_text_without_the_function_is_refused(what: str) -> None:
    """And it is named, or what makes it no text at all."""
    assert re.search(r"\bf\b|a byte 0", _refusal(NO_C[what]))


@pytest.mark.parametrize("what", BROKEN)
def test_broken_c_is_refused(what: str) -> None:
    """It means nothing, so it is not guessed at."""
    _refusal(BROKEN[what])


@pytest.mark.parametrize("what", BEYOND)
def test_c_that_has_no_exact_meaning_here_is_refused(what: str) -> None:
    """Nothing is approximated, and nothing takes all memory, stack or time to be refused."""
    _refusal(BEYOND[what])


@pytest.mark.parametrize("what", RIGHT)
def test_odd_c_means_what_it_says(what: str) -> None:
    """Encodings, line ends, comments and what ``#if 0`` leaves out."""
    text, wanted = RIGHT[what]
    loaded = running.load({"f": text})
    assert not loaded.refused
    assert loaded.functions["f"](7) == wanted


@pytest.mark.parametrize("seed", range(4))
def test_mangled_c_is_translated_or_refused(seed: int) -> None:
    """Tokens and lines lost, doubled, swapped and brought in: no other error, and what is translated can be loaded."""
    texts = [case.text.encode() for case in corpus.read()[seed::40]]
    mangler = Mangler(random.Random(seed), texts)
    for _ in range(50):
        text = mangler.text()
        try:
            refused = list(running.load({last_function(text): text}).refused.values())
        except CError as error:  # the whole file: an #if without an end
            refused = [error]
        assert all(LINE.fullmatch(str(error).replace(error.file, "test.c")) for error in refused)
