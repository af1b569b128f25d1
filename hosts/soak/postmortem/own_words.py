"""Words of a user's code in a machine image. It does not say what they are called: they have their places' numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emu.machine import OWN_CHECKS, OWN_WINDOWS, OWN_WORDS
from emu.observe.accounting import RECORD_WORDS
from hosts.runs.collect import readable
from hosts.soak.postmortem.machine_image import MachineImage


def own_words(saved: MachineImage) -> dict[str, int]:
    """Return the words that are not 0, by whose they are and their place."""
    machine = saved.machine
    areas = {f"vcpu {i}": machine.own_vcpus[i] for i in range(saved.vcpus)}
    areas |= {f"cpu {i}": machine.own_pcpus[i] for i in range(saved.pcpus)}
    areas |= {"for all": machine.own_shared}
    return {
        f"{whose} word {place}": value
        for whose, area in areas.items()
        for place, value in enumerate(saved.slice(area.words.at, OWN_WORDS))
        if value != 0
    }


def own_windows(saved: MachineImage, cpu: int) -> dict[str, int]:
    """Return the windows that a pCPU has entered, by their numbers."""
    counts = saved.slice(saved.machine.own_marks[cpu].windows.at, OWN_WINDOWS)
    return {f"own-window-{number}": count for number, count in enumerate(counts) if count != 0}


def own_sightings(saved: MachineImage, cpu: int) -> Iterator[dict[str, Any]]:
    """Yield the records of the checks that have fired on a pCPU, by their numbers."""
    records = saved.machine.own_marks[cpu].records
    for number in range(OWN_CHECKS):
        record = saved.slice(records[number * RECORD_WORDS], RECORD_WORDS)
        if record[0] != 0:
            yield {"check": f"own_check_{number}", "count": record[0], "first": readable(record)}
