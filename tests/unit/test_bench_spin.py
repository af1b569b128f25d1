"""What the benchmark against SPIN reads and says; SPIN itself runs only in the benchmark."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from bench import pan
from bench.__main__ import main
from bench.options import BenchError

from emu.observe.accounting import CHECKS
from hosts.explorer.threads.harness import DEFAULT, scope_of

FINISHED = """
(Spin Version 6.5.2 -- 6 December 2019)
 + Partial Order Reduction
State-vector 44 byte, depth reached 174, errors: 0
  2984269 states, stored
  4649294 states, matched
  7633563 transitions (= stored+matched)
        0 atomic steps

Stats on memory usage (in Megabytes):
  204.913 equivalent memory usage for states (stored*(State-vector + overhead))
  135.728 actual memory usage for states (compression: 66.24%)
          state-vector as stored = 20 byte + 28 byte overhead
  256.000 memory used for hash table (-w25)

pan: elapsed time 3.14 seconds
"""


def test_the_checkers_figures_are_read() -> None:
    """States, time, and bytes with one place of the table for each state."""
    read = pan.parse(FINISHED)
    assert (read.states, read.transitions, read.depth, read.vector) == (2984269, 7633563, 174, 44)
    assert (read.errors, read.complete, read.seconds) == (0, True, 3.14)
    assert round(read.bytes_per_state) == 48 + 8
    assert round(read.rate) == round(2984269 / 3.14)


def test_cold_is_with_making_the_checker() -> None:
    """Generated and compiled anew for each scope; the search is the same."""
    read = pan.parse(FINISHED, building=6.0)
    assert (read.seconds, read.cold.seconds) == (3.14, 9.14)
    assert round(read.cold.rate) == round(2984269 / 9.14)
    assert read.cold.states == read.states


def test_counts_with_an_exponent_are_read() -> None:
    """From a hundred million on SPIN prints no plain number: its last digits are not the count."""
    many = FINISHED.replace("  2984269 states", "1.1987654e+08 states").replace(
        "  7633563 trans", "3.2000008e+08 trans"
    )
    assert (pan.parse(many).states, pan.parse(many).transitions) == (119876540, 320000080)


def test_the_check_that_fired_is_read() -> None:
    """SPIN prints the assertion, which names it."""
    assert not pan.parse(FINISHED).fired
    assert pan.parse("pan:1: assertion violated (10==0) (at depth 20)\n" + FINISHED).fired == "C10"


def test_a_search_cut_short_is_not_complete() -> None:
    """Whether SPIN ran out of memory or was interrupted, it says so in the same words."""
    assert not pan.parse("Warning: Search not completed\n" + FINISHED).complete


def test_what_spin_did_not_say_is_an_error() -> None:
    """A checker that crashed has no figures."""
    with pytest.raises(BenchError, match="states, stored"):
        pan.parse("Segmentation fault")


def test_the_default_scope_is_told_to_the_model() -> None:
    """Each column becomes a number of its own."""
    said = pan.defines(
        scope_of(None, "post:34 post:34 | post:35 | device | kick"), "elide-self-2022", "no-entry-barrier", 4
    )
    assert said == pan.defines(scope_of(None, DEFAULT), "elide-self-2022", "no-entry-barrier", 4)
    assert said == [
        *("-DPOLICY=3", "-DDEPTH=4", "-DFIRST=3", "-DSECOND=1", "-DDEVICE=1", "-DKICKS=1"),
        *("-DSLOW_HANDLERS=0", "-DTIMERS=1", "-DNO_ENTRY_BARRIER"),
    ]


def test_one_check_alone_is_told_to_the_model() -> None:
    """All the others are taken away."""
    assert pan.defines(scope_of(None, DEFAULT), "elide-self-2022", None, 4, "C7")[-1] == "-DONLY=7"


WITHOUT = {"C6", "C11", "C12", "C13", "C14"}


def test_the_model_holds_the_checks_that_the_explorer_holds() -> None:
    """Each is asserted by its number, but those about tasks, timers and signals, of which the model has none."""
    text = pan.MODEL.read_text(encoding="utf-8")
    assert {f"C{number}" for number in re.findall(r"assert\((\d+) == 0\)", text)} == set(CHECKS) - WITHOUT


def test_a_scope_that_the_model_does_not_have_is_refused() -> None:
    """Not silently checked as another."""
    with pytest.raises(BenchError, match="has no scope"):
        pan.defines(scope_of(None, "post:7f"), "elide-self-2022", None, 4)


def test_every_switch_of_the_model_is_one() -> None:
    """A name that is misspelled would mutate nothing."""
    text = pan.MODEL.read_text(encoding="utf-8")
    for name in (*pan.COLUMNS, "POLICY", "DEPTH", "TIMERS", "SLOW_HANDLERS", "ONLY"):
        assert f"#ifndef {name}\n" in text
    for name in pan.MUTATIONS.values():
        assert re.search(rf"^#ifn?def {name}$|defined\({name}\)", text, re.MULTILINE)


def test_without_spin_it_says_so_and_ends_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment lacks something; no figure is made up."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("spin") is None
    assert main(["spin", "--quick"]) == 3
    assert "spin is not installed (apt install spin)" in capsys.readouterr().err
