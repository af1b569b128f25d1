"""The header of a saved memory image: a magic number, and the layout by which its words are to be read."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from typing import Final

from emu.machine import Machine
from emu.memory import Struct, Word, Words
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS, COUNTERS, RECORD, WINDOWS
from emu.observe.tracepoints import TRACE_EVENTS
from emu.workload.scenarios import POLICIES
from hosts.native.fabric.frame_kinds import VECTOR_OF_KIND
from hosts.native.memory.addresses import MEMORY_AT
from hosts.native.memory.layout import ARGUMENT_SHIFT, HOST_OFFSET, TURN_SHIFT, HostWords

MAGIC: Final = int.from_bytes(b"pirace01", "big")


@functools.cache
def layout_number() -> int:
    """Return a number that changes when a word lies elsewhere or a number in it means something else."""
    layout = [
        *_fields("machine", Machine, 0),
        *_fields("host", HostWords, HOST_OFFSET),
        *(repr(names) for names in (COUNTERS, WINDOWS, CHECKS, RECORD, TRACE_EVENTS, VECTOR_OF_KIND)),
        *(f"mutation {each.number} {each.name}" for each in MUTATIONS),
        *(f"policy {each.number} {each.name}" for each in POLICIES),
        f"machine at {MEMORY_AT}",
        f"events {ARGUMENT_SHIFT} {TURN_SHIFT}",
    ]
    digest = hashlib.sha256("\n".join(layout).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _fields(path: str, of: type[Struct], offset: int) -> Iterator[str]:
    for name, field in of.fields.items():
        at = offset + field.offset
        yield f"{path}.{name} at {at}: {field.count} of {field.of.__name__}, {field.nbytes} bytes"
        if field.of not in (Word, Words):
            yield from _fields(f"{path}.{name}", field.of, at)
