"""What is read out of a machine's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.kvm_host import EXITING_GUEST_MODE, IN_GUEST_MODE
from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.posted_intr import pi_control
from emu.vectors import POSTED_INTR_VECTOR
from hosts.loader.own.declared import Own, OwnCheck, OwnWindow, Place
from hosts.runs.collect import (
    Measured,
    Undelivered,
    Violation,
    collect,
    count_fired,
    fabric_violation,
    merged,
    readable,
)

Blank = Callable[[], Any]


def test_counters_and_windows_are_summed_over_pcpus(blank: Blank) -> None:
    """Of the pCPUs that take part, no others."""
    words = blank().count("posts", 3).count("posts", 4, cpu=1).count("posts", 100, cpu=2).window("sync-finds-on", 5)
    found = collect(words.words, 2, 1.5)
    assert (found.counts["posts"], found.counts["deliveries"]) == (7, 0)
    assert (found.windows["sync-finds-on"], found.windows["kick-ends-stay"]) == (5, 0)
    assert (found.violations, found.seconds) == ((), 1.5)


def test_windows_and_checks_of_a_users_own_are_read_by_their_names(blank: Blank) -> None:
    """Summed over pCPUs, behind the built-in ones; without a user's code nobody looks there."""
    here = Place("my.py", 1)
    own = Own(
        own_windows=(OwnWindow("A", "mine", here),),
        own_checks=(OwnCheck("fine", ("stay",), gives_vector=False, about="", place=here),),
    )
    words = blank().record("C8", [1, -1, 0, -1, 0, 0, 0, 5])
    for cpu in range(2):
        marks = Machine(0).own_marks[cpu]
        words.words[marks.windows[0] // WORD_BYTES] = 3
        words.words[marks.records[0] // WORD_BYTES] = 2
    found = collect(words.words, 2, 1.0, own)
    assert found.windows["mine"] == 6
    assert [(each.check, each.count) for each in found.violations] == [("C8", 1), ("fine", 4)]
    assert (Measured() + found + found).windows["mine"] == 12
    assert "mine" not in collect(words.words, 2, 1.0).windows


def test_a_violation_keeps_the_first_pcpu_that_has_one(blank: Blank) -> None:
    """Counts are summed; the details are one pCPU's own, with names instead of numbers."""
    control = pi_control(POSTED_INTR_VECTOR, 3) | 1
    words = blank().record("C1", [2, 0x31, IN_GUEST_MODE, 0x3F, control, 0, 7, 99], cpu=1)
    words.record("C1", [5, -1, EXITING_GUEST_MODE, -1, control, 0, 8, 11], cpu=2)
    (violation,) = collect(words.words, 4, 1.0).violations
    assert (violation.check, violation.count) == ("C1", 7)
    assert violation.first == {
        "pcpu": 1,
        "vector": 0x31,
        "mode": "IN_GUEST_MODE",
        "pir": 0x3F,
        "on": 1,
        "sn": 0,
        "nv": POSTED_INTR_VECTOR,
        "ndst": 3,
        "rvi": 0,
        "turn": 7,
        "entries": 99,
    }


def test_no_vector_is_none() -> None:
    """-1 means none in the machine; JSON has a word for that."""
    seen = readable([1, -1, 0, -1, 0, 0, 0, 0])
    assert (seen["vector"], seen["pir"], seen["mode"]) == (None, None, "OUTSIDE_GUEST_MODE")


def test_a_control_word_may_be_negative() -> None:
    """NDST's highest bit is the word's sign."""
    assert readable([1, 0, 0, 0, -1, 0, 0, 0])["ndst"] == 0xFFFF_FFFF


def test_how_often_some_checks_have_fired(blank: Blank) -> None:
    """What a watch asks all the time."""
    words = blank().record("C1", [2]).record("C10", [4], cpu=1).record("C5", [8])
    assert count_fired(words.words, 2, ("C1", "C10")) == 6
    assert count_fired(words.words, 1, ("C1", "C10")) == 2
    assert count_fired(words.words, 2, ()) == 0


def test_runs_of_one_configuration_add_up() -> None:
    """Counts, windows, seconds; the first sighting stays the first."""
    one = Measured(violations=(Violation("C5", 1, {"turn": 1}),), seconds=1.0)
    two = Measured(violations=(Violation("C1", 2, {"turn": 2}), Violation("C5", 3, {"turn": 3})), seconds=0.5)
    both = one + two
    assert both.violations == (Violation("C1", 2, {"turn": 2}), Violation("C5", 4, {"turn": 1}))
    assert (both.seconds, both.sightings, both.fired("C5"), both.fired("C2")) == (1.5, 6, 4, 0)


def test_checks_come_in_their_order() -> None:
    """Whatever order they are found in; C10 is not C1's neighbour."""
    found = merged(tuple(Violation(check, 1, {}) for check in ("C10", "C2", "C1")))
    assert [violation.check for violation in found] == ["C2", "C1", "C10"]


def test_what_the_fabric_lost_is_c10() -> None:
    """Sent and never taken, or taken and never sent: the difference counts."""
    lost = (Undelivered(0, 1, 0xF2, 10, 7), Undelivered(1, 0, None, 1, 2))
    (violation,) = fabric_violation(lost)
    assert (violation.check, violation.count) == ("C10", 4)
    assert violation.first == {"vector": 0xF2, "sender": 0, "target": 1, "sent": 10, "taken": 7}
    assert fabric_violation(()) == ()
