"""A witness as it is printed: the decisive facts, within the width, nothing that the steps do not show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emu import observe
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.counterexample.witness_file import load, save
from hosts.explorer.explanation.format import state_text, value_text, vectors_in
from hosts.explorer.explanation.rows import doing, place, rows_of
from hosts.explorer.explanation.table import table_lines
from hosts.terminal import WIDE

LOST_WAKE_UP = ("device-irq", "skip-running-2020", None, "device")
NO_SYNC = ("tscdeadline-immed", "elide-self-2022", "no-fastpath-sync", "")
NO_BARRIER = ("remote-post", "elide-self-2022", "no-entry-barrier", "post:34")
LATE_REQUEST = ("kick", "always-2021", "request-after-kick", "kick")
EARLY_MODE = ("remote-post", "always-2021", "mode-read-before-on", "post:34")
ROW = r"\d+(\.\d+)?  +\S"
ALL = [LOST_WAKE_UP, NO_SYNC, NO_BARRIER, LATE_REQUEST, EARLY_MODE]


def told(witness_of: Any, case: Any) -> tuple[Witness, list[str], str]:
    """Return a witness, its printed lines, and the paragraph in one line."""
    witness = witness_of(*case)
    return witness, list(table_lines(witness)), witness.story


def row(lines: list[str], text: str) -> str:
    """Return the number of the one row with a text in it."""
    found = [line.split()[0] for line in lines if text in line and re.match(ROW, line)]
    assert len(found) == 1, (text, found, lines)
    return found[0]


def test_the_lost_wake_up_of_2021(witness_of: Any) -> None:
    """The interrupt that came between the last look and the sleep, and what its handler left undone."""
    witness, lines, story = told(witness_of, LOST_WAKE_UP)
    assert (witness.check, witness.vector) == ("C2", 0x61)
    taken, posted = row(lines, "takes 0x41"), row(lines, "ON set, was 0")
    slept = row(lines, "cmpxchg wait.state")
    assert "has gone to sleep although 0x61 could be delivered" in story
    assert f"in the handler of 0x41 (taken in step {taken}), turned ON on last (step {posted})" in story
    assert "did not read the mode, sent no IPI and woke nobody" in story
    assert f"there is no sync between step {posted} and the sleep of step {slept}" in story
    assert float(row(lines, "IPI 0x41 to pCPU 0")) < float(row(lines, "(APIC) IPI 0x41")) < float(taken)


def test_the_elided_notification_that_no_sync_makes_up_for(witness_of: Any) -> None:
    """Who elided, in which step, and that the run loop did not look."""
    witness, lines, story = told(witness_of, NO_SYNC)
    assert witness.check in ("C1", "C7")
    post = row(lines, "ON set, was 0")
    assert f"vCPU 0 turned ON on last (step {post}) and from then on owed itself a look" in story
    assert "read mode as IN_GUEST" in story
    assert "elided the notification to itself" in story
    assert f"no sync between step {post} and the VM-entry" in story
    assert "the run loop does not sync before it re-enters from the fastpath" in story
    assert not any("full barrier" in line for line in lines[lines.index(next(i for i in lines if "ON set" in i)) :])


def test_the_store_that_waited(witness_of: Any) -> None:
    """Which store was in the buffer when which load read, and which load had gone past it."""
    witness, lines, story = told(witness_of, NO_BARRIER)
    assert witness.check in ("C1", "C7")
    stored, looked, read = row(lines, "mode = IN_GUEST"), row(lines, "ON -> 0"), row(lines, "mode -> OUTSIDE")
    assert f"The store mode = IN_GUEST of vCPU 0 (step {stored}) was still in its buffer" in story
    assert f"pCPU 1 (post:0x34) read mode -> OUTSIDE (step {read})" in story
    assert f"a later load had gone past it: ON -> 0 (step {looked})" in story
    assert "found no waiter" in story
    assert f"What broke it: step {read} did not see the store of step {stored}." in story
    assert any("[buffer of vCPU 0:" in line for line in lines)


def test_what_leaves_the_buffer_is_a_row_of_its_own(witness_of: Any) -> None:
    """And the load that its thread's own buffer answers says so."""
    lines = told(witness_of, NO_BARRIER)[1]
    assert any("(own buffer)" in line or "mode -> IN_GUEST" in line for line in lines)
    drained = [each for each in told(witness_of, EARLY_MODE)[0].steps if each.agent == "drain"]
    shown = [line for line in rows_of(witness_of(*EARLY_MODE)) if line.act.kind == "drain"]
    assert len(shown) == len(drained) > 0


def test_a_mode_read_too_early(witness_of: Any) -> None:
    """Before ON was set, or the request made."""
    for case, what in ((EARLY_MODE, "ON was set"), (LATE_REQUEST, "the request was made")):
        story = told(witness_of, case)[2]
        cause = (
            rf"What broke it: the mode was read before {what} in step [\d.]+: it was found OUTSIDE \(step [\d.]+\)\."
        )
        assert re.search(cause, story), story


@pytest.mark.parametrize("case", ALL, ids=lambda case: case[0])
def test_it_fits(witness_of: Any, case: Any) -> None:
    """Any page from 80 columns on, in plain ASCII; no word is broken of what is done, where, and why."""
    witness, lines, story = told(witness_of, case)
    words = {word for row in rows_of(witness) for word in [*doing(row, 1).split(), *place(row.act).split()]}
    words |= {*story.split()}
    for width in (80, 100, 110, WIDE):
        page = list(table_lines(witness, width))
        assert max(map(len, page)) <= width
        assert all(line.isascii() and line == line.rstrip() for line in page)
        assert words <= {word for line in page for word in line.split()}
    assert lines[-1] == story


@pytest.mark.parametrize("case", ALL, ids=lambda case: case[0])
def test_steps_that_the_story_names_are_rows(witness_of: Any, case: Any) -> None:
    """Each *step 7.1* can be found in the table."""
    witness, lines, story = told(witness_of, case)
    numbers = {line.split()[0] for line in lines if re.match(ROW, line)}
    named = set(re.findall(r"step (\d+(?:\.\d+)?)", story))
    assert named
    assert named <= numbers
    assert {line.number for line in rows_of(witness)} == numbers


@pytest.mark.parametrize("case", ALL, ids=lambda case: case[0])
def test_what_is_shown_is_what_the_search_did(witness_of: Any, case: Any) -> None:
    """Stores, locked operations, IPIs: each of the witness's rows that a reader wants is in the table, in order."""
    witness = told(witness_of, case)[0]
    wanted = [
        (each.kind, each.word)
        for step in witness.steps
        for each in step.rows
        if each.kind in ("LOAD", "STORE", "OR", "AND", "XCHG", "CMPXCHG", "FENCE", "SEND")
    ]
    shown = [(line.act.kind, line.act.word) for line in rows_of(witness) if not line.act.own]
    assert [each for each in shown if each[0].isupper() and each[0] != "ACK"] == wanted


def test_no_instrument_is_shown(witness_of: Any) -> None:
    """Marks and looks of the checkers are no part of the protocol."""
    instruments = {path.name for path in Path(observe.__file__).parent.glob("*.py")}
    for case in ALL:
        for line in rows_of(witness_of(*case)):
            assert line.act.kind not in ("PEEK", "POKE", "TALLY", "RENEW", "IN_FLIGHT", "QUIET", "CHOOSE", "POINT")
            assert line.act.kind == "sighting" or line.act.file not in instruments


def test_it_is_printed_from_the_file_alone(witness_of: Any, tmp_path: Path) -> None:
    """What is saved holds all that is shown."""
    witness, lines, _story = told(witness_of, NO_BARRIER)
    save(witness, tmp_path / "witness.json")
    assert list(table_lines(load(tmp_path / "witness.json"))) == lines


def test_the_sighting_is_the_end(witness_of: Any) -> None:
    """How the instrument puts right what it has seen is not told."""
    for case in ALL:
        last = rows_of(witness_of(*case))[-1]
        assert last.act.kind == "sighting"
    assert rows_of(witness_of(*LOST_WAKE_UP))[-1].view["vcpus"][0]["task"] == 2


def test_words_are_written_as_engineers_write_them() -> None:
    """Vectors as 0x7f, modes and states by name."""
    assert vectors_in([1 << 52, 1 << 63, 0, 1 << 54]) == [0x34, 0x7F, 0xF6]
    assert value_text("pi_desc.pir[1]", -(1 << 63)) == "0x7f"
    assert value_text("pi_desc.pir[0]", 0) == "empty"
    assert value_text("requests", 1 << 14 | 1) == "TLB_FLUSH EVENT"
    assert value_text("wait.state", 2) == "ASLEEP"
    vcpu = {"mode": 2, "on": 1, "control": 0xF20001, "pir": [0x34], "requests": 0, "rvi": 0x35, "virr": [0x35]}
    vcpu |= {"waiting": 0, "task": 0}
    view = {"vcpus": [vcpu], "pending": [[0xF2], []], "flight": [[0, 0x41]], "buffers": [[], [["vcpu0.mode", 1]]]}
    assert state_text(view, ("vCPU 0", "kick")) == (
        "EXITING ON PIR 0x34 RVI 0x35 vIRR 0x35 pending 0xf2 in flight 0x41 [buffer of kick: mode=IN_GUEST]"
    )
