"""Instruments of a user's code: its windows and its checks. Loaded with a patch that needs them, and with nothing else.

A check of a user's own is asked where the built-in ones are, behind them, by the same rule: what it says counts only if
nobody is inside and nothing is on its way, before it looks and after (:mod:`emu.observe.snapshot`). Nothing is put
right, for nobody knows how: what does not hold is recorded as often as it is seen, and the run goes on.
"""

from __future__ import annotations

from typing import Final

from emu.machine import Vcpu, machine, smp_processor_id
from emu.observe.accounting import CHECKS, RECORD_WORDS
from emu.observe.checkers import check_sleep, check_stay, check_the_end, check_vm_entry
from emu.observe.sightings import note_sighting
from emu.waist import local_read, local_write

FIRST_OWN_CHECK: Final = len(CHECKS)
"""The number of the first of the user's checks, behind all others."""

OWN_OPEN: Final = 0
OWN_JUDGED: Final = 1
"""What came of the user's checks at a point: not all could be judged, as the machine was not quiet; all were."""


def enter(own_window: int) -> None:
    """Note that a window of the user's was entered."""
    word = machine().own_marks[smp_processor_id()].windows[own_window]
    local_write(word, local_read(word) + 1)


def own_sighting(vcpu: Vcpu, check: int, vector: int) -> None:
    """Record that a check of the user's fired."""
    records = machine().own_marks[smp_processor_id()].records
    note_sighting(vcpu, check, records, (check - FIRST_OWN_CHECK) * RECORD_WORDS, vector)


def own_check_vm_entry(vcpu: Vcpu) -> None:
    """Make the checks at VM-entry."""
    check_vm_entry(vcpu)
    own_checks_at_entry(vcpu)


def own_check_stay(vcpu: Vcpu) -> int:
    """Make the checks of a stay in non-root mode; return as ``check_stay`` does."""
    owed = check_stay(vcpu)
    own_checks_at_stay(vcpu)
    return owed


def own_check_sleep(vcpu: Vcpu) -> int:
    """Make the checks of a vCPU that sleeps; return as ``check_sleep`` does, or 0 if they could not be judged."""
    if check_sleep(vcpu) == 0:
        return 0
    return 0 if own_checks_at_sleep(vcpu) == OWN_OPEN else 1


def own_check_the_end(vcpu: Vcpu) -> None:
    """Make the checks when all has come to its end."""
    check_the_end(vcpu)
    own_checks_at_end(vcpu)


def own_checks_at_entry(vcpu: Vcpu) -> int:
    """Stand where the loader puts the user's checks at VM-entry."""
    return OWN_JUDGED


def own_checks_at_stay(vcpu: Vcpu) -> int:
    """Stand where the loader puts the user's checks of a stay."""
    return OWN_JUDGED


def own_checks_at_sleep(vcpu: Vcpu) -> int:
    """Stand where the loader puts the user's checks of a sleep."""
    return OWN_JUDGED


def own_checks_at_end(vcpu: Vcpu) -> int:
    """Stand where the loader puts the user's checks at the end."""
    return OWN_JUDGED
